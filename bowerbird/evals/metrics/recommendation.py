"""Measures of what a recommender shows beyond hitting the gold: how much of the catalogue, and how popular.

They need the pool of records (`Pool.of(records)`), since popularity is theirs. None of them is good or bad by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Measure, OfPlaces, Places, Pool, Result, cutoff
from bowerbird.evals.task import Case

__all__ = ["arp", "coverage", "popularity"]


def _shown(name: str, result: Result, pool: Pool, k: int | None) -> tuple[str, ...]:
    shown = result.keys[:k]
    if not shown:
        raise InvalidInput(f"Nothing was recommended for case {result.case!r}, so {name} says nothing of it.")
    unknown = next((key for key in shown if key not in pool.popularity), None)
    if unknown is not None:
        raise InvalidInput(f"{name} needs the popularity of {unknown!r}, which is not in the pool of {len(pool.popularity)} records.")
    return shown


def coverage(argument: str) -> Measure:
    """Share of the catalogue that is among the first k for anybody. It grows with the number of cases: compare equal numbers."""
    k = cutoff("coverage", argument)

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> OfPlaces:
        if not pool.popularity:
            raise InvalidInput("coverage needs the pool of records, and it is empty.")
        numbers: dict[str, int] = {}
        rows = [[numbers.setdefault(key, len(numbers)) for key in result.keys[:k]] for result in results]
        longest, beyond = max(map(len, rows), default=0), len(numbers)  # a shorter ranking is filled up with a number of no key
        shown = np.array([row + [beyond] * (longest - len(row)) for row in rows], dtype=np.int64)

        def value(places: Places) -> float:
            held = np.zeros(beyond + 1, dtype=bool)
            held[shown[places]] = True
            return int(held[:beyond].sum()) / len(pool.popularity)

        return value

    return Measure(f"coverage@{k}", "share of the catalogue among the first k for anybody", whole=whole)


def arp(argument: str) -> Measure:
    """Average recommendation popularity (Yin et al. 2012): mean number of people behind the first k."""
    k = cutoff("ARP", argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        shown = _shown(f"ARP@{k}", result, pool, k)
        return sum(pool.popularity[key] for key in shown) / len(shown)

    return Measure(f"ARP@{k}", "mean popularity of the first k", item, better="neither", high=float("inf"))


def popularity(argument: str) -> Measure:
    """Mean percentile of popularity of the first k: 0.5 is what random items have, near 1 only the best-known."""
    k = cutoff("popularity", argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        shown = _shown(f"popularity@{k}", result, pool, k)
        return sum(pool.percentile(key) for key in shown) / len(shown)

    return Measure(f"popularity@{k}", "mean percentile of popularity of the first k", item, better="neither")
