"""Measures of a router that sends each question to a model, after RouteLLM (Ong et al., arXiv 2406.18665, section 2.2).

Of a case they read `facts["scores"]` (what each model scores) and `facts["costs"]` (dollars). Of a result, `output` is the
model that was chosen, and `score` how much the router wants the strong model: any threshold on it is a router of its own.

With q(c) the mean score when the share c of the questions with the highest wish goes to the strong model and the others
to the weak one:  PGR(c) = (q(c) - q(0)) / (q(1) - q(0)),  APGR = integral of PGR over c from 0 to 1,  CPT(x %) = the least c
at which PGR(c) reaches x %. The paper takes ten thresholds and the trapezoid rule; here every threshold is taken, so nothing
depends on a grid. Questions with the same wish go over together, with a straight line between: a router that knows nothing
(equal wishes) has an APGR of exactly 0.5, and a random one of that plus noise.

The strong model is the one with the best mean; the weak one is, of the others, the cheapest, or the worst where there are
no costs. PGR can pass 1: the weak model is sometimes right where the strong one is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Better, Measure, OfPlaces, Places, Pool, Result, bare, cutoff
from bowerbird.evals.task import Case

__all__ = ["Curve", "Questions", "apgr", "cost_at", "cpt", "curve", "pair", "pgr", "quality", "regret"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """(t,) each, t thresholds from "never strong" to "always": share of strong calls, mean score, mean dollars (zeros if unknown)."""

    share: _Floats
    quality: _Floats
    dollars: _Floats

    @property
    def gap_recovered(self) -> _Floats:
        """PGR at every threshold."""
        recovered: _Floats = (self.quality - self.quality[0]) / (self.quality[-1] - self.quality[0])
        return recovered

    @property
    def area(self) -> float:
        """APGR."""
        recovered = self.gap_recovered
        return float(((recovered[1:] + recovered[:-1]) / 2 * np.diff(self.share)).sum())

    def first(self, values: _Floats, target: float, along: _Floats) -> float:
        """`along` at the first point where `values` reaches `target`, straight between thresholds."""
        reached = np.flatnonzero(values >= target - 1e-12)
        if not len(reached):
            raise InvalidInput(f"The target {target:.4g} is never reached; the most is {values.max():.4g}.")
        at = int(reached[0])
        if at == 0:
            return float(along[0])
        part = (target - values[at - 1]) / (values[at] - values[at - 1])
        return float(along[at - 1] + part * (along[at] - along[at - 1]))


def _table(cases: Sequence[Case], fact: str) -> dict[str, _Floats]:
    """Model → (n,) values; the models that every case has."""
    models = [model for model in cases[0].facts[fact] if all(model in case.facts[fact] for case in cases)]
    return {model: np.array([float(case.facts[fact][model]) for case in cases]) for model in models}


def pair(cases: Sequence[Case]) -> tuple[str, str]:
    """The strong and the weak model of these cases."""
    if not cases or any("scores" not in case.facts for case in cases):
        raise InvalidInput("Routing needs cases with the scores of the models in facts['scores'].")
    scores, costs = _table(cases, "scores"), _table(cases, "costs") if all(case.facts.get("costs") for case in cases) else {}
    if len(scores) < 2:
        raise InvalidInput(f"Routing needs at least two models that every case has a score of; there are {len(scores)}.")
    strong = max(sorted(scores), key=lambda model: float(scores[model].mean()))
    others = sorted(model for model in scores if model != strong)
    weak = min(others, key=lambda model: (float(costs[model].mean()) if costs else 0.0, float(scores[model].mean())))
    if scores[strong].mean() == scores[weak].mean():
        raise InvalidInput(f"{strong} and {weak} score the same over these {len(cases)} cases: there is no gap to recover.")
    return strong, weak


@dataclass(frozen=True, slots=True)
class Questions:
    """(n,) each: what the strong and the weak model score on a question and cost (dollars, zeros if unknown)."""

    strong: _Floats
    weak: _Floats
    strong_dollars: _Floats
    weak_dollars: _Floats

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Questions:
        """The questions of these cases for their pair of models."""
        strong, weak = pair(cases)
        scores, nothing = _table(cases, "scores"), np.zeros(len(cases))
        dollars = _table(cases, "costs") if all(case.facts.get("costs") for case in cases) else {}
        return cls(scores[strong], scores[weak], dollars.get(strong, nothing), dollars.get(weak, nothing))

    def drawn(self, places: Places) -> Questions:
        """Those at the places. Raises `InvalidInput` where the two models score the same over them."""
        found = Questions(self.strong[places], self.weak[places], self.strong_dollars[places], self.weak_dollars[places])
        if found.strong.mean() == found.weak.mean():
            raise InvalidInput(f"The two models score the same over these {len(places)} cases: there is no gap to recover.")
        return found

    def curve(self, wishes: NDArray[Any]) -> Curve:
        """Every threshold of a router; `wishes[i]` is how much it wants the strong model for question i."""
        order = np.argsort(-wishes, kind="stable")
        falling = wishes[order]
        places = np.concatenate(([0], np.flatnonzero(falling[1:] != falling[:-1]) + 1, [len(wishes)]))  # equal wishes go over together

        def along(of_strong: _Floats, of_weak: _Floats) -> _Floats:
            gained = np.concatenate(([0.0], np.cumsum((of_strong - of_weak)[order])))
            result: _Floats = (of_weak.sum() + gained[places]) / len(wishes)
            return result

        return Curve(places / len(wishes), along(self.strong, self.weak), along(self.strong_dollars, self.weak_dollars))


def curve(cases: Sequence[Case], wishes: Sequence[float]) -> Curve:
    """Every threshold of a router over these cases; `wishes[i]` is how much it wants the strong model for case i."""
    return Questions.of(cases).curve(np.asarray(wishes, dtype=np.float64))


def _curves(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> Callable[[Places], Curve]:
    """The curve of a router's scores in any draw of the cases. The pair of models is that of all cases, in every draw."""
    scores = np.array([result.score for result in results], dtype=np.float64)
    if np.isnan(scores).any():
        raise InvalidInput(f"The curve needs a router's score for every case; {int(np.isnan(scores).sum())} of {len(scores)} have none.")
    ranks = np.unique(scores, return_inverse=True)[1]
    wishes = ranks.astype(np.int16) if len(ranks) <= 2**15 else ranks  # a curve asks for their order alone, and these sort in linear time
    questions = Questions.of(cases)
    return lambda places: questions.drawn(places).curve(wishes[places])


