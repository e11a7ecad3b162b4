"""`bowerbird eval`: tasks, run, compare, rerun, report, scoreboard, stress. Thin: it names parts, calls `evals`, prints what came out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bowerbird.cli.call import Call, Out, command
from bowerbird.cli.evaluated import about, as_json, as_table, specs
from bowerbird.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bowerbird.evals.bench import Bench
    from bowerbird.evals.results import Run
    from bowerbird.evals.task import Task
    from bowerbird.ports import LLM, Encoder

__all__ = ["eval_app"]

_RUNS = Path("runs")
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
    rows = [about(task) for task in found if kind in (None, task.kind)]

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
      bowerbird eval run scifact --spec 'dbsf(bm25, dense)'
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
    rows = [as_json(folder, found, one) for folder, found in done for one in specs(found) or [""]]

    def shown() -> Iterable[RenderableType]:
        for folder, found in done:
            yield from as_table(folder, found)

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
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Of runs, stress tests, trained components, or of such folders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page; the same as .json and .md goes beside it.")] = Path("report.html"),
    title: Annotated[str, typer.Option("--title", help="What stands on top.")] = "Bowerbird evaluation",
) -> Out:
    """Write one page of runs, stress tests and trained components that works offline, and the same as JSON and Markdown.

    \b
    Examples:
      bowerbird eval report runs
      bowerbird eval report runs/scifact-test-1a2b3c4d --out scifact.html
      bowerbird eval report my.bower/artifacts --out learning.html
    """
    from bowerbird.evals.report import write_report

    made = [str(path) for path in write_report(folders, out, title)]
    return Out({"files": made}, lambda: [", ".join(made)])


def scoreboard(
    call: Call,
    few: Annotated[bool, typer.Option("--small", help="A few cases of a few tasks: whether everything fits together.")] = False,
    minutes: Annotated[float, typer.Option("--minutes", "-m", help="What would not be over by then is left out, and says so.")] = 60.0,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page; the same as .json goes beside it.")] = Path("docs/scoreboard.md"),
    runs: Annotated[Path, typer.Option("--runs", help="Where folders of runs go, and what goes on after a kill.")] = Path(
        "runs/scoreboard"
    ),
    seed: Annotated[int, typer.Option("--seed", help="Of the samples, of what is drawn and of the intervals.")] = 0,
    data: _Data = None,
) -> Out:
    """Run every task with all baselines beside our default, and write one table. Run again, it goes on where it was stopped.

    \b
    Examples:
      bowerbird eval scoreboard --llm local
      bowerbird eval scoreboard --small --out small.md --runs runs/small
    """
    from bowerbird import table
    from bowerbird.evals.plan import plan, small
    from bowerbird.evals.scoreboard import Row, play
    from bowerbird.evals.standings import write
    from bowerbird.evals.task import get

    encoder, llm = _parts(call)
    lines = plan(get(name) for name in table.names("tasks"))
    lines = small(lines) if few else lines
    with call.progress("scoreboard", 1) as bar:

        def heard(over: int, row: Row, left: float) -> None:
            said = row.why or f"{row.seconds:.0f} s"
            call.note(f"[{over}/{len(lines)}] {row.line.name}: {said}; about {left / 60:.0f} min to go")

        board = play(lines, _bench, encoder=encoder, llm=llm, runs=runs, minutes=minutes, seed=seed, data=data, progress=bar, heard=heard)
        bar("checks", 0, 0)
        files = write(board, out, llm, data)
    short = [f"{row.line.name}: {row.why}" for row in board.rows if row.why and not row.line.skip]

    def shown() -> Iterable[RenderableType]:
        done = sum(row.folder is not None for row in board.rows)
        yield f"{done} of {len(lines)} lines in {board.seconds / 60:.0f} min: {files[0]}, {files[1]}"
        yield from short

    told = {"files": [str(path) for path in files], "lines": len(lines), "not_run": short, "seconds": round(board.seconds, 1)}
    return Out(told, shown, 1 if short else 0)


def stress(
    call: Call,
    spec: Annotated[str, typer.Argument(help="The pipeline to put under stress.")] = "dbsf(bm25, dense) >> budget",
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
      bowerbird eval stress 'dbsf(bm25, dense) >> budget >> llm' --llm local --test injection
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
    (scoreboard, "encoder llm"),
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
