"""How `bowerbird eval` shows a run: as the JSON object of --json, and as a table for people. Knows no command."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bowerbird.evals.results import Estimate, Run
    from bowerbird.evals.task import Task

__all__ = ["about", "as_json", "as_table", "specs"]

_WIDE = 4  # measures whose intervals a terminal has room for


def specs(found: Run) -> list[str]:
    from bowerbird.evals.results import BASELINES

    return [name for name in found.systems if name not in BASELINES]


def about(task: Task) -> dict[str, Any]:
    lists = {name: list(getattr(task, name)) for name in ("protocols", "splits", "measures")}
    return {"name": task.name, "kind": task.kind, "about": task.about, **lists, "source": task.source, "licence": task.licence}


def as_json(folder: Path, found: Run, spec: str) -> dict[str, Any]:
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
        "predicted": {name: {key: asdict(value) for key, value in rows.items()} for name, rows in found.predicted.items()},
        "left_out": list(found.dropped),
        "seconds": found.seconds,
        "overhead_seconds": found.overhead_seconds,
    }


def as_table(folder: Path, found: Run) -> Iterable[RenderableType]:
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
    for note in (*found.open, *(f"Predicted, not measured: {line}" for line in found.guesses), *found.dropped):
        yield Text(note, style="dim")
    yield Text(str(folder), style="dim")


def _cell(value: Estimate, cases: int, narrow: bool) -> str:
    few = "" if value.n == cases else f" (n={value.n})"
    return f"{value.value:.3f}" if narrow else f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]{few}"
