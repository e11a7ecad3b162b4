"""Runs a finished run again and says what differs: versions, data, numbers, cases. Comparing two runs on disk needs no run at all.

It knows run folders and the runner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.evals.bench import OpenBench, Progress
from bowerbird.evals.compare import LEAST, Comparison, compare, holm
from bowerbird.evals.digest import OPPONENTS
from bowerbird.evals.measure import get
from bowerbird.evals.results import BASELINES, Item, Run, item_file, read_items
from bowerbird.evals.run import Options, run_task
from bowerbird.evals.task import Task
from bowerbird.ports import LLM, Encoder

__all__ = ["Again", "Beside", "beside", "best_plain", "rerun"]

_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Again:
    """What came of running again. `same`: every number and every case is; `differs` says what is not, `parts` which versions are not."""

    folder: Path
    run: Run
    same: bool
    differs: tuple[str, ...]
    parts: tuple[str, ...]


def rerun(
    folder: Path,
    task: Task,
    open_bench: OpenBench,
    *,
    encoder: Encoder | None,
    llm: LLM | None,
    out: Path,
    cache: Path | None = None,
    data: Path | None = None,
    progress: Progress | None = None,
) -> Again:
    """Run what `folder` holds again, into `out`; answers of the model come from the cache of calls where it has them.

    Data that changed, another encoder and another model are said before anything runs (`InvalidInput`): their numbers would
    be others. Other versions of packages are reported beside the result.
    """
    old = Run.load(folder)
    found = task.data(data).sha256
    said = [
        f"{what} was {before}, now it is {now}"
        for what, before, now in (
            ("the data", old.data_sha256, found),
            ("the encoder", old.encoder, encoder.id if encoder else None),
            ("the model", old.llm, llm.name if llm and old.llm else None),
        )
        if before != now
    ]
    if said:
        raise InvalidInput(f"{folder} cannot be run again as it was: {'; '.join(said)}.")
    kept = {name: read_items(item_file(folder, name)) for name in old.systems}
    given = old.settings
    counts = None if old.complete else {name: len(items) for name, items in kept.items()}
    options = Options(old.split, old.protocol, old.limit, old.seed, old.budget_tokens, None, counts, given.get("named", ""))
    fresh, run = run_task(
        task, given["specs"], open_bench, encoder=encoder, llm=llm, options=options, out=out, cache=cache, data=data, progress=progress
    )
    differs = [*_numbers(old, run), *_cases(kept, {name: read_items(item_file(fresh, name)) for name in run.systems})]
    names = sorted({*old.versions, *run.versions})
    parts = [
        f"{name} was {old.versions.get(name, 'absent')}, now it is {run.versions.get(name, 'absent')}"
        for name in names
        if old.versions.get(name) != run.versions.get(name)
    ]
    return Again(fresh, run, not differs, tuple(differs), tuple(parts))


def _numbers(old: Run, new: Run) -> list[str]:
    said = []
    for system in dict.fromkeys((*old.measures, *new.measures)):
        before, now = old.measures.get(system, {}), new.measures.get(system, {})
        for name in dict.fromkeys((*before, *now)):
            a, b = before.get(name), now.get(name)
            if a is None or b is None:
                said.append(f"{name} of {system} is {'new' if a is None else 'gone'}")
            elif (
                not all(math.isclose(x, y, abs_tol=_EQUAL) for x, y in ((a.value, b.value), (a.low, b.low), (a.high, b.high))) or a.n != b.n
            ):
                said.append(f"{name} of {system} was {a.value:.6f} over {a.n} cases, now it is {b.value:.6f} over {b.n}")
    return said


def _cases(old: Mapping[str, Sequence[Item]], new: Mapping[str, Sequence[Item]]) -> list[str]:
    said = []
    for system, before in old.items():
        now = new.get(system, ())
        changed = [a.id for a, b in zip(before, now, strict=False) if (a.id, a.hits, a.answer) != (b.id, b.hits, b.answer)]
        if changed or len(before) != len(now):
            said.append(f"{system}: {len(changed)} of {len(before)} cases came out otherwise{_few(changed)}; now there are {len(now)}")
    return said


def _few(names: Sequence[str]) -> str:
    return f" ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})" if names else ""


@dataclass(frozen=True, slots=True)
class Beside:
    """Systems of two runs by one measure over the cases that both have: (system of A, system of B) → comparison. `notes`: what to mind."""

    measure: str
    cases: int
    pairs: Mapping[tuple[str, str], Comparison]
    notes: tuple[str, ...] = ()


def beside(a: Path, b: Path, measure: str = "", seed: int = 0) -> Beside:
    """The specs of run B, and its baselines, against those of run A of the same name, paired by case; B's specs against A's best one
    where the names differ. Nothing is computed anew but the comparison. `measure`: the first that is a mean over cases.

    With A and B the same folder: its specs against its best plain retriever and against no augmentation.
    """
    first, second = Run.load(a), Run.load(b)
    if (first.task, first.split, first.protocol) != (second.task, second.split, second.protocol):
        raise InvalidInput(f"{a} is {_what(first)} and {b} is {_what(second)}: numbers of different tasks are not compared.")
    notes = [f"the {what} differ" for what, x, y in _differing(first, second) if x != y]
    left = {name: read_items(item_file(a, name)) for name in first.systems}
    right = {name: read_items(item_file(b, name)) for name in second.systems}
    known = list(dict.fromkeys(name for items in left.values() for item in items for name in item.measures))
    if measure and measure not in known:
        raise UnknownName("measure of these items", measure, known)
    name = measure or next((name for name in first.settings.get("measures", known) if name in known), "")
    if not name:
        raise InvalidInput(f"{a} has no measure that is a mean over cases, so its cases cannot be paired.")
    pairs = {}
    for system, other in _matched(first, second, a == b, name):
        one = {item.id: item.measures[name] for item in left[system] if name in item.measures}
        two = {item.id: item.measures[name] for item in right[other] if name in item.measures}
        shared = one.keys() & two.keys()
        if len(shared) < LEAST:
            notes.append(f"{system} and {other} share {len(shared)} cases: too few to compare")
            continue
        pairs[system, other] = ({key: one[key] for key in shared}, {key: two[key] for key in shared})
    done = {pair: compare(one, two, seed) for pair, (one, two) in pairs.items()}
    return Beside(name, max((len(one) for one, _ in pairs.values()), default=0), _together(done), tuple(notes))


def _together(found: Mapping[tuple[str, str], Comparison]) -> dict[tuple[str, str], Comparison]:
    """Corrected for their number."""
    ps = holm([one.p for one in found.values()])
    return {pair: replace(one, p_many=p) for (pair, one), p in zip(found.items(), ps, strict=True)}


def best_plain(run: Run, measure: str) -> str | None:
    """The plain retriever that does best by a measure; None where none has it."""
    known = [name for name in OPPONENTS if measure in run.measures.get(name, {})]
    sign = -1 if get(measure).better == "lower" else 1
    return max(known, key=lambda name: sign * run.measures[name][measure].value, default=None)


def _matched(a: Run, b: Run, same: bool, measure: str) -> list[tuple[str, str]]:
    specs_a, specs_b = ([name for name in run.systems if name not in BASELINES] for run in (a, b))
    if same:
        against = [name for name in (best_plain(a, measure), "none") if name is not None and name in a.systems]
        return [(name, spec) for spec in specs_a for name in against]
    shared = [name for name in b.systems if name in a.systems]
    alone = [name for name in specs_b if name not in a.systems]
    from_a = [name for name in specs_a if name not in b.systems] or specs_a
    return [*((name, name) for name in shared), *((old, new) for new in alone for old in from_a)]


def _what(run: Run) -> str:
    return f"{run.task} ({run.split}, {run.protocol})"


def _differing(a: Run, b: Run) -> list[tuple[str, object, object]]:
    return [
        ("data", a.data_sha256, b.data_sha256),
        ("versions", dict(a.versions), dict(b.versions)),
        ("encoders", a.encoder, b.encoder),
        ("models", a.llm, b.llm),
        ("token budgets", a.budget_tokens, b.budget_tokens),
    ]
