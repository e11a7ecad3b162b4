"""Citations, recommendation, likelihood, spending and latency: cases worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bowerbird.errors import InvalidInput
from bowerbird.evals import measure
from bowerbird.evals.compare import compare_sets, interval_of_set
from bowerbird.evals.measure import Pool, Result, Statement
from bowerbird.evals.metrics.citations import judged
from bowerbird.evals.task import Case
from bowerbird.types import Record


def holds(premise: str, claim: str) -> bool:
    """Every word of the claim is in the premise."""
    return set(claim.split()) <= set(premise.split())


def test_citations_by_hand() -> None:
    calls: list[str] = []

    def support(premise: str, claim: str) -> bool:
        calls.append(premise)
        return holds(premise, claim)

    both = judged("red fox", ["a red one", "a fox", "a hen"], support)
    assert both == Statement("red fox", True, (False, False, False), (False, False, True))
    assert judged("red fox", ["red fox", "a hen"], holds) == Statement("red fox", True, (True, False), (False, True))
    assert judged("red fox", ["a hen", "an ox"], holds) == Statement("red fox", False, (False, False), (False, False))
    calls.clear()
    assert judged("red fox", [], support) == Statement("red fox")
    assert not calls
    assert judged("red fox", ["red fox"], support) == Statement("red fox", True, (True,), (False,))
    assert len(calls) == 1


def test_citation_recall_and_precision() -> None:
    statements = tuple(judged("red fox", cited, holds) for cited in (["a red one", "a fox", "a hen"], ["red fox"], ["a hen"], []))
    case, result = [Case("q", "?")], [Result("q", statements=statements)]
    assert measure.get("citation-recall").value(case, result) == 0.5
    # needed: "a red one", "a fox" and "red fox", of five citations
    assert measure.get("citation-precision").value(case, result) == pytest.approx(3 / 5)
    for name in ("citation-recall", "citation-precision"):
        assert measure.get(name).value(case, [Result("q")]) == 0.0


def test_recommendation_by_hand() -> None:
    pool = Pool.of(Record(key, "item", key, {"popularity": count}) for key, count in (("a", 0.0), ("b", 0.0), ("c", 4.0), ("d", 10.0)))
    assert [pool.percentile(key) for key in "abcd"] == [0.25, 0.25, 0.625, 0.875]
    cases = [Case("p", "?"), Case("q", "?")]
    results = [Result("p", ("d", "c", "a")), Result("q", ("d", "b"))]
    assert measure.get("ARP@2").items(cases, results, pool) == [7.0, 5.0]
    assert measure.get("popularity@2").items(cases, results, pool) == [0.75, 0.5625]
    assert measure.get("coverage@2").value(cases, results, pool) == 0.75
    assert measure.get("coverage@1").value(cases, results, pool) == 0.25
    with pytest.raises(InvalidInput, match="'z', which is not in the pool of 4"):
        measure.get("ARP@2").items(cases[:1], [Result("p", ("z",))], pool)
    with pytest.raises(InvalidInput, match="Nothing was recommended for case 'p'"):
        measure.get("ARP@2").items(cases[:1], [Result("p")], pool)
    with pytest.raises(InvalidInput, match="pool of records, and it is empty"):
        measure.get("coverage@2").value(cases, results)


def test_perplexity_weighs_by_tokens() -> None:
    cases = [Case("p", "?"), Case("q", "?")]
    results = [Result("p", nll=2.0, scored=1), Result("q", nll=1.0, scored=3)]
    assert measure.get("perplexity").value(cases, results) == pytest.approx(math.exp(3 / 4))
    assert measure.get("nll").items(cases, results) == pytest.approx([2.0, 1 / 3])
    with pytest.raises(InvalidInput, match="of case 'q'; there is none"):
        measure.get("perplexity").value(cases, [results[0], Result("q")])


def test_spending_and_latency() -> None:
    cases = [Case(f"q{n}", "?") for n in range(21)]
    results = [
        Result(f"q{n}", seconds={"retrieve": n / 10, "read": 1.0}, prompt_tokens=n, completion_tokens=2, cost=0.5) for n in range(21)
    ]
    assert measure.get("tokens").value(cases, results) == 12.0
    assert measure.get("prompt_tokens").value(cases, results) == 10.0
    assert measure.get("completion_tokens").value(cases, results) == 2.0
    assert measure.get("cost").value(cases, results) == 0.5
    assert measure.get("p50").value(cases, results) == pytest.approx(2.0)
    assert measure.get("p95@retrieve").value(cases, results) == pytest.approx(1.9)
    assert measure.get("p50@read").value(cases, results) == 1.0
    with pytest.raises(InvalidInput, match="no trace has a stage 'rerank'; there are read, retrieve"):
        measure.get("p95@rerank").value(cases, results)


def test_a_draw_is_worth_what_its_cases_are_worth() -> None:
    """`of_places` reads the cases once; computing the measure anew over the drawn cases must give the same."""
    rng = np.random.default_rng(6)
    labels = ("yes", "no", "maybe")
    cases, results = [], []
    for number in range(40):
        said, gold = labels[rng.integers(3)], labels[rng.integers(3)]
        facts = {
            "human": int(rng.integers(5)),
            "scores": {"S": float(rng.random() + 0.3), "W": float(rng.random())},
            "costs": {"S": 2.0, "W": 1.0},
        }
        cases.append(Case(f"q{number}", "?", answers=(gold,), choices=labels, facts=facts))
        seconds, keys = {"retrieve": float(rng.random())}, tuple(rng.permutation(["a", "b", "c", "d"])[:2])
        score, confidence = float(rng.random()), float(rng.random())
        results.append(Result(f"q{number}", keys, said, score, confidence, nll=float(rng.random()), scored=3, seconds=seconds))
    pool = Pool({key: 1.0 for key in "abcd"}, (1.0,) * 4)
    for name in (
        "accuracy",
        "macro-F1",
        "kappa",
        "AUC",
        "Spearman",
        "ECE",
        "Brier",
        "coverage@1",
        "perplexity",
        "p95",
        "APGR",
        "CPT@50",
        "CostAt@95",
    ):
        made = measure.get(name)
        drawn = made.of_places(cases, results, pool)
        for _ in range(5):
            places = rng.integers(0, 40, 40)
            again = made.value([cases[place] for place in places], [results[place] for place in places], pool)
            assert drawn(places) == pytest.approx(again), name


def test_interval_of_a_set_measure() -> None:
    rng = np.random.default_rng(8)
    cases = [Case(f"q{n}", "?", answers=("yes" if n % 3 else "no",), choices=("yes", "no")) for n in range(150)]
    good = [Result(case.id, score=float(rng.normal(case.answers == ("yes",), 1))) for case in cases]
    blind = [Result(case.id, score=float(rng.random())) for case in cases]
    auc = measure.get("AUC")
    found = interval_of_set(auc.of_places(cases, good), 150, resamples=400)
    assert found.low < found.value == auc.value(cases, good) < found.high
    assert found.low < 0.76 < found.high  # the normal cdf of 1 / sqrt(2)
    assert compare_sets(auc.of_places(cases, blind), auc.of_places(cases, good), 150, resamples=400).low > 0
