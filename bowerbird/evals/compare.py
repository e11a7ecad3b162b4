"""Comparing systems item by item: intervals, a paired test, a correction for many comparisons, and how many items it would take.

Scores are numbers by item, as `Measure.items` gives them; it knows nothing of tasks or measures. All draws follow from a
seed, so the same scores give the same numbers. Sources: percentile bootstrap (Efron and Tibshirani 1993, chapter 13), paired
randomisation by flipping signs (Smucker, Allan and Carterette, CIKM 2007), Holm (1979).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bowerbird.errors import InvalidInput

__all__ = [
    "LEAST",
    "Comparison",
    "Interval",
    "compare",
    "compare_many",
    "compare_sets",
    "holm",
    "interval",
    "interval_of_set",
    "intervals",
    "intervals_of_set",
    "needed",
    "slices",
]

LEAST = 6
"""With fewer items a two-sided test of flipped signs cannot fall below 0.05 (two of 2**5 patterns are 0.0625)."""
RESAMPLES = 10_000
_EXACT = 13  # up to so many items every pattern of signs is taken: 2**13 is fewer than the draws
_CELLS = 4_000_000  # numbers held at once
_SLACK = 1e-12  # sums of the same numbers in another order differ by rounding

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean (or a value of a set) with its interval at `level` and the number of items it is of."""

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Comparison:
    """System B against system A on the same items.

    `difference` is B - A with its interval. `p`: chance of a difference at least as large, up or down, if the systems were
    alike; `p_many` is the same after the correction for all comparisons made together. `needed`: items that a difference of
    this size would need to be seen four times in five (None: there is no difference). `wins`, `ties`, `losses` of B.
    """

    a: float
    b: float
    difference: Interval
    p: float
    p_many: float
    needed: int | None
    wins: int
    ties: int
    losses: int

    @property
    def decided(self) -> bool:
        """Whether the corrected test rejects "alike" at 0.05 and the interval leaves out zero."""
        return self.p_many < 0.05 and not self.difference.low <= 0.0 <= self.difference.high

    def sentence(self, name_a: str = "A", name_b: str = "B") -> str:
        """The result in words."""
        seen, n = self.difference, self.difference.n
        which = (
            f"{name_b} is {abs(seen.value):.4g} {'above' if seen.value > 0 else 'below'} {name_a}"
            if seen.value
            else f"{name_b} equals {name_a}"
        )
        known = f"({seen.level:.0%} interval {seen.low:.4g} to {seen.high:.4g}, p = {self.p_many:.2g}, {n} items)"
        if self.decided:
            return f"{which} {known}."
        more = f" A difference of this size would need about {self.needed} items." if self.needed is not None and self.needed > n else ""
        return f"Undecided: {which} {known}.{more}"


def interval(scores: Mapping[str, float], seed: int = 0, resamples: int = RESAMPLES, level: float = 0.95) -> Interval:
    """The mean of one system's scores with its percentile bootstrap interval."""
    return intervals({"": scores}, seed, resamples, level)[""]


def intervals(
    scores: Mapping[str, Mapping[str, float]], seed: int = 0, resamples: int = RESAMPLES, level: float = 0.95
) -> dict[str, Interval]:
    """`interval` of several measures of one system at once: those that are of the same items share the draws, which gives the same
    numbers as one by one and costs little more than one."""
    alike: defaultdict[frozenset[str], list[str]] = defaultdict(list)
    for name, values in scores.items():
        alike[frozenset(values)].append(name)
    found = {}
    for names in alike.values():
        columns = np.stack([_checked(scores[name], "The system") for name in names], axis=1)
        ends = np.quantile(_means(columns, seed, resamples), [(1 - level) / 2, (1 + level) / 2], axis=0)
        for place, name in enumerate(names):
            low, high = map(float, ends[:, place])
            found[name] = Interval(float(columns[:, place].mean()), low, high, len(columns), level)
    return {name: found[name] for name in scores}


