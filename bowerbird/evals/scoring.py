"""From results to numbers: which measures a protocol takes, their value for a case, and over all cases with an interval.

It knows measures by their declaration and no formula. A measure that has no value here is named with the reason, not given.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from bowerbird.errors import InvalidInput
from bowerbird.evals.compare import LEAST, Interval, interval, intervals, intervals_of_set
from bowerbird.evals.measure import Pool, Result, Whole, get
from bowerbird.evals.metrics import TABLE
from bowerbird.evals.results import Estimate, Item
from bowerbird.evals.task import Case
from bowerbird.types import replace

__all__ = ["estimates", "family", "of_case", "result_of", "taken"]

_RESAMPLES = 1000


@functools.cache
def family(name: str) -> str:
    """The file of `metrics/` that a measure stands in: ranking, answers, classification and so on."""
    base = name.partition("@")[0]
    get(name)  # an unknown one raises with the nearest
    return TABLE[base].partition(":")[0].rpartition(".")[2]


def taken(names: Sequence[str], families: Sequence[str]) -> tuple[str, ...]:
    """Those of a task's measures that a protocol can take, in the task's order."""
    return tuple(name for name in names if family(name) in families)


def of_case(names: Sequence[str], case: Case, result: Result, pool: Pool | None) -> dict[str, float]:
    """The value of each measure that is a mean over cases and says something of this one."""
    found: dict[str, float] = {}
    seen: dict[Callable[..., Any], Any] = {}  # what several measures are read off, once
    for name in names:
        measure = get(name)
        if measure.item is not None and _says(name, case, result):
            if measure.item not in seen:
                seen[measure.item] = measure.item(case, result, pool or Pool())
            found[name] = measure.told(case, seen[measure.item])
    return found


def _says(name: str, case: Case, result: Result) -> bool:
    """A ranking is judged where something is gold, a text where something is accepted, what is shown where something is."""
    kind = family(name)
    if kind == "ranking":
        return any(grade > 0 for grade in case.gold.values())
    if kind == "recommendation":
        return bool(result.keys)
    return bool(case.answers) if kind in ("answers", "overlap", "classification") else True


def result_of(item: Item) -> Result:
    """An item read back, as the measures take it. Of the hits the first hundred are kept."""
    facts = item.facts
    return Result(
        case=item.id,
        keys=item.hits,
        output=item.answer,
        score=facts.get("score"),
        confidence=facts.get("confidence"),
        nll=facts.get("nll"),
        scored=facts.get("scored", 0),
        prompt_tokens=item.prompt_tokens,
        completion_tokens=item.completion_tokens,
        cost=item.dollars,
        seconds=item.stages,
    )


def estimates(
    names: Sequence[str], cases: Sequence[Case], items: Sequence[Item], pool: Pool | None, seed: int
) -> tuple[dict[str, Estimate], list[str]]:
    """Each measure over the cases with its 95 % interval, and why one has no value.

    Intervals are those of `compare.py`: percentile bootstrap over cases, 1,000 resamples.
    """
    found: dict[str, Estimate] = {}
    missing: list[str] = []
    means = {name: {item.id: item.measures[name] for item in items if name in item.measures} for name in names if get(name).whole is None}
    told: dict[str, Interval | InvalidInput] = {
        **intervals({name: values for name, values in means.items() if len(values) >= LEAST}, seed, _RESAMPLES),
        **_of_sets([name for name in names if name not in means], cases, items, pool, seed),
    }
    for name in names:
        try:
            one = told[name] if name in told else interval(means[name], seed, _RESAMPLES)  # which says why there is none
            if isinstance(one, InvalidInput):
                raise one
            found[name] = Estimate(one.value, one.low, one.high, one.n)
        except InvalidInput as error:
            missing.append(f"{name}: {error}")
    return found, missing


def _of_sets(
    names: Sequence[str], cases: Sequence[Case], items: Sequence[Item], pool: Pool | None, seed: int
) -> dict[str, Interval | InvalidInput]:
    """Measures of the whole set; those that are read off the same thing share its draws."""
    alike: defaultdict[Whole | None, list[str]] = defaultdict(list)
    for name in names:
        alike[get(name).whole].append(name)
    results = [result_of(item) for item in items] if names else []
    told: dict[str, Interval | InvalidInput] = {}
    for group in alike.values():
        try:
            drawn = get(group[0]).drawn(cases, results, pool)
            told |= intervals_of_set(drawn, {name: get(name).read for name in group}, len(cases), seed, _RESAMPLES)
        except InvalidInput as error:
            told |= dict.fromkeys(group, error)
    return {name: _around(one) if isinstance(one, Interval) else one for name, one in told.items()}


def _around(found: Interval) -> Interval:
    """The interval, moved to hold its value: resamples repeat cases, which a count of different things (coverage) takes for fewer."""
    off = 0.0 if found.low <= found.value <= found.high else found.value - (found.low + found.high) / 2
    return replace(found, low=found.low + off, high=found.high + off)
