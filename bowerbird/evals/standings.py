"""What the scoreboard says: of each run the main measure under every baseline and under ours, and whether the difference is one.

It reads run folders as `rerun.beside` does, so that `bowerbird eval compare` says the same of each; only the correction is over the
whole table. It runs nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bowerbird.evals.authority import authority
from bowerbird.evals.budgets import evidence
from bowerbird.evals.compare import Comparison, holm
from bowerbird.evals.digest import lacking
from bowerbird.evals.measure import get
from bowerbird.evals.page.scoreboard import text
from bowerbird.evals.page.text import clean
from bowerbird.evals.rerun import beside, best_plain
from bowerbird.evals.results import BASELINES, Run
from bowerbird.evals.scoreboard import Board, Row, as_json, commit, machine
from bowerbird.ports import TokenCounter
from bowerbird.types import replace

__all__ = ["standings", "write"]

Json = dict[str, Any]
_MAIN = {"answer": "F1"}  # where a task has it: exact match says little of a small model that writes a word too many
_CURVES = ("locomo",)  # tasks whose ranking is read against token budgets too


def write(board: Board, out: Path, counter: TokenCounter | None, data: Path | None = None) -> tuple[Path, Path]:
    """Write the page `out` and the same as `.json` beside it; their paths. `counter` counts what fits a budget; without one no curve is
    drawn. The checks against authorities are made here, and their time is told with that of the runs. Means of trained components
    are taken from `learned.json` beside the page, tables of what else learns from the files in the folder `learned` there."""
    began = time.monotonic()
    ranked = [row.folder for row in board.rows if row.folder and row.line.protocol == "rank" and row.line.task in _CURVES]
    curves = [evidence(folder, counter, data=data) for folder in ranked] if counter else []
    checks = authority(board, data)
    report = standings(replace(board, seconds=board.seconds + time.monotonic() - began), checks, curves)
    learned = out.with_name("learned.json")  # what `make learn` left there
    if learned.exists():
        told = json.loads(learned.read_text("utf-8"))
        report["learned"] = {"systems": told["mean over kinds"], "tasks": [task["task"] for task in told["tasks"]]}
    report["tables"] = [json.loads(path.read_text("utf-8")) for path in sorted(out.with_name("learned").glob("*.json"))]
    paths = out, out.with_suffix(".json")
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, content in zip(
        paths, (text(report, paths[1].name), json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False)), strict=True
    ):
        fresh = path.with_name(path.name + ".part")
        fresh.write_text(content, "utf-8")
        fresh.replace(path)
    return paths


def standings(board: Board, authority: Sequence[Mapping[str, Any]] = (), curves: Sequence[Mapping[str, Any]] = ()) -> Json:
    """The whole scoreboard as JSON values: `rows` in the plan's order, `left_out`, and what they were made with."""
    done = [(row, Run.load(row.folder)) for row in board.rows if row.folder]
    found = {id(row): _pairs(row, run) for row, run in done}
    flat = [(key, against) for key, pairs in found.items() for against in pairs]
    corrected = dict(zip(flat, holm([found[key][against].p for key, against in flat]), strict=True))
    rows = [
        _row(row, run, {against: replace(one, p_many=corrected[id(row), against]) for against, one in found[id(row)].items()})
        for row, run in done
    ]
    return {
        "made": time.time(),
        "version": version("bowerbird"),
        "commits": sorted({row.commit for row, _ in done if row.commit} or {commit()}),
        "machine": machine(),
        "sitting": as_json(board),
        "encoders": sorted({run.encoder for _, run in done if run.encoder}),
        "llms": sorted({run.llm for _, run in done if run.llm}),
        "seeds": sorted({run.seed for _, run in done}),
        "versions": dict(done[0][1].versions) if done else {},
        "tests": len(flat),
        "rows": rows,
        "left_out": [
            {"line": row.line.name, "task": row.line.task, "kind": row.line.kind, "why": clean(row.why)} for row in board.rows if row.why
        ],
        "authority": list(authority),
        "curves": list(curves),
    }


def _pairs(row: Row, run: Run) -> dict[str, Comparison]:
    """Ours against the best plain retriever ("best") and against "none", as `compare` has it; nothing where too few cases allow it."""
    assert row.folder is not None
    paired = _paired(run)
    if paired is None or lacking(run):
        return {}
    found = beside(row.folder, row.folder, paired)
    best, spec = best_plain(run, paired), _ours(run)
    keys = {"best": (best or "", spec or ""), "none": ("none", spec or "")}
    return {name: found.pairs[key] for name, key in keys.items() if key in found.pairs}


def _ours(run: Run) -> str | None:
    return next((name for name in run.systems if name not in BASELINES), None)


def _names(run: Run) -> list[str]:
    """The measures that have values, the one of the table first."""
    named = [name for name in run.settings["measures"] if any(name in values for values in run.measures.values())]
    return sorted(named, key=lambda name: name != _MAIN.get(run.protocol))  # sorted keeps the order of equals


def _paired(run: Run) -> str | None:
    """The measure that cases are compared by: the first that is a mean over them."""
    return next((name for name in _names(run) if get(name).whole is None), None)


def _row(row: Row, run: Run, pairs: Mapping[str, Comparison]) -> Json:
    names, ours, paired, lacks = _names(run), _ours(run), _paired(run), lacking(run)
    main = names[0] if names else ""
    cells = {name: asdict(run.measures[name][main]) for name in run.systems if main in run.measures.get(name, {}) and not lacks}
    return {
        "kind": row.line.kind,
        "task": run.task,
        "protocol": run.protocol,
        "split": run.split,
        "budget_tokens": run.budget_tokens,
        "asked": row.line.limit,
        "cases": run.settings["cases"],
        "measure": main,
        "better": get(main).better if main else "neither",
        "ours": clean(ours) if ours else None,
        "cells": {"ours" if name == ours else name: value for name, value in cells.items()},
        "paired": paired,
        "best": best_plain(run, paired) if paired else None,
        "verdicts": {against: _verdict(one, paired or "") for against, one in pairs.items()},
        "no_result": f"these baselines are missing: {', '.join(lacks)}" if lacks else "",
        "open": [clean(text) for text in run.open],
        "left_out": [clean(text) for text in run.dropped],
        "seconds": round(row.seconds, 1),
        "overhead_seconds": run.overhead_seconds,
        "data_sha256": run.data_sha256,
        "seed": run.seed,
        "llm": run.llm,
        "folder": str(row.folder),
    }


def _verdict(found: Comparison, measure: str) -> Json:
    gain = found.difference.value * (-1 if get(measure).better == "lower" else 1)
    word = ("better" if gain > 0 else "worse") if found.decided else "undecided"
    seen = found.difference
    numbers = {"difference": seen.value, "low": seen.low, "high": seen.high, "n": seen.n, "p": found.p, "p_table": found.p_many}
    return {"word": word, **numbers, "needed": found.needed}