def compare(a: Mapping[str, float], b: Mapping[str, float], seed: int = 0, resamples: int = RESAMPLES, level: float = 0.95) -> Comparison:
    """B against A, paired by item. Raises `InvalidInput` for NaN, different items, and fewer than `LEAST` items."""
    first, second = _checked(a, "System A"), _checked(b, "System B")
    if a.keys() != b.keys():
        only_a, only_b = sorted(a.keys() - b.keys()), sorted(b.keys() - a.keys())
        named = ", ".join(repr(item) for item in (*only_a[:3], *only_b[:3]))
        raise InvalidInput(
            f"Systems are compared on the same items only: {len(only_a)} are in A alone and {len(only_b)} in B alone ({named}). "
            "Run both on the same split with the same limit."
        )
    differences = second - first
    low, high = _percentiles(_means(differences[:, None], seed, resamples)[:, 0], level)
    p = _flipped(differences, seed, resamples)
    return Comparison(
        float(first.mean()),
        float(second.mean()),
        Interval(float(differences.mean()), low, high, len(differences), level),
        p,
        p,
        needed(differences, level),
        int((differences > 0).sum()),
        int((differences == 0).sum()),
        int((differences < 0).sum()),
    )


def compare_many(
    a: Mapping[str, float], others: Mapping[str, Mapping[str, float]], seed: int = 0, resamples: int = RESAMPLES, level: float = 0.95
) -> dict[str, Comparison]:
    """Every other system against A, `p_many` corrected for their number (Holm). The intervals stay those of single comparisons."""
    made = {name: compare(a, scores, seed, resamples, level) for name, scores in others.items()}
    return {
        name: replace(found, p_many=p) for (name, found), p in zip(made.items(), holm([found.p for found in made.values()]), strict=True)
    }


def slices(
    a: Mapping[str, float], b: Mapping[str, float], category: Mapping[str, str], seed: int = 0, resamples: int = RESAMPLES
) -> tuple[dict[str, Comparison], dict[str, int]]:
    """B against A within each category, corrected for their number; and the categories too small to say anything of, with their sizes."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    for item in a:
        if item not in category:
            raise InvalidInput(f"Item {item!r} has no category.")
        members[category[item]].append(item)
    absent = next((item for item in a if item not in b), None)
    if absent is not None:
        raise InvalidInput(f"Systems are compared on the same items only: {absent!r} is in A alone.")
    large = {name: items for name, items in sorted(members.items()) if len(items) >= LEAST}
    made = {
        name: compare({item: a[item] for item in items}, {item: b[item] for item in items}, seed, resamples)
        for name, items in large.items()
    }
    corrected = holm([found.p for found in made.values()])
    found = {name: replace(one, p_many=p) for (name, one), p in zip(made.items(), corrected, strict=True)}
    return found, {name: len(items) for name, items in sorted(members.items()) if len(items) < LEAST}


def holm(ps: Sequence[float]) -> list[float]:
    """Each p after Holm's correction, in the order given: the i-th smallest of m times (m - i), never below the one before."""
    if any(not 0.0 <= p <= 1.0 for p in ps):
        raise InvalidInput(f"Holm's correction takes chances between 0 and 1; got {[p for p in ps if not 0.0 <= p <= 1.0][:3]}.")
    corrected, least = [0.0] * len(ps), 0.0
    for done, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        least = max(least, min(1.0, (len(ps) - done) * ps[place]))
        corrected[place] = least
    return corrected


def needed(differences: Sequence[float] | _Floats, level: float = 0.95, power: float = 0.8) -> int | None:
    """Items at which a paired test at 1 - `level` sees a difference of this mean and spread with chance `power`.

    Normal approximation: ((z(1 - alpha/2) + z(power)) * spread / mean) ** 2. None where the mean is 0. The mean is itself
    a draw: for a difference that is not clear the true number may be several times as large or small.
    """
    values = np.asarray(differences, dtype=np.float64)
    mean = float(values.mean())
    if mean == 0.0 or len(values) < 2:
        return None
    normal = NormalDist()
    reach = normal.inv_cdf(1 - (1 - level) / 2) + normal.inv_cdf(power)
    count = (reach * float(values.std(ddof=1)) / mean) ** 2
    return None if math.isinf(count) else max(LEAST, math.ceil(count))


