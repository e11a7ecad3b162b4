"""Measures of a choice among given ones. What of a model's words counts as a choice is `chosen`'s to say."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Measure, OfPlaces, Places, Pool, Result, bare
from bowerbird.evals.metrics.answers import tokens
from bowerbird.evals.task import Case

__all__ = ["accuracy", "auc", "average_ranks", "chosen", "correct", "label_numbers", "levels", "macro_f1"]


@functools.lru_cache(maxsize=64)  # the cases of a task share their choices: normalising 77 of them a case took most of a run's time
def _plain(choices: tuple[str, ...]) -> Mapping[str, str]:
    return MappingProxyType({choice: " ".join(tokens(choice)) for choice in choices})


def chosen(output: str, choices: Sequence[str]) -> str | None:
    """The choice that an output means: the one it equals, else the one it holds as whole words; None where that is not one.

    A choice inside another one that is held ("supported" in "not supported") does not count beside it.
    """
    said = " ".join(tokens(output))
    plain = _plain(tuple(choices))
    for choice, words in plain.items():
        if words == said:
            return choice
    held = [choice for choice, words in plain.items() if words and f" {words} " in f" {said} "]
    longest = [
        choice
        for choice in held
        if not any(plain[choice] != plain[other] and f" {plain[choice]} " in f" {plain[other]} " for other in held)
    ]
    return longest[0] if len(longest) == 1 else None


def correct(case: Case, result: Result) -> bool:
    """Whether the output is an accepted one: as a choice where choices are closed, else by its normalised words."""
    if not case.answers:
        raise InvalidInput(f"Case {case.id!r} has no accepted answer, so nothing can be right or wrong.")
    if case.choices:
        return chosen(result.output, case.choices) in case.answers
    return any(tokens(result.output) == tokens(answer) for answer in case.answers)


def accuracy(argument: str) -> Measure:
    """Share of the cases whose choice is right; no choice is wrong."""
    bare("accuracy", argument)
    return Measure("accuracy", "1 if the choice is right", lambda case, result, pool: float(correct(case, result)))


def label_numbers(cases: Sequence[Case], results: Sequence[Result]) -> tuple[Places, Places]:
    """(n,) numbers of the gold labels and of the chosen ones, from 1; 0 where nothing was chosen."""
    numbers: dict[str | None, int] = {None: 0}
    gold = [numbers.setdefault(case.answers[0], len(numbers)) for case in cases]
    given = [numbers.setdefault(chosen(result.output, case.choices), len(numbers)) for case, result in zip(cases, results, strict=True)]
    return np.array(gold, dtype=np.int64), np.array(given, dtype=np.int64)


def macro_f1(argument: str) -> Measure:
    """Mean over labels of their F1, each label as heavy as any other; labels are those that are gold or were chosen somewhere."""
    bare("macro-F1", argument)

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> OfPlaces:
        gold, given = label_numbers(cases, results)
        labels = int(max(gold.max(), given.max())) + 1
        agreed, both = np.where(gold == given, gold, 0), np.stack([gold, given], axis=1)

        def value(places: Places) -> float:
            right = np.bincount(agreed[places], minlength=labels)[1:]
            either = np.bincount(both[places].ravel(), minlength=labels)[1:]
            return float((2 * right[either > 0] / either[either > 0]).mean())

        return value

    return Measure("macro-F1", "mean over labels of their F1", whole=whole)


def levels(values: Sequence[float] | NDArray[np.float64]) -> Places:
    """(n,) whole numbers from 0 in the order of the values, equal ones for equal values: a draw of them needs no sorting."""
    found: Places = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)[1]
    return found


def average_ranks(found: Places) -> NDArray[np.float64]:
    """(n,) ranks from 1 of values by their `levels`, or by a draw of these; equal values share the mean of their ranks."""
    counts = np.bincount(found)
    ends = np.cumsum(counts)
    ranks: NDArray[np.float64] = ((ends - counts + 1 + ends) / 2)[found]
    return ranks


def auc(argument: str) -> Measure:
    """Chance that a case whose answer is the first choice scores above one whose answer is another; ties count half."""
    bare("AUC", argument)

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> OfPlaces:
        if any(result.score is None for result in results):
            raise InvalidInput("AUC needs a score for every case (of the first choice); some results have none.")
        positive = np.array([case.answers[0] == case.choices[0] for case in cases])
        scores = np.array([result.score for result in results], dtype=np.float64)
        if np.isnan(scores).any():
            raise InvalidInput("AUC needs scores that are numbers; some are not.")
        ordered = levels(scores)

        def value(places: Places) -> float:
            up = positive[places]
            ups, downs = int(up.sum()), int((~up).sum())
            if not ups or not downs:
                raise InvalidInput(f"AUC needs cases of both classes; all {len(places)} are of one.")
            ranks = average_ranks(ordered[places])
            return float((ranks[up].sum() - ups * (ups + 1) / 2) / (ups * downs))

        return value

    return Measure("AUC", "chance that a positive case scores above a negative one", whole=whole)
