"""Measures of agreement with people beyond accuracy: Cohen's kappa for labels, Spearman's rank correlation for marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Measure, Pool, Result
from bowerbird.evals.metrics.classification import average_ranks, chosen
from bowerbird.evals.task import Case

__all__ = ["kappa", "spearman"]


def _bare(name: str, argument: str) -> None:
    if argument:
        raise InvalidInput(f"{name} takes nothing after an @; got {argument!r}.")


def kappa(argument: str) -> Measure:
    """Agreement beyond the one that the two distributions of labels would give by chance (Cohen 1960); no choice is a label of its own."""
    _bare("kappa", argument)

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> float:
        gold = [case.answers[0] for case in cases]
        given = [chosen(result.output, case.choices) for case, result in zip(cases, results, strict=True)]
        wanted, got, n = Counter(gold), Counter(given), len(gold)
        chance = sum(wanted[label] * got[label] for label in wanted) / n**2
        if chance == 1.0:
            raise InvalidInput(f"kappa needs more than one label; all {n} cases have the label {gold[0]!r} and got it.")
        agreed = sum(a == b for a, b in zip(gold, given, strict=True)) / n
        return (agreed - chance) / (1 - chance)

    return Measure("kappa", "agreement with people beyond chance", whole=whole, low=-1.0)


def spearman(argument: str) -> Measure:
    """Correlation of the ranks of the scores with those of people's marks (`facts["human"]`); equal marks share their mean rank."""
    _bare("Spearman", argument)

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> float:
        if any(result.score is None for result in results):
            raise InvalidInput("Spearman needs a score for every case; some results have none.")
        given = average_ranks([result.score for result in results if result.score is not None])
        people = average_ranks([float(case.facts["human"]) for case in cases])
        if np.ptp(given) == 0 or np.ptp(people) == 0:
            raise InvalidInput(
                f"Spearman needs marks that differ; all {len(cases)} {'scores' if np.ptp(given) == 0 else 'marks'} are the same."
            )
        return float(np.corrcoef(given, people)[0, 1])

    return Measure("Spearman", "rank correlation of the scores with people's marks", whole=whole, low=-1.0)
