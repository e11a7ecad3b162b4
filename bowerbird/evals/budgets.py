"""How much of the evidence fits into a token budget: a ranking run read again, with the sizes of its records. It runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bowerbird.errors import InvalidInput
from bowerbird.evals.bench import Corpus
from bowerbird.evals.compare import interval
from bowerbird.evals.results import Run, item_file, read_items
from bowerbird.evals.task import get
from bowerbird.kinds import kind
from bowerbird.ports import TokenCounter

__all__ = ["BUDGETS", "evidence"]

BUDGETS = (250, 500, 1000, 2000)
_LEFT = ("none", "oracle", "full")


def evidence(folder: Path, counter: TokenCounter, budgets: Sequence[int] = BUDGETS, data: Path | None = None) -> dict[str, Any]:
    """Mean share of the gold records within the first hits that fill each budget, by system, with 95 % intervals; JSON values.

    Hits are taken in order until one does not fit, each at the tokens of its text as its kind shows it; what a composer adds or shortens
    is not counted. Of the hits the run kept the first hundred. Raises `InvalidInput` for a run that ranked nothing.
    """
    run = Run.load(folder)
    if run.protocol != "rank":
        raise InvalidInput(f"{folder} is a run under {run.protocol!r}: what fits a budget is read off a ranking.")
    task = get(run.task)
    found = task.data(data)
    corpus = Corpus(task.records(found))
    scopes = {case.id: case.scope for case in task.cases(found, run.split)}
    sizes: dict[int, int] = {}
    systems = []
    for name in run.systems:
        if name in _LEFT:
            continue
        held = [
            (item, [one for key in item.hits if (one := corpus.record(key, scopes[item.id])) is not None])
            for item in read_items(item_file(folder, name))
            if item.gold
        ]
        fresh = list({record.id: record for _, hits in held for record in hits if record.id not in sizes}.values())
        sizes |= dict(zip((one.id for one in fresh), counter.count([kind(one.kind).show(one) for one in fresh]), strict=True))
        points = []
        for budget in budgets:
            shares = {item.id: _share(item.gold, [(hit.key, sizes[hit.id]) for hit in hits], budget) for item, hits in held}
            points.append({"budget": budget, **{k: v for k, v in asdict(interval(shares, run.seed, 1000)).items() if k != "level"}})
        systems.append({"name": name, "points": points})
    about = "Share of the gold records among the first hits that fit the budget, all cases of the ranking run; no model is asked."
    return {"title": f"{run.task}: evidence within the token budget", "about": about, "budgets": list(budgets), "systems": systems}


def _share(gold: Sequence[str], hits: Sequence[tuple[str, int]], budget: int) -> float:
    shown, left = set(), budget
    for key, size in hits:
        if size > left:
            break
        shown.add(key)
        left -= size
    return len(shown & set(gold)) / len(set(gold))
