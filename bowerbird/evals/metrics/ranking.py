"""Measures of a ranking against graded gold keys, as trec_eval defines them: gains are linear, a grade of 0 or less is not relevant.

`through_ir_measures` computes the same with the reference implementation (extra `eval`), as an outside check.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Measure, Pool, Result, cutoff
from bowerbird.evals.task import Case
from bowerbird.need import need

__all__ = ["all_hit", "average_precision", "hit", "mrr", "ndcg", "precision", "recall", "session_recall", "through_ir_measures"]

_Formula = Callable[[Sequence[float], Sequence[float], int], float]


_Graded = tuple[list[float], list[float]]


def _grades(case: Case, result: Result, pool: Pool) -> _Graded:
    """Grades of the ranking in its order, and the relevant grades of the gold from high to low."""
    wanted = sorted((grade for grade in case.gold.values() if grade > 0), reverse=True)
    if not wanted:
        raise InvalidInput(f"Case {case.id!r} names no gold key, so no ranking of it is good or bad. Leave it out or use another measure.")
    if len(set(result.keys)) != len(result.keys):
        twice = next(key for place, key in enumerate(result.keys) if key in result.keys[:place])
        raise InvalidInput(f"The ranking of case {case.id!r} holds {twice!r} twice: it would be counted twice.")
    got = [case.gold.get(key, 0.0) for key in result.keys]
    return [max(0.0, grade) for grade in got] if min(got, default=0.0) < 0 else got, wanted


def _made(base: str, argument: str, about: str, formula: _Formula, optional: bool = False) -> Measure:
    k = cutoff(base, argument, optional)

    def read(graded: _Graded) -> float:
        got, wanted = graded
        depth = len(got) if k is None else k
        return formula(got[:depth], wanted, len(wanted) if k is None else k)

    return Measure(base if k is None else f"{base}@{k}", about, _grades, read=read)


def _dcg(grades: Sequence[float]) -> float:
    return math.fsum(grade / math.log2(place + 2) for place, grade in enumerate(grades))


def ndcg(argument: str) -> Measure:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002), linear gains, discount log2(rank + 1)."""
    about = "gain of the ranking, discounted by rank, over that of the best ranking"
    return _made("nDCG", argument, about, lambda got, wanted, k: _dcg(got) / _dcg(wanted[:k]), optional=True)


def recall(argument: str) -> Measure:
    """Share of the relevant keys that are among the first k."""
    return _made("Recall", argument, "share of the gold keys among the first k", lambda got, wanted, k: _found(got) / len(wanted))


def precision(argument: str) -> Measure:
    """Share of the first k that is relevant; a shorter ranking counts as if filled up with wrong ones."""
    return _made("P", argument, "share of the first k that is gold", lambda got, wanted, k: _found(got) / k)


def mrr(argument: str) -> Measure:
    """One over the rank of the first relevant key; 0 if there is none."""
    about = "one over the rank of the first gold key"
    return _made("MRR", argument, about, lambda got, wanted, k: next((1 / rank for rank, g in enumerate(got, 1) if g > 0), 0.0), True)


def average_precision(argument: str) -> Measure:
    """Mean over the relevant keys of the precision at their rank; 0 for those that are not ranked."""

    def formula(got: Sequence[float], wanted: Sequence[float], k: int) -> float:
        found, total = 0, 0.0
        for rank, grade in enumerate(got, 1):
            if grade > 0:
                found += 1
                total += found / rank
        return total / len(wanted)

    return _made("MAP", argument, "mean precision at the ranks of the gold keys", formula, optional=True)


def hit(argument: str) -> Measure:
    """1 if any relevant key is among the first k (trec_eval's success; HR@k of recommendation)."""
    return _made("Hit", argument, "1 if any gold key is among the first k", lambda got, wanted, k: float(_found(got) > 0))


def all_hit(argument: str) -> Measure:
    """1 if every relevant key is among the first k: what a question of several hops or tools needs."""
    return _made("AllHit", argument, "1 if all gold keys are among the first k", lambda got, wanted, k: float(_found(got) == len(wanted)))


def session_recall(argument: str) -> Measure:
    """Share of the sessions with gold that have a turn among the first k. A key names its session before its last colon (`D3:12`)."""
    k = cutoff("session-Recall", argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        _grades(case, result, pool)
        wanted = {key.rpartition(":")[0] for key, grade in case.gold.items() if grade > 0}
        return len(wanted & {key.rpartition(":")[0] for key in result.keys[:k]}) / len(wanted)

    return Measure(f"session-Recall@{k}", "share of the gold sessions with a turn among the first k", item)


def _found(grades: Sequence[float]) -> int:
    return sum(grade > 0 for grade in grades)


_OUTSIDE: Mapping[str, str] = {"nDCG": "nDCG", "Recall": "R", "P": "P", "MRR": "RR", "MAP": "AP", "Hit": "Success"}


def through_ir_measures(name: str, cases: Sequence[Case], results: Sequence[Result]) -> list[float]:
    """The same values by the package `ir-measures`, case by case: our word checked against trec_eval's.

    It knows nDCG, Recall, P, MRR, MAP and Hit, and whole grades. Raises `MissingExtra` without the package.
    """
    ir_measures = need("ir_measures", "eval")
    base, _, argument = name.partition("@")
    if base not in _OUTSIDE:
        raise InvalidInput(f"ir-measures has no counterpart of {name!r}; it has ones of {', '.join(_OUTSIDE)}.")
    measure = ir_measures.parse_measure(_OUTSIDE[base] + (f"@{argument}" if argument else ""))
    judged = [ir_measures.Qrel(case.id, key, int(grade)) for case in cases for key, grade in case.gold.items()]
    ranked = [ir_measures.ScoredDoc(result.case, key, float(-place)) for result in results for place, key in enumerate(result.keys)]
    values = {found.query_id: float(found.value) for found in ir_measures.iter_calc([measure], judged, ranked)}
    return [values.get(case.id, 0.0) for case in cases]
