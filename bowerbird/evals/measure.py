"""What a measure is: a declared name with a direction, a range and a value for each case. Knows no formula.

A name is a base and, after an `@`, an argument: `nDCG@10`, `CPT@80`, `p95@retrieve`, `EM`. It parses back: `get(name).name`
is the name again. The bases are in the table of `metrics/`. Most measures are a mean over cases, which lets two systems be
compared case by case (`item`); a few are a property of the whole set, such as AUC or a percentile (`item` is None).
"""

from __future__ import annotations

import functools
import importlib
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.evals.metrics import TABLE
from bowerbird.evals.task import Case
from bowerbird.types import Record

__all__ = ["Better", "Drawn", "Measure", "OfPlaces", "Places", "Pool", "Result", "Statement", "Whole", "bare", "cutoff", "get"]

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of an answer and what a support function said of its citations (see `metrics/citations.py`).

    `together`: all cited texts as one bear it out. `alone[i]`: citation i does by itself. `without[i]`: the others do.
    """

    text: str
    together: bool = False
    alone: tuple[bool, ...] = ()
    without: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What one system did with one case.

    `keys`: record keys as ranked, best first. `output`: the answer, the choice or the chosen model. `score`: its number
    for the case: for the first of the choices (AUC), for the stronger model (routing), or a judge's mark (Spearman).
    `confidence` in [0, 1]: that the output is right. `flips`: whether another order of what was compared would have turned the
    choice around. `nll` and `scored`: negative log-likelihood (nats) and number of the gold tokens. `cost` in dollars. `seconds`
    by stage.
    """

    case: str
    keys: tuple[str, ...] = ()
    output: str = ""
    score: float | None = None
    confidence: float | None = None
    flips: bool | None = None
    statements: tuple[Statement, ...] = ()
    nll: float | None = None
    scored: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pool:
    """What a ranking was drawn from, for measures of recommendation: popularity by key, and all popularities in order."""

    popularity: Mapping[str, float] = field(default_factory=dict)
    ordered: tuple[float, ...] = ()

    @classmethod
    def of(cls, records: Iterable[Record]) -> Pool:
        """The pool of these records; one without a `popularity` counts as 0."""
        popularity = {record.key: float(record.fields.get("popularity", 0.0)) for record in records}
        return cls(popularity, tuple(sorted(popularity.values())))

    def percentile(self, key: str) -> float:
        """The share of the pool that is less popular than `key`, those as popular counted half."""
        value = self.popularity[key]
        return (bisect_left(self.ordered, value) + bisect_right(self.ordered, value)) / 2 / len(self.ordered)


Item = Callable[[Case, Result, Pool], Any]
Places = NDArray[np.int64]
OfPlaces = Callable[[Places], float]
Drawn = Callable[[Places], Any]
Whole = Callable[[Sequence[Case], Sequence[Result], Pool], Drawn]


