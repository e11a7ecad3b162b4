"""Measures of whether a confidence is the chance of being right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Measure, OfPlaces, Places, Pool, Result, bare, cutoff
from bowerbird.evals.metrics.classification import correct
from bowerbird.evals.task import Case

__all__ = ["brier", "ece", "sure"]

_BINS = 10


def _confidence(result: Result) -> float:
    if result.confidence is None or not 0.0 <= result.confidence <= 1.0:
        raise InvalidInput(f"Case {result.case!r} needs a confidence between 0 and 1; it is {result.confidence}.")
    return result.confidence


def brier(argument: str) -> Measure:
    """Mean squared distance of the confidence from right (1) or wrong (0) (Brier 1950)."""
    bare("Brier", argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        return (_confidence(result) - correct(case, result)) ** 2

    return Measure("Brier", "squared distance of the confidence from right or wrong", item, better="lower")


def ece(argument: str) -> Measure:
    """Expected calibration error (Guo et al. 2017): distance of mean confidence and accuracy in bins of equal width, by their size.

    `ECE` has 10 bins, `ECE@15` has 15. Bins are closed above; a confidence of 0 belongs to the first. Biased upwards for few cases.
    """
    bins = cutoff("ECE", argument, optional=True) or _BINS

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> OfPlaces:
        confidence = np.array([_confidence(result) for result in results])
        right = np.array([correct(case, result) for case, result in zip(cases, results, strict=True)], dtype=np.float64)
        bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)

        def value(places: Places) -> float:
            gaps = np.bincount(bin_of[places], (confidence - right)[places], bins)
            return float(np.abs(gaps).sum() / len(places))

        return value

    return Measure(f"ECE@{argument}" if argument else "ECE", "distance of confidence and accuracy, in bins", whole=whole, better="lower")


def sure(argument: str) -> Measure:
    """Accuracy over the surest part of the cases: `sure@50` of the half with the highest confidence (selective prediction; Geifman and
    El-Yaniv, NeurIPS 2017). Cases of equal confidence at the edge count in proportion; at least one case is taken."""
    percent = cutoff("sure", argument)
    if percent is None or percent > 100:
        raise InvalidInput(f"sure@{argument} needs a percentage from 1 to 100.")

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> OfPlaces:
        confidence = np.array([_confidence(result) for result in results])
        right = np.array([correct(case, result) for case, result in zip(cases, results, strict=True)], dtype=np.float64)

        def value(places: Places) -> float:
            given, good = confidence[places], right[places]
            taken = max(1.0, len(places) * percent / 100)
            edge = np.sort(given)[::-1][int(np.ceil(taken)) - 1]
            above, at = given > edge, given == edge
            return float((good[above].sum() + (taken - above.sum()) * good[at].mean()) / taken)

        return value

    return Measure(f"sure@{percent}", f"accuracy of the surest {percent} %", whole=whole)
