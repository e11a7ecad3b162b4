"""`bowerbird learn`: from outcomes to components that serve. Nothing is published that is not better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bowerbird.cli.call import Call, Out, command
from bowerbird.cli.durations import seconds_of
from bowerbird.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bowerbird.components.shelf import Artifact
    from bowerbird.engine import Engine
    from bowerbird.learn.doubt import Doubt
    from bowerbird.learn.experience import Experience
    from bowerbird.learn.groups import Candidate, Group
    from bowerbird.learn.ladder import Rung
    from bowerbird.learn.publish import Verdict
    from bowerbird.learn.trainer import Setting
    from bowerbird.learn.workshop import Workshop

__all__ = ["learn_app", "named", "rollback"]

_More = Annotated[list[Path] | None, typer.Option("--from", help="Training groups of a file too (JSON lines); may be given again.")]
_Seed = Annotated[int, typer.Option("--seed", help="Of the split by query and of all that is drawn.")]
_Margin = Annotated[float, typer.Option("--margin", help="What a kind may lose, in units of nDCG.")]
_Upto = Annotated[int | None, typer.Option("--upto", help="Only the ledger up to this position.")]
_Believe = Annotated[int, typer.Option("--believe", help="Outcomes up to this position were looked at and are right, whatever seems.")]


def status(call: Call, more: _More = None) -> Out:
    """Say what there is to learn from, what each component would need, and what serves.

    \b
    Examples:
      bowerbird learn status
      bowerbird learn status --scope acme/ann --json
    """
    from dataclasses import asdict

    from bowerbird import table
    from bowerbird.learn.doubt import contradictions
    from bowerbird.learn.ladder import LADDER
    from bowerbird.learn.publish import sides
    from bowerbird.learn.trainer import trainer_of

    with call.engine() as engine:
        groups, found = _workshop(engine).groups(more=more or ())
        doubted, disputed = _doubt(engine, found, 0), contradictions(found.groups)
        train = sides(groups)["train"]
        rungs: list[dict[str, Any]] = []
        for name in (name for name, _ in LADDER if name in table.names("trainers")):
            trainer = trainer_of(name)
            serving = engine.shelf.serving(name, _scope(engine))
            usable = len(trainer.usable(train))
            rungs.append({"component": name, "usable": usable, "needs": trainer.least, "serving": serving.name if serving else None})
    kinds = dict(Counter(f"{group.kind}/{group.source}" for group in groups))
    known = {"turns": found.turns, "judged": found.judged, "gone": found.gone, "upto": found.upto}
    said = {"doubt": doubted.sentence if doubted else None, "contradicted": [asdict(one) for one in disputed]}
    data = {**known, "groups": kinds, "components": rungs, **said}

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import table as columns

        yield f"{found.turns:,} turns served, {found.judged:,} of them with outcomes, up to ledger position {found.upto}."
        if found.gone:
            yield f"{found.gone:,} candidates changed or went since and are left out."
        if disputed:
            most = "; ".join(f"{one.key} for {one.query!r:.60} {one.against} of {one.turns}" for one in disputed[:3])
            yield f"{len(disputed):,} records are judged both ways for the same query: {most}{' …' if disputed[3:] else ''}."
        if doubted:
            yield doubted.sentence
        yield "Training groups: " + (", ".join(f"{name} {count:,}" for name, count in kinds.items()) or "none yet.")
        made = columns("component", "usable", "needs", "serves", right=("usable", "needs"))
        for rung in rungs:
            made.add_row(rung["component"], f"{rung['usable']:,}", f"{rung['needs']:,}", rung["serving"] or "—")
        yield made
        yield (
            "Next: bowerbird learn auto"
            if any(r["usable"] >= r["needs"] for r in rungs)
            else "Next: bowerbird feedback --last +1 --key KEY"
        )

    return Out(data, shown)


def score(
    call: Call,
    reward: Annotated[str, typer.Option("--reward", help="likelihood or rank_aware.")] = "likelihood",
    limit: Annotated[int, typer.Option("--limit", "-n", help="Groups at most; each costs a pass a candidate.")] = 200,
    more: _More = None,
) -> Out:
    """Let the language model score candidates: how probable the right answer becomes with each. The one step that calls it, with synth.

    Scored are groups that know a right answer: from `bowerbird feedback --correct`, or one that was liked. Run again, it goes on.

    \b
    Examples:
      bowerbird learn score --llm local
      bowerbird learn score --llm local --from groups.jsonl -n 50
    """
    from contextlib import closing

    from bowerbird import table
    from bowerbird.evals.bench import cache_folder
    from bowerbird.evals.cache import CallCache, cached
    from bowerbird.kinds import kind
    from bowerbird.learn.rewards.smooth import smooth
    from bowerbird.learn.workshop import merged
    from bowerbird.llms.choose import choose

    llm = choose(call.llm, on_progress=call.note)
    if llm is None:
        raise InvalidInput("Scoring asks a language model: give --llm, such as --llm local.")
    measure = table.load("rewards", reward)
    kept_calls = closing(CallCache(cache_folder() / "calls.sqlite"))
    with call.engine() as engine, call.progress("scoring", 1) as bar, kept_calls as calls:
        shop = _workshop(engine)
        groups, _ = shop.groups(more=more or ())
        wanted = [group for group in groups if group.answers and len(group.candidates) > 1 and group.nothing is None][:limit]

        def shown_as(group: Group, candidate: Candidate) -> str:
            (id,) = engine.catalog.ids([candidate.key], _scope(engine))
            record = engine.catalog.records([id], _scope(engine), None).get(id) if id is not None else None
            return candidate.text if record is None else kind(record.kind).show(record)

        done = measure(show=shown_as).score(wanted, cached(llm, calls, together=256), bar)
        shop.keep("scored", merged([*done, *shop.kept("scored")]))
        told = len(smooth(done))
    data = {"scored": len(done), "telling": told, "without_answer": sum(not group.answers for group in groups), "reward": reward}
    return Out(data, lambda: [f"{len(done):,} groups scored by {llm.name}; in {told:,} of them candidates differ by more than the margin."])


def mine(
    call: Call,
    spec: Annotated[str, typer.Option("--spec", help="What finds them.")] = "dense(k=30)",
    count: Annotated[int, typer.Option("--count", "-n", help="Negatives a group.")] = 7,
    more: _More = None,
    seed: _Seed = 0,
) -> Out:
    """Find hard negatives in the bower itself: what is near a query and was not what helped. Likely false ones are left out.

    \b
    Examples:
      bowerbird learn mine
      bowerbird learn mine --spec 'bm25(k=30)' -n 4
    """
    from bowerbird.learn.mine import mine as negatives

    with call.engine() as engine, call.progress("mining", 1) as bar:
        shop = _workshop(engine)
        groups = [group for group in shop.groups(more=more or ())[0] if group.positives]
        done = negatives(engine, groups, spec, n=count, seed=seed, progress=bar)
        shop.keep("mined", done)
    found = sum(len(group.candidates) for group in done) - sum(len(group.candidates) for group in groups)
    return Out({"groups": len(done), "negatives": found}, lambda: [f"{found:,} negatives found for {len(done):,} groups."])


def synth(
    call: Call,
    kind: Annotated[str, typer.Option("--kind", "-k", help="Records of this kind get queries.")] = "passage",
    limit: Annotated[int, typer.Option("--limit", "-n", help="Records at most, drawn evenly.")] = 100,
    each: Annotated[int, typer.Option("--each", help="Queries a record.")] = 1,
    more: _More = None,
    seed: _Seed = 0,
) -> Out:
    """Let the language model write queries for records, from at least 8 real ones; kept is what retrieval leads back from.

    The real ones are queries of this scope with a record that helped, and those of files given with --from.

    \b
    Examples:
      bowerbird learn synth --kind tool --llm local
      bowerbird learn synth --from examples.jsonl --each 2 --llm openai:gpt-5-mini
    """
    from bowerbird.learn.synth.queries import shown as pairs_of
    from bowerbird.learn.synth.queries import written
    from bowerbird.learn.synth.round_trip import kept
    from bowerbird.learn.workshop import merged
    from bowerbird.llms.choose import choose
    from bowerbird.types import Turn

    llm = choose(call.llm, on_progress=call.note)
    if llm is None:
        raise InvalidInput("Writing queries asks a language model: give --llm, such as --llm local.")
    with call.engine() as engine, call.progress("writing queries", 1) as bar:
        shop = _workshop(engine)
        groups, _ = shop.groups(more=more or ())
        scope = _scope(engine)
        (drawn,) = engine.run([Turn("", scope, kinds=(kind,))], f"random(k={limit}, seed={seed})")
        found = engine.catalog.records([hit.id for hit in drawn.hits], scope, drawn.asof)
        made = written(list(found.values()), pairs_of(groups, kind), llm, each=each, seed=seed, progress=bar)
        spec = engine.spec("search")
        good = kept(engine, made, spec, progress=bar)
        shop.keep("synth", merged([*good, *shop.kept("synth")]))
    data = {"records": len(found), "written": len(made), "kept": len(good), "model": llm.name}
    return Out(
        data, lambda: [f"{len(made):,} queries written for {len(found):,} records by {llm.name}; {len(good):,} lead back and are kept."]
    )


def fit(
    call: Call,
    component: Annotated[str, typer.Argument(help="adapter, ranker, gate, router, cross_encoder or encoder.")],
    more: _More = None,
    upto: _Upto = None,
    seed: _Seed = 0,
    margin: _Margin = 0.01,
    seconds: Annotated[str | None, typer.Option("--time", help="What training may take, such as 60s or 10m.")] = None,
    option: Annotated[list[str] | None, typer.Option("--option", help="A setting of the trainer, NAME=VALUE; may be given again.")] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Let it serve if it is better.")] = False,
    believe: _Believe = 0,
) -> Out:
    """Train a component, keep it, and judge it on held-out queries against what serves now. Exit code 1: it is not better.

    \b
    Examples:
      bowerbird learn fit adapter
      bowerbird learn fit gate --publish
      bowerbird learn fit router --option family=mf --from routes.jsonl
    """
    from bowerbird.learn.publish import made
    from bowerbird.learn.trainer import trainer_of

    limit = seconds_of("--time", seconds) if seconds else None
    with call.engine() as engine, call.progress(f"fit {component}", 1) as bar:
        shop = _workshop(engine)
        groups, found = shop.groups(upto, more or ())
        setting = _setting(engine, shop, component, seed, limit, bar, _options(option or ()))
        scope = _scope(engine)
        doubted = _doubt(engine, found, believe)
        done = made(trainer_of(component), groups, setting, engine.shelf, scope, upto=found.upto, margin=margin, doubt=doubted)
        serves = done.verdict.publish and publish
        if serves:
            _publish(engine, done.artifact, done.verdict.why)
        use = _use(engine, component if serves else "")
    verdict, card = done.verdict.as_json(), dict(done.artifact.card)
    data = {"artifact": done.artifact.name, "published": serves, "verdict": verdict, "card": card, "use": use.get(component)}

    def shown() -> Iterable[RenderableType]:
        yield from _told(done.verdict)
        yield f"Kept as {done.artifact.name}." + (" It serves now." if serves else "")
        yield from use.values()
        if done.verdict.publish and not serves:
            yield f"Next: bowerbird learn publish {done.artifact.name}"

    return Out(data, shown, 0 if done.verdict.publish else 1)


def compare(
    call: Call,
    artifact: Annotated[str, typer.Argument(help="A version, such as adapter@2.")],
    more: _More = None,
    upto: _Upto = None,
    seed: _Seed = 0,
    margin: _Margin = 0.01,
    believe: _Believe = 0,
) -> Out:
    """Judge a kept version again, on all held-out queries that there are now, against what serves. Nothing is published.

    Doubt counts as it does for fit and auto. Exit code 1: it is not better, or may not be published.

    \b
    Examples:
      bowerbird learn compare adapter@2
      bowerbird learn compare gate@1 --json
    """
    from dataclasses import replace

    from bowerbird.learn.publish import refused, sides, verdict
    from bowerbird.learn.trainer import trainer_of

    with call.engine() as engine:
        shop = _workshop(engine)
        chosen = named(engine, artifact)
        trainer = trainer_of(chosen.component)
        groups, known = shop.groups(upto, more or ())
        held = trainer.usable(sides(groups, seed)["test"])
        setting = _setting(engine, shop, chosen.component, seed)
        serving = engine.shelf.serving(chosen.component, _scope(engine))
        old = trainer.scores(held, engine.shelf.load(serving) if serving else None, setting)
        new = trainer.scores(held, engine.shelf.load(chosen), setting)
        found = verdict(old, new, margin, seed, _doubt(engine, known, believe))
    if found.publish and (why := refused(chosen)):
        kept = f"But what it was judged by when it was made stands: {why} Train it anew: bowerbird learn fit {chosen.component}"
        found = replace(found, publish=False, why=f"{found.why} {kept}")
    data = {"artifact": chosen.name, "against": serving.name if serving else None, "verdict": found.as_json()}
    return Out(data, lambda: _told(found), 0 if found.publish else 1)


def publish(call: Call, artifact: Annotated[str, typer.Argument(help="A version, such as adapter@2.")]) -> Out:
    """Let a kept version serve. It must have been better when it was judged; to go back, see `learn rollback`.

    \b
    Examples:
      bowerbird learn publish adapter@2
    """
    from bowerbird.learn.publish import refused

    with call.engine() as engine:
        chosen = named(engine, artifact)
        if why := refused(chosen):
            raise InvalidInput(f"{chosen.name} is not published: {why}")
        with call.progress(f"publish {chosen.name}", 1) as bar:
            _publish(engine, chosen, chosen.card["verdict"]["why"], bar)
        use = _use(engine, chosen.component)
    data = {"published": chosen.name, "use": use.get(chosen.component)}
    return Out(data, lambda: [f"{chosen.name} serves {chosen.scope} now.", *use.values()])


def rollback(
    call: Call,
    component: Annotated[str, typer.Argument(help="The component, such as adapter.")],
    to: Annotated[int | None, typer.Option("--to", help="The version; 0 = none. Otherwise the one that served before.")] = None,
) -> Out:
    """Let an earlier version of a component serve again, or none.

    \b
    Examples:
      bowerbird learn rollback adapter
      bowerbird learn rollback adapter --to 0
    """
    from bowerbird.learn.publish import ROLLBACK, before
    from bowerbird.learn.publish import publish as let_serve

    with call.engine() as engine:
        serving = engine.shelf.serving(component, _scope(engine))
        if serving is None and to is None:
            raise InvalidInput(f"No {component} serves {_scope(engine)}: there is nothing to go back from.")
        version = (before(engine, serving) if serving else 0) if to is None else to
        with call.progress(f"rollback {component}", 1) as bar:
            let_serve(engine, component, version, _scope(engine), ROLLBACK, bar)
        now = engine.shelf.serving(component, _scope(engine))
    said = f"{now.name} serves again." if now else f"No {component} serves any more."
    return Out({"component": component, "serving": now.name if now else None}, lambda: [said])


def auto(
    call: Call,
    seconds: Annotated[str, typer.Option("--time", help="What the whole may take.")] = "5m",
    more: _More = None,
    component: Annotated[list[str] | None, typer.Option("--component", help="Only this one; may be given again.")] = None,
    seed: _Seed = 0,
    margin: _Margin = 0.01,
    upto: _Upto = None,
    believe: _Believe = 0,
) -> Out:
    """Climb the ladder as far as the time goes, publish what is better, and say what was done and why. Run again, it goes on.

    No language model is called. The encoder is trained only when it is named: publishing it re-embeds the bower.

    \b
    Examples:
      bowerbird learn auto
      bowerbird learn auto --time 30m --component adapter --component encoder
    """
    from bowerbird.learn.ladder import climb

    rungs: list[Rung] = []
    with call.engine() as engine, call.progress("learning", 1) as bar:
        shop = _workshop(engine)
        groups, found = shop.groups(upto, more or ())
        setting = _setting(engine, shop, "auto", seed, progress=bar)
        doubted = _doubt(engine, found, believe)
        limit = seconds_of("--time", seconds)
        named = tuple(component or ())
        done = climb(groups, setting, engine, _scope(engine), seconds=limit, upto=found.upto, margin=margin, rungs=named, doubt=doubted)
        for rung in done:
            rungs.append(rung)
            call.note(f"{rung.component} ({rung.seconds:.0f} s): {rung.said}")
        use = _use(engine, *(rung.component for rung in rungs if rung.published))
    rows = [
        {
            "component": r.component,
            "said": r.said,
            "published": r.published,
            "artifact": r.artifact.name if r.artifact else None,
            "use": use.get(r.component),
        }
        for r in rungs
    ]

    def shown() -> Iterable[RenderableType]:
        serving = [rung.artifact.name for rung in rungs if rung.published and rung.artifact]
        yield f"{len(groups):,} training groups. " + (f"Serving: {', '.join(serving)}." if serving else "Nothing new serves.")
        yield from (f"{name}: {said}" for name, said in use.items())

    return Out({"groups": len(groups), "upto": found.upto, "rungs": rows}, shown)


learn_app = typer.Typer(name="learn", no_args_is_help=True, rich_markup_mode="rich", help="From outcomes to components that serve.")
_BODIES: tuple[tuple[Callable[..., Out], str], ...] = (
    (status, "bower scope encoder store"),
    (score, "bower scope encoder store llm"),
    (mine, "bower scope encoder store"),
    (synth, "bower scope encoder store llm"),
    (fit, "bower scope encoder store llm"),
    (compare, "bower scope encoder store llm"),
    (publish, "bower scope encoder store"),
    (rollback, "bower scope encoder store"),
    (auto, "bower scope encoder store llm"),
)
for _body, _common in _BODIES:
    learn_app.command(_body.__name__, no_args_is_help=_body in (fit, compare, publish, rollback))(command(_body, _common))


# --- parts ------------------------------------------------------------------------------------------------------------


def _scope(engine: Engine) -> Any:
    assert engine.scope is not None  # `Call.engine` has set it
    return engine.scope


def _workshop(engine: Engine) -> Workshop:
    from bowerbird.learn.workshop import Workshop

    return Workshop(engine.path, engine.ledger, engine.catalog, _scope(engine))


def _doubt(engine: Engine, found: Experience, believe: int) -> Doubt | None:
    """About what came after the last component that serves was made, or after what somebody vouches for."""
    from bowerbird.learn.doubt import believed, doubt

    return doubt(found.groups, max(believed(engine.shelf, _scope(engine)), believe))


def _setting(
    engine: Engine,
    shop: Workshop,
    component: str,
    seed: int,
    seconds: float | None = None,
    progress: Any = None,
    options: dict[str, Any] | None = None,
) -> Setting:
    from bowerbird.learn.trainer import Setting

    folder = shop.folder / "checkpoints" / component
    return Setting(engine, engine.encoder, None, seed, seconds, folder, progress, options or {})


def named(engine: Engine, artifact: str) -> Artifact:
    """The version that `adapter@2` names, if this scope may see it."""
    component, _, version = artifact.partition("@")
    if not version.isdigit():
        raise InvalidInput(f"{artifact!r} names no version: write it as adapter@2. See: bowerbird artifacts list")
    found = engine.shelf.get(component, int(version))
    if found.scope not in _scope(engine).visible():
        raise InvalidInput(f"{found.name} was learnt in another scope than {_scope(engine)}.")
    return found


def _publish(engine: Engine, artifact: Artifact, why: str, progress: Any = None) -> None:
    from bowerbird.learn.publish import publish as let_serve

    let_serve(engine, artifact.component, artifact.version, _scope(engine), why, progress)


def _use(engine: Engine, *components: str) -> dict[str, str]:
    """Of those that serve only in a pipeline which names their stage, how that is written for this bower."""
    from bowerbird.learn.named import sentence

    said = {component: sentence(component, engine.spec("augment")) for component in components if component}
    return {component: text for component, text in said.items() if text}


def _options(given: Sequence[str]) -> dict[str, Any]:
    """`["family=mf", "rank=16"]` → settings of a trainer; numbers are numbers."""
    import json

    found: dict[str, Any] = {}
    for text in given:
        name, sign, raw = text.partition("=")
        if not sign or not name:
            raise InvalidInput(f"--option {text!r} is no setting: write NAME=VALUE.")
        try:
            found[name] = json.loads(raw)
        except ValueError:
            found[name] = raw
    return found


def _told(found: Verdict) -> Iterable[RenderableType]:
    from bowerbird.cli.view import table as columns

    made = columns("kind", "before", "after", "difference", "95 %", "queries", right=("before", "after", "difference", "queries"))
    for name, one in found.kinds.items():
        seen = one.difference
        made.add_row(name, f"{one.a:.4f}", f"{one.b:.4f}", f"{seen.value:+.4f}", f"{seen.low:+.4f} to {seen.high:+.4f}", str(seen.n))
    if found.kinds:
        yield made
    yield found.why