def _along(name: str, about: str, read: Callable[[Curve], float], better: Better = "higher", unbounded: bool = False) -> Measure:
    """A measure that is read off the curve of a router's scores."""
    least, most = (-math.inf, math.inf) if unbounded else (0.0, 1.0)
    return Measure(name, about, whole=_curves, read=read, better=better, low=least, high=most)


def _of_chosen(case: Case, result: Result) -> float:
    scores = case.facts.get("scores", {})
    if result.output not in scores:
        raise InvalidInput(
            f"Case {case.id!r} has no score of the chosen model {result.output!r}; it has ones of {', '.join(sorted(scores))}."
        )
    return float(scores[result.output])


def quality(argument: str) -> Measure:
    """What the chosen model scores."""
    bare("quality", argument)
    return Measure("quality", "score of the chosen model", lambda case, result, pool: _of_chosen(case, result), high=math.inf)


def regret(argument: str) -> Measure:
    """What the best model of each case scores beyond the chosen one: 0 for the oracle."""
    bare("regret", argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        return max(map(float, case.facts["scores"].values())) - _of_chosen(case, result)

    return Measure("regret", "score that the best model of the case has beyond the chosen one", item, better="lower", high=math.inf)


def pgr(argument: str) -> Measure:
    """Performance gap recovered by the models that were chosen: always-weak 0, always-strong 1."""
    bare("PGR", argument)

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> OfPlaces:
        questions = Questions.of(cases)
        got = np.array([_of_chosen(case, result) for case, result in zip(cases, results, strict=True)])

        def value(places: Places) -> float:
            found = questions.drawn(places)
            return float((got[places].mean() - found.weak.mean()) / (found.strong.mean() - found.weak.mean()))

        return value

    return Measure("PGR", "share of the gap between the models that is recovered", whole=whole, low=-math.inf, high=math.inf)


def apgr(argument: str) -> Measure:
    """Average performance gap recovered over all shares of strong calls."""
    bare("APGR", argument)
    return _along("APGR", "gap recovered, averaged over all shares of strong calls", lambda found: found.area, unbounded=True)


def cpt(argument: str) -> Measure:
    """Call-performance threshold: the least share of strong calls that recovers x % of the gap."""
    percent = cutoff("CPT", argument) or 0

    def read(found: Curve) -> float:
        return found.first(found.gap_recovered, percent / 100, found.share)

    return _along(f"CPT@{percent}", f"least share of strong calls that recovers {percent} % of the gap", read, "lower")


def cost_at(argument: str) -> Measure:
    """The least cost at which x % of the strong model's score is reached, as a share of what always-strong costs."""
    percent = cutoff("CostAt", argument) or 0

    def read(found: Curve) -> float:
        if found.dollars[-1] <= 0:
            raise InvalidInput(f"CostAt@{percent} needs the dollars of every model in facts['costs'].")
        return found.first(found.quality, percent / 100 * float(found.quality[-1]), found.dollars) / float(found.dollars[-1])

    return _along(
        f"CostAt@{percent}", f"least cost that reaches {percent} % of the strong model's score, against always-strong", read, "lower"
    )