@dataclass(frozen=True, slots=True)
class Measure:
    """A declared measure. Exactly one of `item` (its value for a case) and `whole` is given.

    `whole` reads all cases once and gives a function of places: the value of the set that these places draw, a place as
    often as it is drawn. So a set can be resampled a thousand times without reading it again. Where a value is no number but,
    say, a curve, `read` makes one of it: what several measures are read off is computed once for all with the same `item` or `whole`.
    """

    name: str
    about: str
    item: Item | None = None
    whole: Whole | None = None
    read: Callable[[Any], float] = float
    better: Better = "higher"
    low: float = 0.0
    high: float = 1.0

    def items(self, cases: Sequence[Case], results: Sequence[Result], pool: Pool | None = None) -> list[float]:
        """The value of each case, in order. Raises `InvalidInput` where there is none, never a NaN."""
        if self.item is None:
            raise InvalidInput(
                f"{self.name} is a property of the whole set, not a mean over cases: ask for its value and resample the cases."
            )
        _paired(self.name, cases, results)
        return [self.of_case(case, result, pool or Pool()) for case, result in zip(cases, results, strict=True)]

    def of_case(self, case: Case, result: Result, pool: Pool) -> float:
        """The value of one case. Raises `InvalidInput` where there is none, never a NaN."""
        if self.item is None:
            raise InvalidInput(f"{self.name} is a property of the whole set, not a mean over cases: no case has a value of it.")
        return self.told(case, self.item(case, result, pool))

    def told(self, case: Case, found: Any) -> float:
        """`of_case` of what `item` found of that case."""
        value = float(self.read(found))
        if math.isnan(value):
            raise InvalidInput(f"{self.name} of case {case.id!r} is not a number.")
        return value

    def value(self, cases: Sequence[Case], results: Sequence[Result], pool: Pool | None = None) -> float:
        """The mean over the cases, or the value of the set. Raises `InvalidInput` for an empty set, never gives a NaN."""
        if self.whole is None:
            values = self.items(cases, results, pool)
            return math.fsum(values) / len(values)
        value = float(self.of_places(cases, results, pool)(np.arange(len(cases))))
        if math.isnan(value):
            raise InvalidInput(f"{self.name} of these {len(cases)} cases is not a number.")
        return value

    def of_places(self, cases: Sequence[Case], results: Sequence[Result], pool: Pool | None = None) -> OfPlaces:
        """The value of any draw of these cases, for `compare.interval_of_set` and `compare.compare_sets`."""
        if self.whole is None:
            values = np.array(self.items(cases, results, pool))
            return lambda places: float(values[places].mean())
        drawn = self.drawn(cases, results, pool)
        return lambda places: self.read(drawn(places))

    def drawn(self, cases: Sequence[Case], results: Sequence[Result], pool: Pool | None = None) -> Drawn:
        """What `read` takes, of any draw of these cases, for `compare.intervals_of_set`; of measures of a whole set alone."""
        if self.whole is None:
            raise InvalidInput(f"{self.name} is a mean over cases, not a property of the whole set: it is resampled by its values.")
        _paired(self.name, cases, results)
        return self.whole(cases, results, pool or Pool())


@functools.cache  # a run asks for the same few once a case
def get(name: str) -> Measure:
    """The measure of that name. Raises `UnknownName` with the nearest, `InvalidInput` for an argument it does not take."""
    base, _, argument = name.partition("@")
    if base not in TABLE:
        raise UnknownName("measure", base, TABLE)
    module, _, function = TABLE[base].partition(":")
    make: Callable[[str], Measure] = getattr(importlib.import_module(module), function)
    measure = make(argument)
    if measure.name != name:
        raise InvalidInput(f"Measure {name!r} is written {measure.name!r}.")
    return measure


def cutoff(base: str, argument: str, optional: bool = False) -> int | None:
    """The whole number after the @, at least 1; None where it may be left out and is."""
    if not argument and optional:
        return None
    if not argument.isdecimal() or int(argument) < 1:
        given = f"{base}@{argument}" if argument else base
        raise InvalidInput(f"{given!r} needs a whole number after the @, at least 1, as in {base}@10.")
    return int(argument)


def bare(name: str, argument: str) -> None:
    """Refuses an argument of a measure that takes none."""
    if argument:
        raise InvalidInput(f"{name} takes nothing after an @; got {argument!r}.")


def _paired(name: str, cases: Sequence[Case], results: Sequence[Result]) -> None:
    if not cases:
        raise InvalidInput(f"{name} of no cases at all is no number: the set is empty.")
    if len(cases) != len(results):
        raise InvalidInput(f"{name} needs one result a case: there are {len(cases)} cases and {len(results)} results.")
    for case, result in zip(cases, results, strict=True):
        if case.id != result.case:
            raise InvalidInput(
                f"{name} needs results in the order of the cases: case {case.id!r} stands beside a result of {result.case!r}."
            )
