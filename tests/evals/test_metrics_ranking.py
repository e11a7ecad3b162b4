"""Ranking measures: against ir-measures (trec_eval) on random runs, and by hand."""

from __future__ import annotations

import math
from collections.abc import ValuesView

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.evals import measure
from bowerbird.evals.measure import Result
from bowerbird.evals.metrics import TABLE
from bowerbird.evals.metrics.ranking import through_ir_measures
from bowerbird.evals.scoring import of_case
from bowerbird.evals.task import Case

KEYS = [f"d{number}" for number in range(12)]
OUTSIDE = ("nDCG@1", "nDCG@5", "nDCG@10", "nDCG", "Recall@5", "Recall@10", "P@5", "MRR", "MRR@5", "MAP", "MAP@5", "Hit@3")


def one(name: str, gold: dict[str, float], keys: list[str]) -> float:
    return measure.get(name).value([Case("q", "?", gold)], [Result("q", tuple(keys))])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3), min_size=1).filter(lambda gold: any(gold.values())),
            st.permutations(KEYS).flatmap(lambda order: st.integers(0, len(order)).map(lambda size: order[:size])),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_equal_to_ir_measures(run: list[tuple[dict[str, int], list[str]]]) -> None:
    pytest.importorskip("ir_measures")
    cases = [Case(f"q{place}", "?", gold) for place, (gold, _) in enumerate(run)]
    results = [Result(f"q{place}", tuple(keys)) for place, (_, keys) in enumerate(run)]
    for name in OUTSIDE:
        assert measure.get(name).items(cases, results) == pytest.approx(through_ir_measures(name, cases, results), abs=1e-9), name


def test_by_hand() -> None:
    gold, keys = {"a": 2.0, "b": 1.0, "c": 0.0}, ["x", "b", "a"]
    ideal = 2 + 1 / math.log2(3)
    assert one("nDCG@3", gold, keys) == pytest.approx((1 / math.log2(3) + 2 / 2) / ideal)
    assert one("nDCG@2", gold, keys) == pytest.approx((1 / math.log2(3)) / ideal)
    assert one("MRR@10", gold, keys) == 0.5
    assert one("MRR@1", gold, keys) == 0.0
    assert one("MAP", gold, keys) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert one("P@10", gold, keys) == 0.2
    assert (one("Hit@1", gold, keys), one("Hit@2", gold, keys)) == (0.0, 1.0)
    assert (one("AllHit@2", gold, keys), one("AllHit@3", gold, keys)) == (0.0, 1.0)
    assert one("Recall@2", gold, keys) == 0.5
    assert one("nDCG@10", gold, []) == 0.0


def test_a_case_is_graded_once_for_all_measures() -> None:
    asked: list[str] = []

    class Gold(dict[str, float]):
        def values(self) -> ValuesView[float]:
            asked.append("values")
            return super().values()

    case, result = Case("q", "?", Gold(a=2.0, b=1.0)), Result("q", ("x", "b", "a"))
    values = of_case(OUTSIDE, case, result, None)
    together = len(asked)
    assert values == {name: one(name, {"a": 2.0, "b": 1.0}, ["x", "b", "a"]) for name in OUTSIDE}
    asked.clear()
    for name in OUTSIDE:
        of_case([name], case, result, None)
    assert len(asked) == together + len(OUTSIDE) - 1


def test_session_recall_counts_a_session_once() -> None:
    gold = {"D1:3": 1.0, "D1:4": 1.0, "D7:1": 1.0}
    assert one("session-Recall@2", gold, ["D1:9", "D2:1", "D7:5"]) == 0.5
    assert one("session-Recall@3", gold, ["D1:9", "D2:1", "D7:5"]) == 1.0
    assert one("Recall@3", gold, ["D1:9", "D2:1", "D7:5"]) == 0.0


def test_what_has_no_value_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'q' names no gold key"):
        one("nDCG@10", {"a": 0.0}, ["a"])
    with pytest.raises(InvalidInput, match="'a' twice"):
        one("nDCG@10", {"a": 1.0}, ["b", "a", "a"])
    with pytest.raises(InvalidInput, match="the set is empty"):
        measure.get("nDCG@10").value([], [])
    with pytest.raises(InvalidInput, match="1 cases and 0 results"):
        measure.get("nDCG@10").value([Case("q", "?", {"a": 1.0})], [])
    with pytest.raises(InvalidInput, match="'q' stands beside a result of 'r'"):
        measure.get("nDCG@10").value([Case("q", "?", {"a": 1.0})], [Result("r")])
    with pytest.raises(InvalidInput, match="not a number"):
        measure.get("cost").items([Case("q", "?")], [Result("q", cost=math.nan)])


def test_names_parse_back_and_unknown_ones_offer_the_nearest() -> None:
    arguments = {"P": "10", "CPT": "50", "CostAt": "95", "sure": "50"}
    needs_one = {"Recall", "session-Recall", "Hit", "AllHit", "coverage", "ARP", "popularity"}
    for base in TABLE:
        name = f"{base}@{arguments.get(base, '10')}" if base in arguments or base in needs_one else base
        made = measure.get(name)
        assert made.name == name
        assert (made.item is None) != (made.whole is None)
        assert made.low < made.high
        assert made.about
    with pytest.raises(UnknownName, match="Did you mean 'nDCG'"):
        measure.get("ndgc@10")
    with pytest.raises(InvalidInput, match=r"needs a whole number after the @.*Recall@10"):
        measure.get("Recall")
    for wrong in ("Recall@0", "nDCG@ten", "EM@3", "Recall@010", "nDCG@"):
        with pytest.raises(InvalidInput):
            measure.get(wrong)
