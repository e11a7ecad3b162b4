"""Measures of agreement with people beyond accuracy: Cohen's kappa for labels, the share of the people who said the same, Spearman's rank
correlation for marks; and whether a choice hangs on the order in which things were shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Measure, OfPlaces, Places, Pool, Result, bare
from bowerbird.evals.metrics.classification import average_ranks, chosen, label_numbers, levels
from bowerbird.evals.task import Case

__all__ = ["flips", "kappa", "people", "spearman"]


def kappa(argument: str) -> Measure:
    """Agreement beyond the one that the two distributions of labels would give by chance (Cohen 1960); no choice is a label of its own."""
    bare("kappa", argument)

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> OfPlaces:
        gold, given = label_numbers(cases, results)
        labels = int(max(gold.max(), given.max())) + 1

        def value(places: Places) -> float:
            wanted, got, n = gold[places], given[places], len(places)
            chance = float(np.bincount(wanted, minlength=labels) @ np.bincount(got, minlength=labels)) / n**2
            if chance == 1.0:
                raise InvalidInput(f"kappa needs more than one label; all {n} cases have the same one and got it.")
            return (float((wanted == got).mean()) - chance) / (1 - chance)

        return value

    return Measure("kappa", "agreement with people beyond chance", whole=whole, low=-1.0)


def people(argument: str) -> Measure:
    """Share of the people who were asked (`facts["votes"]`, a label each) that said what was chosen. Where they disagree nobody reaches 1:
    the oracle's value, that of the majority, is the most there is."""
    bare("people", argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        votes: Sequence[str] = case.facts.get("votes", ())
        if not votes:
            raise InvalidInput(f"Case {case.id!r} does not say what each person said.")
        said = chosen(result.output, case.choices)
        return sum(vote == said for vote in votes) / len(votes)

    return Measure("people", "share of the people who said the same", item)


def flips(argument: str) -> Measure:
    """Position bias: share of the cases in which another order of what was compared would have turned the choice around (Zheng et al.,
    arXiv 2306.05685, section 3.3, of which it is 1 - consistency). A judge that looks at each thing by itself has 0."""
    bare("flips", argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        if result.flips is None:
            raise InvalidInput(f"Case {case.id!r} was not looked at in another order.")
        return float(result.flips)

    return Measure("flips", "1 if another order would have turned the choice around", item, better="lower")


def spearman(argument: str) -> Measure:
    """Correlation of the ranks of the scores with those of people's marks (`facts["human"]`); equal marks share their mean rank."""
    bare("Spearman", argument)

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> OfPlaces:
        if any(result.score is None for result in results):
            raise InvalidInput("Spearman needs a score for every case; some results have none.")
        scores = levels(np.array([result.score for result in results], dtype=np.float64))
        marks = levels([float(case.facts["human"]) for case in cases])

        def value(places: Places) -> float:
            given, people = average_ranks(scores[places]), average_ranks(marks[places])
            if np.ptp(given) == 0 or np.ptp(people) == 0:
                same = "scores" if np.ptp(given) == 0 else "marks"
                raise InvalidInput(f"Spearman needs marks that differ; all {len(places)} {same} are the same.")
            return float(np.corrcoef(given, people)[0, 1])

        return value

    return Measure("Spearman", "rank correlation of the scores with people's marks", whole=whole, low=-1.0)
