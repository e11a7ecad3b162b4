"""`bowerbird eval`: tasks, run, compare, rerun, report, stress. Thin: it names parts, calls `evals`, and prints what came out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bowerbird.cli.call import Call, Out, command
from bowerbird.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bowerbird.evals.bench import Bench
    from bowerbird.evals.results import Estimate, Run
    from bowerbird.evals.task import Task
    from bowerbird.ports import LLM, Encoder

__all__ = ["eval_app"]

_RUNS = Path("runs")
_WIDE = 4  # measures whose intervals a terminal has room for
_Data = Annotated[Path | None, typer.Option("--data", envvar="BOWERBIRD_DATA", help="The folder that holds the datasets.")]
_Out = Annotated[Path, typer.Option("--out", "-o", help="Where folders of runs go.")]


def tasks(call: Call, kind: Annotated[str | None, typer.Option("--kind", "-k", help="Only tasks of this kind.")] = None) -> Out:
    """List the tasks: what each judges, how, and by which measures.

    \b
    Examples:
      bowerbird eval tasks
      bowerbird eval tasks --kind memory --json
    """
    from bowerbird import table
    from bowerbird.errors import UnknownName
    from bowerbird.evals.task import get

    found = [get(name) for name in table.names("tasks")]
    known = dict.fromkeys(task.kind for task in found)
    if kind is not None and kind not in known:
        raise UnknownName("kind of task", kind, known)
    rows = [_about(task) for task in found if kind in (None, task.kind)]

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import table as columns

        made = columns("task", "kind", "protocols", "splits", "measures", "about", wrap=("about", "measures"))
        for row in rows:
            lists = (", ".join(row[name]) for name in ("protocols", "splits", "measures"))
            made.add_row(row["name"], row["kind"], *lists, row["about"])
        yield made

    return Out({"tasks": rows}, shown)


def run(
    call: Call,
    names: Annotated[list[str], typer.Argument(metavar="TASK...", help="Names; a BEIR folder; QUESTIONS.jsonl+RECORDS.jsonl; mteb:NAME.")],
    spec: Annotated[list[str] | None, typer.Option("--spec", "-p", help="A pipeline to judge; give it again for more.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="Cases: the same even sample of all categories each time.")] = None,
    split: Annotated[str, typer.Option("--split", help="The task's first when not given.")] = "",
    protocol: Annotated[str, typer.Option("--protocol", help="How it is judged; the task's first when not given.")] = "",
    seed: Annotated[int, typer.Option("--seed", help="Of the sample, of what is drawn and of the intervals.")] = 0,
    tokens: Annotated[int, typer.Option("--tokens", help="Tokens of context that every system gets.")] = 1000,
    budget: Annotated[str | None, typer.Option("--budget", help="Time, such as 300s or 5m: spent where it is undecided.")] = None,
    out: _Out = _RUNS,
    data: _Data = None,
) -> Out:
    """Run tasks: every baseline and every spec over the same cases. Run again, it goes on where it was stopped.

    \b
    Examples:
      bowerbird eval run scifact --spec 'rrf(bm25, dense)'
      bowerbird eval run locomo --protocol answer --llm local --limit 50
      bowerbird eval run banking77 --limit 200 --budget 60s --json
    """
    from dataclasses import replace

    from bowerbird.evals.run import Options, run_task

    encoder, llm = _parts(call)
    options = Options(split, protocol, limit, seed, tokens, _seconds(budget) if budget else None)
    done: list[tuple[Path, Run]] = []
    for name in names:
        task = _task(name)
        named = replace(options, named="" if task.name == name else name)
        with call.progress(f"{name}", 1) as bar:
            made = run_task(
                task, spec or [], _bench, encoder=encoder, llm=llm, options=named, out=out, data=data, progress=lambda *at: bar(*at)
            )
        done.append(made)
        call.note(f"{name}: {made[0]}")
    rows = [_as_json(folder, found, one) for folder, found in done for one in _specs(found) or [""]]

    def shown() -> Iterable[RenderableType]:
        for folder, found in done:
            yield from _shown(folder, found)

    return Out(rows[0] if len(rows) == 1 else {"results": rows}, shown)


def compare(
    call: Call,
    a: Annotated[Path, typer.Argument(help="A folder of a run.")],
    b: Annotated[Path | None, typer.Argument(help="Another one; without it, A's specs are set against its best baseline.")] = None,
    measure: Annotated[str, typer.Option("--measure", "-m", help="The first that is a mean over cases when not given.")] = "",
) -> Out:
    """Compare two runs case by case: interval, test, and how many cases it would take. Nothing is run.

    \b
    Examples:
      bowerbird eval compare runs/scifact-test-1a2b3c4d
      bowerbird eval compare runs/scifact-test-1a2b3c4d runs/scifact-test-5e6f7a8b --measure MRR@10
    """
    from dataclasses import asdict

    from bowerbird.evals.rerun import beside

    found = beside(a, b or a, measure)
    rows = []
    for (one, other), pair in found.pairs.items():
        numbers = asdict(pair)
        means = {"mean_a": numbers.pop("a"), "mean_b": numbers.pop("b")}
        said = pair.sentence(f"{one}{' of A' if b else ''}", f"{other}{' of B' if b else ''}")
        rows.append({"a": one, "b": other, **means, **numbers, "decided": pair.decided, "sentence": said})

    def shown() -> Iterable[RenderableType]:
        from rich.text import Text

        yield Text(f"{found.measure}, {found.cases} cases", style="bold")
        for row in rows:
            yield Text(row["sentence"])
        for note in found.notes:
            yield Text(f"Mind: {note}.", style="dim")

    return Out({"measure": found.measure, "cases": found.cases, "pairs": rows, "notes": list(found.notes)}, shown)


def rerun(
    call: Call,
    folder: Annotated[Path, typer.Argument(help="The folder of a run.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where the new folder goes; FOLDER/again when not given.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask the model and encode again; use nothing that was kept.")] = False,
    data: _Data = None,
) -> Out:
    """Run a finished run again and say what differs. Exit code 1 when something does.

    \b
    Examples:
      bowerbird eval rerun runs/scifact-test-1a2b3c4d
      bowerbird eval rerun runs/locomo-test-5e6f7a8b --llm local --fresh
    """
    import shutil

    from bowerbird.evals.rerun import rerun as again
    from bowerbird.evals.results import Run

    old = Run.load(folder)
    target = out or folder / "again"
    if target.exists() and out is None:
        shutil.rmtree(target)
    encoder, llm = _parts(call)
    with call.progress(old.task, 1) as bar:
        kept = target / "cache" if fresh else None
        task = _task(old.settings.get("named") or old.task)
        done = again(folder, task, _bench, encoder=encoder, llm=llm, out=target, cache=kept, data=data, progress=lambda *at: bar(*at))

    def shown() -> Iterable[RenderableType]:
        from rich.text import Text

        yield Text(f"The same numbers and cases: {done.folder}" if done.same else f"Not the same: {done.folder}", style="bold")
        for line in done.differs:
            yield Text(f"  {line}")
        for line in done.parts:
            yield Text(f"Other version: {line}", style="dim")

    told = {"same": done.same, "differs": list(done.differs), "versions": list(done.parts), "run_dir": str(done.folder)}
    return Out(told, shown, 0 if done.same else 1)


def report(
    call: Call,
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of runs and stress tests, or folders of such.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page; the same as .json and .md goes beside it.")] = Path("report.html"),
    title: Annotated[str, typer.Option("--title", help="What stands on top.")] = "Bowerbird evaluation",
) -> Out:
    """Write one page of runs and stress tests that works offline, and the same as JSON and Markdown.

    \b
    Examples:
      bowerbird eval report runs
      bowerbird eval report runs/scifact-test-1a2b3c4d --out scifact.html
    """
    from bowerbird.evals.report import write_report

    made = [str(path) for path in write_report(folders, out, title)]
    return Out({"files": made}, lambda: [", ".join(made)])


def stress(
    call: Call,
    spec: Annotated[str, typer.Argument(help="The pipeline to put under stress.")] = "rrf(bm25, dense) >> budget",
    test: Annotated[list[str] | None, typer.Option("--test", "-t", help="Only this test; give it again for more.")] = None,
    questions: Annotated[int, typer.Option("--questions", "-n", help="Questions a condition.")] = 20,
    seconds: Annotated[float, typer.Option("--seconds", help="What the growing store may take.")] = 120.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the made-up facts.")] = 0,
    out: _Out = _RUNS,
) -> Out:
    """Put a pipeline under stress with made-up facts: distractors, conflicts, orders, injected instructions, a growing store.

    \b
    Examples:
      bowerbird eval stress 'bm25 >> budget'
      bowerbird eval stress 'rrf(bm25, dense) >> budget >> llm' --llm local --test injection
    """
    import hashlib
    import tempfile
    from dataclasses import asdict

    from bowerbird.evals.stress import stress as under

    encoder, llm = _parts(call)
    with tempfile.TemporaryDirectory() as place, call.progress("stress", 1) as bar:
        bench: Any = _bench(Path(place) / "stress.bower", encoder, llm)
        try:
            found = under(bench, spec, tests=test or (), questions=questions, seed=seed, seconds=seconds, progress=lambda *at: bar(*at))
        finally:
            bench.close()
    folder = out / f"stress-{hashlib.sha256(f'{spec}{seed}{questions}{found.llm}'.encode()).hexdigest()[:8]}"
    found.save(folder)

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import table as columns

        made = columns("test", "condition", "measure", "value", "95 %", "n", right=("value", "n"))
        for row in found.rows:
            made.add_row(row.test, row.condition, row.measure, f"{row.value:.3f}", f"{row.low:.2f}–{row.high:.2f}", str(row.n))
        yield made
        yield from (f"Left out: {line}" for line in found.left)
        yield str(folder)

    return Out({**asdict(found), "run_dir": str(folder)}, shown, 1 if found.broken else 0)


eval_app = typer.Typer(name="eval", no_args_is_help=True, rich_markup_mode="rich", help="Does it help? Tasks, baselines, comparisons.")
COMMANDS: tuple[tuple[Callable[..., Out], str], ...] = (
    (tasks, ""),
    (run, "encoder llm"),
    (compare, ""),
    (rerun, "encoder llm"),
    (report, ""),
    (stress, "encoder llm"),
)
for _body, _common in COMMANDS:
    eval_app.command(_body.__name__, no_args_is_help=_body in (run, compare, rerun, report))(command(_body, _common))


# --- parts ------------------------------------------------------------------------------------------------------------


def _task(name: str) -> Task:
    """A task of the table; a folder in BEIR layout; two files of rows as QUESTIONS+RECORDS; an MTEB task as mteb:NAME."""
    from bowerbird.evals.task import get
    from bowerbird.evals.tasks import beir, mteb, rows

    questions, plus, records = name.partition("+")
    if plus:
        return rows.task(questions, records)
    if name.startswith("mteb:"):
        return mteb.task(name.removeprefix("mteb:"))
    return beir.task(name) if ("/" in name or name.startswith(".")) and Path(name).is_dir() else get(name)


def _parts(call: Call) -> tuple[Encoder | None, LLM | None]:
    from bowerbird.encoders.choose import choose as encoder
    from bowerbird.llms.choose import choose as llm

    return encoder(call.encoder or "auto"), llm(call.llm, on_progress=call.note)


def _bench(path: Path, encoder: Encoder | None, llm: LLM | None) -> Bench:
    from bowerbird.engine import Engine

    return Engine(path, encoder=encoder, llm=llm)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|)", text.strip())
    if not found:
        raise InvalidInput(f"--budget {text!r} is no time: write 300s, 5m or 1h.")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


# --- showing ----------------------------------------------------------------------------------------------------------


def _specs(found: Run) -> list[str]:
    from bowerbird.evals.results import BASELINES

    return [name for name in found.systems if name not in BASELINES]


def _about(task: Task) -> dict[str, Any]:
    lists = {name: list(getattr(task, name)) for name in ("protocols", "splits", "measures")}
    return {"name": task.name, "kind": task.kind, "about": task.about, **lists, "source": task.source, "licence": task.licence}


def _as_json(folder: Path, found: Run, spec: str) -> dict[str, Any]:
    from dataclasses import asdict

    from bowerbird.evals.results import BASELINES

    def numbers(system: str) -> dict[str, Any]:
        return {name: asdict(value) for name, value in found.measures.get(system, {}).items()}

    return {
        "task": found.task,
        "split": found.split,
        "protocol": found.protocol,
        "spec": spec or None,
        "measures": numbers(spec) if spec else {},
        "baselines": {name: numbers(name) for name in found.systems if name in BASELINES},
        "cost": {name: asdict(cost) for name, cost in found.cost.items()},
        "data_sha256": found.data_sha256,
        "run_dir": str(folder),
        "complete": found.complete,
        "open": list(found.open),
        "left_out": list(found.dropped),
        "seconds": found.seconds,
        "overhead_seconds": found.overhead_seconds,
    }


def _shown(folder: Path, found: Run) -> Iterable[RenderableType]:
    from rich.text import Text

    from bowerbird.cli.view import table as columns

    names = list(dict.fromkeys(name for values in found.measures.values() for name in values))
    if not names:
        yield Text(f"{found.task}: no system has a number. {' '.join(found.open)}")
        return
    cases = max(value.n for values in found.measures.values() for value in values.values())
    yield Text(f"{found.task} · {found.split} · {found.protocol} · {cases} cases", style="bold")
    narrow = len(names) > _WIDE
    made = columns("system", *names, "tokens", "ms", right=(*names, "tokens", "ms"), wrap=("system",))
    for system in found.systems:
        values = found.measures.get(system, {})
        cells = [_cell(values[name], cases, narrow) if name in values else "—" for name in names]
        cost, latency = found.cost.get(system), found.latency.get(system, {}).get("total")
        each = f"{cost.tokens / max(1, cases):.0f}" if cost else "—"
        made.add_row(system, *cells, each, f"{1000 * latency.p50:.1f}" if latency else "—")
    yield made
    if narrow:
        yield Text("The intervals are in run.json and in: bowerbird eval report", style="dim")
    for note in (*found.open, *found.dropped):
        yield Text(note, style="dim")
    yield Text(str(folder), style="dim")


def _cell(value: Estimate, cases: int, narrow: bool) -> str:
    few = "" if value.n == cases else f" (n={value.n})"
    return f"{value.value:.3f}" if narrow else f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]{few}"
