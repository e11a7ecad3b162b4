"""Measures of how probable a model found the gold text."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Measure, OfPlaces, Places, Pool, Result, bare
from bowerbird.evals.task import Case

__all__ = ["nll", "perplexity"]


def _sums(name: str, result: Result) -> tuple[float, int]:
    if result.nll is None or result.scored < 1:
        raise InvalidInput(f"{name} needs the negative log-likelihood of the gold tokens of case {result.case!r}; there is none.")
    return result.nll, result.scored


def nll(argument: str) -> Measure:
    """Mean negative log-likelihood of a gold token (nats), a mean over cases: what perplexities are compared by, case by case."""
    bare("nll", argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        total, count = _sums("nll", result)
        return total / count

    return Measure("nll", "negative log-likelihood of a gold token", item, better="lower", high=math.inf)


def perplexity(argument: str) -> Measure:
    """exp of the mean over all gold tokens of all cases: a long case weighs more."""
    bare("perplexity", argument)

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> OfPlaces:
        sums = np.array([_sums("perplexity", result) for result in results])

        def value(places: Places) -> float:
            total, count = sums[places].sum(axis=0)
            return math.exp(total / count)

        return value

    return Measure(
        "perplexity", "exp of the mean negative log-likelihood of a gold token", whole=whole, better="lower", low=1.0, high=math.inf
    )
