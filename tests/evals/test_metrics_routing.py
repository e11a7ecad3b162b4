"""Routing measures: a small case by hand, a slow but plain computation, and RouteLLM's own data as the authority."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput
from bowerbird.evals import measure, task
from bowerbird.evals.measure import Result
from bowerbird.evals.metrics.routing import curve, pair
from bowerbird.evals.task import Case

STRONG, WEAK = "gpt-4-1106-preview", "mistralai/Mixtral-8x7B-Instruct-v0.1"


def case(number: int, strong: float, weak: float, costs: bool = True) -> Case:
    return Case(f"q{number}", "?", facts={"scores": {"S": strong, "W": weak}, "costs": {"S": 10.0, "W": 1.0} if costs else {}})


# Five questions: both right, both wrong, strong alone twice, weak alone. Strong 3/5, weak 2/5.
CASES = [case(0, 1, 1), case(1, 0, 0), case(2, 1, 0), case(3, 1, 0), case(4, 0, 1)]


def sent(model: str) -> list[Result]:
    return [Result(one.id, output=model) for one in CASES]


def scored(wishes: list[float], cases: list[Case] = CASES) -> list[Result]:
    return [Result(one.id, score=wish) for one, wish in zip(cases, wishes, strict=True)]


def test_by_hand() -> None:
    assert pair(CASES) == ("S", "W")
    good = scored([0.5, 0.4, 0.9, 0.8, 0.1])  # the two that need the strong one first, the one that suffers last
    found = curve(CASES, [0.5, 0.4, 0.9, 0.8, 0.1])
    assert found.share.tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert found.quality.tolist() == pytest.approx([0.4, 0.6, 0.8, 0.8, 0.8, 0.6])
    assert found.dollars.tolist() == pytest.approx([1.0, 2.8, 4.6, 6.4, 8.2, 10.0])
    assert found.gap_recovered.tolist() == pytest.approx([0, 1, 2, 2, 2, 1])
    assert measure.get("APGR").value(CASES, good) == pytest.approx(0.2 * (0.5 + 1.5 + 2 + 2 + 1.5))
    assert measure.get("CPT@50").value(CASES, good) == pytest.approx(0.1)
    assert measure.get("CPT@80").value(CASES, good) == pytest.approx(0.16)
    # 95 % of 0.6 is 0.57, 0.85 of the way to the first threshold: 1 + 0.85 * 1.8 dollars of 10
    assert measure.get("CostAt@95").value(CASES, good) == pytest.approx(0.253)


def test_the_ends() -> None:
    assert measure.get("PGR").value(CASES, sent("S")) == pytest.approx(1.0)
    assert measure.get("PGR").value(CASES, sent("W")) == pytest.approx(0.0)
    oracle = [Result(one.id, output=max(one.facts["scores"], key=one.facts["scores"].get)) for one in CASES]
    assert measure.get("PGR").value(CASES, oracle) == pytest.approx(2.0)
    assert measure.get("regret").items(CASES, oracle) == [0.0] * 5
    assert measure.get("regret").value(CASES, sent("S")) == pytest.approx(0.2)
    assert measure.get("quality").value(CASES, sent("W")) == pytest.approx(0.4)
    assert measure.get("cost").value(CASES, sent("S")) == pytest.approx(10.0)
    # A router that knows nothing lies on the straight line, and reaches x % of the gap with x % of the calls.
    blind = scored([0.3] * 5)
    assert measure.get("APGR").value(CASES, blind) == pytest.approx(0.5)
    assert measure.get("CPT@80").value(CASES, blind) == pytest.approx(0.8)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 4)), min_size=2, max_size=12).filter(
        lambda rows: sum(s for s, _, _ in rows) > sum(w for _, w, _ in rows)
    )
)
def test_equal_to_the_mean_over_all_orders_of_ties(rows: list[tuple[int, int, int]]) -> None:
    """A tie is worth what its random orders are worth on average: here each threshold's quality is computed by itself."""
    cases = [case(number, s, w) for number, (s, w, _) in enumerate(rows)]
    found = curve(cases, [float(wish) for _, _, wish in rows])
    weak = sum(w for _, w, _ in rows)
    for share, quality in zip(found.share, found.quality, strict=True):
        sent_on = sorted(range(len(rows)), key=lambda n: -rows[n][2])[: round(share * len(rows))]
        assert quality * len(rows) == pytest.approx(weak + sum(rows[n][0] - rows[n][1] for n in sent_on))
    assert set(np.round(found.share * len(rows)).astype(int)) == {0} | {sum(w >= t for _, _, w in rows) for t in {w for _, _, w in rows}}


def test_what_has_no_value_is_refused() -> None:
    with pytest.raises(InvalidInput, match="score the same over these 2 cases"):
        measure.get("PGR").value([case(0, 1, 0), case(1, 0, 1)], [Result("q0", output="S"), Result("q1", output="S")])
    with pytest.raises(InvalidInput, match="no score of the chosen model 'X'; it has ones of S, W"):
        measure.get("quality").value(CASES, sent("X"))
    with pytest.raises(InvalidInput, match="5 of 5 have none"):
        measure.get("APGR").value(CASES, sent("S"))
    with pytest.raises(InvalidInput, match="1 of 5 have none"):
        measure.get("APGR").value(CASES, scored([0.1, 0.2, 0.3, float("nan"), 0.5]))
    free = [case(number, *pair_, costs=False) for number, pair_ in enumerate([(1, 1), (1, 0)])]
    with pytest.raises(InvalidInput, match="needs the dollars"):
        measure.get("CostAt@95").value(free, scored([0.1, 0.2], free))
    with pytest.raises(InvalidInput, match="never reached"):
        measure.get("CPT@300").value(CASES, scored([0.5, 0.4, 0.9, 0.8, 0.1]))
    with pytest.raises(InvalidInput, match=r"facts\['scores'\]"):
        measure.get("PGR").value([Case("q", "?")], [Result("q", output="S")])


@pytest.mark.parametrize(("name", "weak", "strong"), [("routellm_gsm8k", 0.635, 0.858), ("routellm_mmlu", 0.707, 0.818)])
def test_routellm_as_the_authority(data: Path, name: str, weak: float, strong: float) -> None:
    routed = task.get(name)
    cases = list(routed.cases(routed.data(data), "all"))
    assert pair(cases) == (STRONG, WEAK)
    for model, accuracy in ((WEAK, weak), (STRONG, strong)):
        results = [Result(one.id, output=model) for one in cases]
        assert measure.get("quality").value(cases, results) == pytest.approx(accuracy, abs=0.0005)
        assert measure.get("PGR").value(cases, results) == pytest.approx(float(model == STRONG))
    areas = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        areas.append(
            measure.get("APGR").value(
                cases, [Result(one.id, score=float(wish)) for one, wish in zip(cases, rng.random(len(cases)), strict=True)]
            )
        )
    assert np.mean(areas) == pytest.approx(0.5, abs=0.01)
    oracle = [Result(one.id, score=one.facts["scores"][STRONG] - one.facts["scores"][WEAK]) for one in cases]
    assert measure.get("APGR").value(cases, oracle) > 0.8
    assert measure.get("CPT@80").value(cases, oracle) < 0.2


def test_mt_bench_means(data: Path) -> None:
    routed = task.get("routellm_mtbench")
    cases = list(routed.cases(routed.data(data), "all"))
    means = {model: sum(one.facts["scores"][model] for one in cases) / len(cases) for model in (STRONG, WEAK)}
    assert means == pytest.approx({STRONG: 9.228, WEAK: 8.341}, abs=0.001)
