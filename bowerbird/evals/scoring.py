"""From results to numbers: which measures a protocol takes, their value for a case, and over all cases with an interval.

It knows measures by their declaration and no formula. A measure that has no value here is named with the reason, not given.
"""

from __future__ import annotations

from collections.abc import Sequence

from bowerbird.errors import InvalidInput
from bowerbird.evals.compare import LEAST, interval, interval_of_set, intervals
from bowerbird.evals.measure import Measure, Pool, Result, get
from bowerbird.evals.metrics import TABLE
from bowerbird.evals.results import Estimate, Item
from bowerbird.evals.task import Case

__all__ = ["estimates", "family", "of_case", "result_of", "taken"]

_RESAMPLES = 1000


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
    found = {}
    for name in names:
        measure = get(name)
        if measure.item is not None and _says(name, case, result):
            found[name] = measure.of_case(case, result, pool or Pool())
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
    told = intervals({name: values for name, values in means.items() if len(values) >= LEAST}, seed, _RESAMPLES)
    for name in names:
        try:
            if get(name).whole is not None:
                found[name] = _whole(get(name), cases, items, pool, seed)
            else:
                one = told[name] if name in told else interval(means[name], seed, _RESAMPLES)  # which says why there is none
                found[name] = Estimate(one.value, one.low, one.high, one.n)
        except InvalidInput as error:
            missing.append(f"{name}: {error}")
    return found, missing


def _whole(measure: Measure, cases: Sequence[Case], items: Sequence[Item], pool: Pool | None, seed: int) -> Estimate:
    value = measure.of_places(cases, [result_of(item) for item in items], pool)
    found = interval_of_set(value, len(cases), seed, _RESAMPLES)
    low, high = found.low, found.high
    if not low <= found.value <= high:  # resamples repeat cases, which a count of different things (coverage) takes for fewer
        off = found.value - (low + high) / 2
        low, high = low + off, high + off
    return Estimate(found.value, low, high, found.n)
