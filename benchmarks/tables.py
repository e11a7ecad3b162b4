"""Systems beside one another over tasks of many kinds: means over kinds, paired differences, and their Markdown tables. It runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bowerbird.evals.compare import compare, interval

Scores = Mapping[str, Mapping[str, float]]  # task -> case -> value


@dataclass(frozen=True)
class Line:
    """A task: how many groups it teaches, how many test cases judge, under which protocol and by which measure."""

    task: str
    kind: str
    train: int | None
    test: int | None
    measure: str
    protocol: str = "rank"


def even(lines: Sequence[Line], of: Scores) -> dict[str, float]:
    """All cases in one table, weighted so that their mean is the mean over kinds of the mean over tasks."""
    kinds = {line.kind for line in lines}
    total = sum(len(of[line.task]) for line in lines)
    found = {}
    for line in lines:
        tasks = sum(other.kind == line.kind for other in lines)
        share = total / (len(kinds) * tasks * len(of[line.task]))
        found.update({f"{line.task}/{id}": value * share for id, value in of[line.task].items()})
    return found


def numbers(lines: Sequence[Line], systems: Mapping[str, Scores], beside: str = "plain") -> dict[str, Any]:
    """What the tables and the pictures show, as JSON values: the tasks; the mean over kinds of every system, and against the one it is
    put `beside`; and the same of every task."""
    base = even(lines, systems[beside])
    over: dict[str, Any] = {}
    for name, of in systems.items():
        mine = even(lines, of)
        mean = interval(mine)
        over[name] = {"value": mean.value, "low": mean.low, "high": mean.high, **({} if name == beside else _against(base, mine))}
    tasks = [{"task": line.task, "kind": line.kind, "measure": line.measure, "n": len(systems[beside][line.task])} for line in lines]
    means = {name: {task: sum(found.values()) / len(found) for task, found in of.items()} for name, of in systems.items()}
    against = {
        name: {line.task: _against(systems[beside][line.task], of[line.task]) for line in lines}
        for name, of in systems.items()
        if name != beside
    }
    return {"tasks": tasks, "mean over kinds": over, "means": means, "beside": beside, "against": against}


def _against(base: Mapping[str, float], mine: Mapping[str, float]) -> dict[str, Any]:
    pair = compare(base, mine)
    seen = pair.difference
    return {"difference": seen.value, "from": seen.low, "to": seen.high, "p": pair.p, "decided": pair.decided}


def table_of(found: Mapping[str, Any]) -> list[str]:
    """The Markdown lines of both tables: the mean over kinds, and task by task."""
    text = [f"| system | mean over kinds | against {found['beside']} (95 %, p) |", "|---|---|---|"]
    for name, mean in found["mean over kinds"].items():
        seen = f"{mean['difference']:+.4f} ({mean['from']:+.4f} to {mean['to']:+.4f}), p {mean['p']:.2g}" if "p" in mean else ""
        text.append(f"| {name} | {mean['value']:.4f} [{mean['low']:.4f}, {mean['high']:.4f}] | {seen} |")
    return [*text, "", *task_rows(found)]


def task_rows(found: Mapping[str, Any]) -> list[str]:
    """The Markdown lines of the table task by task."""
    systems = found["means"]
    text = ["| kind | task | measure | n | " + " | ".join(systems) + " |", "|---|---|---|---|" + "---|" * len(systems)]
    for row in found["tasks"]:
        cells = []
        for name, of in systems.items():
            pair = found["against"].get(name, {}).get(row["task"])
            mark = "" if pair is None or not pair["decided"] else " ▲" if pair["difference"] > 0 else " ▼"
            cells.append(f"{of[row['task']]:.3f}{mark}")
        text.append(f"| {row['kind']} | {row['task']} | {row['measure']} | {row['n']} | " + " | ".join(cells) + " |")
    return text
