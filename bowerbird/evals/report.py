"""Reports: runs, stress tests and trained components as one HTML page, and the same content as JSON and as Markdown.

It reads what runs and training left behind and computes comparisons; it runs nothing. Queries, records and answers in it are anybody's
text: all of them are shown as text.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bowerbird.errors import InvalidInput, NotFound
from bowerbird.evals.digest import digest
from bowerbird.evals.hardships import TESTS
from bowerbird.evals.page.html import page
from bowerbird.evals.page.markdown import text
from bowerbird.evals.page.text import clean, cut
from bowerbird.evals.results import Run
from bowerbird.evals.stress import Stress

__all__ = ["gather", "write_report"]

_CARD = "card.json"
_TOLD = (
    "component",
    "parent",
    "scope",
    "ledger_upto",
    "seed",
    "encoder",
    "options",
    "groups",
    "sources",
    "data_sha256",
    "verdict",
    "curve",
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def write_report(run_dirs: Sequence[str | Path], out: str | Path, title: str = "Bowerbird evaluation") -> tuple[Path, Path, Path]:
    """Write `out` (`report.html`) and beside it the same as `.json` and `.md`; their three paths.

    `run_dirs`: folders of runs, of stress tests and of trained components, in the order of the page; a folder that holds such folders
    (for components a bower's `artifacts`) stands for all of them. Raises `NotFound` for a folder without any, and `InvalidInput` where
    one is damaged or holds no results.
    """
    report = gather(run_dirs, title)
    target = Path(out)
    target = target if target.suffix == ".html" else target.with_name(f"{target.name}.html")
    target.parent.mkdir(parents=True, exist_ok=True)
    made = (target, target.with_suffix(".json"), target.with_suffix(".md"))
    said = (page(report), json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False), text(report))
    for path, content in zip(made, said, strict=True):
        fresh = path.with_name(path.name + ".part")
        fresh.write_text(content, "utf-8")
        os.replace(fresh, path)
    return made


def gather(run_dirs: Sequence[str | Path], title: str = "Bowerbird evaluation") -> dict[str, Any]:
    """The content of a report as JSON values: `runs`, `stress`, `learned`, `curves` over token budgets, and a letter for each spec."""
    folders = [found for given in run_dirs for found in _folders(Path(given))]
    named = {Path(given) for given in run_dirs}
    # Below a folder of runs one that was only begun is passed over and named; named itself, it is an error.
    begun = [one for one in folders if one not in named and (one / "run.json").exists() and not Run.load(one).measures]
    folders = [one for one in folders if one not in begun]
    runs = [digest(folder) for folder in folders if (folder / "run.json").exists()]
    stresses = [_stress(folder, place) for place, folder in enumerate(folders) if (folder / "stress.json").exists()]
    if not folders:
        raise InvalidInput("A report needs at least one folder of a run: bowerbird eval report runs/scifact-test-1a2b3c4d")
    specs = [s["name"] for run in runs for s in run["systems"] if not s["baseline"]] + [one["spec"] for one in stresses]
    return {
        "title": clean(title),
        "made": time.time(),
        "version": version("bowerbird"),
        "labels": {name: _letter(place) for place, name in enumerate(dict.fromkeys(specs))},
        "begun": [clean(str(one)) for one in begun],
        "runs": runs,
        "curves": _curves(runs),
        "stress": stresses,
        "learned": [_learned(folder, place) for place, folder in enumerate(folders) if (folder / _CARD).exists()],
    }


def _folders(folder: Path) -> list[Path]:
    names = ("run.json", "stress.json", _CARD)
    if any((folder / name).exists() for name in names):
        return [folder]
    found = {path.parent for pattern in (*(f"*/{name}" for name in names), f"*/*/{_CARD}") for path in folder.glob(pattern)}
    below = [one for one in found if not one.name.startswith(".")]  # a component that was never kept to the end
    if not below:
        raise NotFound(
            f"{folder} is no folder of a run, a stress test or a trained component, and holds none: "
            f"neither run.json nor stress.json nor {_CARD} is there."
        )
    return sorted(below, key=lambda one: (one.parent, int(one.name) if one.name.isdigit() else 0, one.name))


def _letter(place: int) -> str:
    return _LETTERS[place] if place < len(_LETTERS) else f"{_LETTERS[place % 26]}{place // 26}"


def _stress(folder: Path, place: int) -> dict[str, Any]:
    held = Stress.load(folder)
    plain = asdict(held)
    plain["examples"] = [{name: clean(cut(value, 5000)) for name, value in example.items()} for example in plain["examples"]]
    return {
        **plain,
        "anchor": f"stress-{place}",
        "folder": clean(str(folder)),
        "spec": clean(held.spec),
        "left": [clean(line) for line in held.left],
        "broken": [asdict(row) for row in held.broken],
        "tests": {name: TESTS[name][0] if name in TESTS else name for name in dict.fromkeys(row.test for row in held.rows)},
        "rerun": f"bowerbird eval stress {_quoted(clean(held.spec))} --seed {held.seed} --questions {held.questions}",
    }


def _learned(folder: Path, place: int) -> dict[str, Any]:
    try:
        card = json.loads((folder / _CARD).read_text("utf-8"))
        absent = [name for name in _TOLD if name not in card]
        if absent or not {"publish", "why", "kinds", "mean"} <= card["verdict"].keys():
            raise InvalidInput(f"it lacks {', '.join(absent) or 'a whole verdict'}")
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{folder / _CARD} is no card of a trained component: {error}.") from error
    name = f"{card['component']}@{folder.name}" if folder.name.isdigit() else card["component"]
    plain: dict[str, Any] = _cleaned({**card, "name": name, "folder": str(folder)})
    return {**plain, "anchor": f"learned-{place}"}


def _cleaned(value: Any) -> Any:
    """JSON values whose every text is `clean`."""
    if isinstance(value, dict):
        return {clean(name): _cleaned(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    return clean(value) if isinstance(value, str) else value


def _quoted(spec: str) -> str:
    return "'" + spec.replace("'", "'\\''") + "'"


def _curves(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The main measure against the token budget, for each question that was asked under several."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for run in runs:
        same = tuple(run[name] for name in ("task", "split", "protocol", "encoder", "llm", "limit", "seed", "data_sha256", "main"))
        groups.setdefault(same, []).append(run)
    curves: list[dict[str, Any]] = []
    for members in groups.values():
        if len({run["budget_tokens"] for run in members}) < 2:
            continue
        main, points = members[0]["main"], dict[str, dict[int, dict[str, Any]]]()
        for run in members:
            for system in run["systems"]:
                if main in system["measures"]:
                    m = system["measures"][main]
                    point = {"budget": run["budget_tokens"], **{name: m[name] for name in ("value", "low", "high", "n")}}
                    points.setdefault(system["name"], {})[run["budget_tokens"]] = point
        curves.append(
            {
                "anchor": f"budgets-{len(curves)}",
                "task": members[0]["task"],
                "measure": main,
                "systems": [{"name": name, "points": [by[b] for b in sorted(by)]} for name, by in points.items()],
            }
        )
    return curves