def interval_of_set(
    value: Callable[[NDArray[np.int64]], float], n: int, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> Interval:
    """The value of a set of n items (AUC, APGR, a percentile) with its interval; `value` gets the places of the drawn items.

    Costs `resamples` + 1 calls. A draw in which the value does not exist (one class only) is left out; more than one in ten
    such draws raise `InvalidInput`.
    """
    found = intervals_of_set(value, {"": float}, n, seed, resamples, level)[""]
    if isinstance(found, InvalidInput):
        raise found
    return found


def intervals_of_set(
    value: Callable[[NDArray[np.int64]], Any],
    reads: Mapping[str, Callable[[Any], float]],
    n: int,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> dict[str, Interval | InvalidInput]:
    """`interval_of_set` of several numbers that are read off one value (APGR and CPT off one curve): each draw is made once for all
    of them, which gives the same as one by one. In the place of a number that has no interval stands the error that says why."""
    _enough(n, "The system")
    drawn: dict[str, list[float]] = {name: [] for name in reads}
    missing: dict[str, Counter[str]] = {name: Counter() for name in reads}

    def told(places: NDArray[np.int64]) -> Iterator[tuple[str, float | InvalidInput]]:
        try:
            whole = value(places)
        except InvalidInput as error:
            yield from ((name, error) for name in reads)
            return
        for name, read in reads.items():
            try:
                yield name, read(whole)
            except InvalidInput as error:
                yield name, error

    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        for name, one in told(rng.integers(0, n, n)):
            if isinstance(one, InvalidInput):
                missing[name][str(one)] += 1
            else:
                drawn[name].append(one)
    found: dict[str, Interval | InvalidInput] = {}
    for name, one in told(np.arange(n)):
        if missing[name].total() > resamples / 10:
            why = missing[name].most_common(1)[0][0]
            found[name] = InvalidInput(f"{missing[name].total()} of {resamples} draws of {n} items have no value: {why}")
        elif isinstance(one, InvalidInput):
            found[name] = one
        else:
            found[name] = Interval(float(one), *_percentiles(np.array(drawn[name], dtype=np.float64), level), n, level)
    return found


def compare_sets(
    a: Callable[[NDArray[np.int64]], float],
    b: Callable[[NDArray[np.int64]], float],
    n: int,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """B - A for values of a set, both on the same drawn items. There is no item to flip, so the interval is all there is to judge by."""
    return interval_of_set(lambda places: b(places) - a(places), n, seed, resamples, level)


def _checked(scores: Mapping[str, float], who: str) -> _Floats:
    """The scores by item name, so that the order they came in changes nothing."""
    _enough(len(scores), who)
    values = np.array([scores[item] for item in sorted(scores)], dtype=np.float64)
    if not np.isfinite(values).all():
        bad = [item for item in sorted(scores) if not math.isfinite(scores[item])]
        raise InvalidInput(f"{who} has no finite score for {len(bad)} of {len(values)} items, among them {bad[0]!r}: no mean can be given.")
    return values


def _enough(n: int, who: str) -> None:
    if n == 0:
        raise InvalidInput(f"{who} has no scored item: an empty run yields no number.")
    if n < LEAST:
        raise InvalidInput(
            f"{who} has {n} scored {'item' if n == 1 else 'items'}; {LEAST} is the least that an interval or a test can be given for."
        )


def _rows(resamples: int, n: int) -> Iterator[int]:
    """Sizes of the blocks in which the draws are made."""
    block = max(1, _CELLS // n)
    for start in range(0, resamples, block):
        yield min(block, resamples - start)


def _means(values: _Floats, seed: int, resamples: int) -> _Floats:
    """(resamples, columns) means of draws with replacement of the rows of (n, columns); a row is drawn for all columns together."""
    rng, n = np.random.default_rng(seed), len(values)
    made = []
    for rows in _rows(resamples, n):
        places = rng.integers(0, n, (rows, n), dtype=np.int32) + np.arange(rows)[:, None] * n
        often = np.bincount(places.ravel(), minlength=rows * n).reshape(rows, n)
        made.append(often.astype(np.float64) @ values / n)
    return np.concatenate(made)


def _percentiles(found: _Floats, level: float) -> tuple[float, float]:
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _flipped(differences: _Floats, seed: int, resamples: int) -> float:
    """Share of the patterns of signs whose sum is at least as far from 0 as the one seen."""
    n, seen = len(differences), abs(float(differences.sum())) - _SLACK * (1.0 + float(np.abs(differences).sum()))
    if n <= _EXACT:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float((np.abs(signs @ differences) >= seen).mean())
    rng = np.random.default_rng(seed)
    total = float(differences.sum())
    count = 0
    for rows in _rows(resamples, n):
        bits = np.unpackbits(rng.integers(0, 256, (rows, (n + 7) // 8), dtype=np.uint8), axis=1, count=n)
        count += int((np.abs(total - 2.0 * (bits @ differences)) >= seen).sum())
    return (count + 1) / (resamples + 1)  # the pattern that was seen is one of them
