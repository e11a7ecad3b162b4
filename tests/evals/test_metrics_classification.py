"""Classification, agreement and calibration: against scikit-learn and scipy where they are installed, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.errors import InvalidInput
from bowerbird.evals import measure
from bowerbird.evals.measure import Result
from bowerbird.evals.metrics.classification import average_ranks, chosen, levels
from bowerbird.evals.task import Case

LABELS = ("supported", "partially supported", "not supported")


def made(gold: list[str], given: list[str], choices: tuple[str, ...] = LABELS) -> tuple[list[Case], list[Result]]:
    cases = [Case(f"q{n}", "?", answers=(label,), choices=choices, facts={"human": choices.index(label)}) for n, label in enumerate(gold)]
    return cases, [Result(f"q{n}", output=label) for n, label in enumerate(given)]


def test_what_counts_as_a_choice() -> None:
    assert chosen("Not supported.", LABELS) == "not supported"
    assert chosen("The claim is not supported by it.", LABELS) == "not supported"
    assert chosen("I think it is supported", LABELS) == "supported"
    assert chosen("supported or partially supported", LABELS) == "partially supported"
    assert chosen("yes and no", ("yes", "no")) is None
    assert chosen("nothing", ("yes", "no")) is None
    assert chosen("", ("yes", "no")) is None


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_scikit_learn(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    gold = [LABELS[n] for n in rng.choice(3, 80, p=(0.6, 0.3, 0.1))]
    given = [label if keep else LABELS[n] for label, keep, n in zip(gold, rng.random(80) < 0.6, rng.integers(0, 3, 80), strict=True)]
    cases, results = made(gold, given)
    assert measure.get("accuracy").value(cases, results) == pytest.approx(sklearn.accuracy_score(gold, given))
    assert measure.get("macro-F1").value(cases, results) == pytest.approx(sklearn.f1_score(gold, given, average="macro"))
    assert measure.get("kappa").value(cases, results) == pytest.approx(sklearn.cohen_kappa_score(gold, given))
    scores = np.round(rng.random(80), 1)  # with ties
    scored = [Result(result.case, score=float(score)) for result, score in zip(results, scores, strict=True)]
    positive = [label == LABELS[0] for label in gold]
    assert measure.get("AUC").value(cases, scored) == pytest.approx(sklearn.roc_auc_score(positive, scores))
    confidence = rng.random(80)
    sure = [Result(r.case, output=r.output, confidence=float(c)) for r, c in zip(results, confidence, strict=True)]
    right = [a == b for a, b in zip(gold, given, strict=True)]
    assert measure.get("Brier").value(cases, sure) == pytest.approx(sklearn.brier_score_loss(right, confidence))


def test_equal_to_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(1)
    values = rng.integers(0, 6, 50).astype(float)
    assert average_ranks(levels(values.tolist())) == pytest.approx(stats.rankdata(values))
    cases, _ = made([LABELS[n] for n in rng.integers(0, 3, 50)], [""] * 50)
    results = [Result(case.id, score=value) for case, value in zip(cases, values.tolist(), strict=True)]
    expected = stats.spearmanr([case.facts["human"] for case in cases], values).statistic
    assert measure.get("Spearman").value(cases, results) == pytest.approx(expected)


def test_by_hand() -> None:
    cases, results = made(["supported"] * 3 + ["not supported"], ["supported", "supported", "not supported", "not supported"])
    assert measure.get("accuracy").items(cases, results) == [1.0, 1.0, 0.0, 1.0]
    # supported: 2 * 2 / (3 + 2); not supported: 2 * 1 / (1 + 2)
    assert measure.get("macro-F1").value(cases, results) == pytest.approx((0.8 + 2 / 3) / 2)
    # agreed 3/4; by chance (3 * 2 + 1 * 2) / 16 = 1/2
    assert measure.get("kappa").value(cases, results) == pytest.approx(0.5)


def test_calibration_by_hand() -> None:
    cases, results = made(["supported"] * 4, ["supported", "not supported", "supported", "supported"])
    sure = [Result(r.case, output=r.output, confidence=c) for r, c in zip(results, (0.9, 0.85, 0.6, 1.0), strict=True)]
    # bins (0.8, 0.9]: confidence 1.75, right 1; (0.5, 0.6]: 0.6 and 1; (0.9, 1]: 1.0 and 1
    assert measure.get("ECE").value(cases, sure) == pytest.approx((0.75 + 0.4 + 0.0) / 4)
    assert measure.get("ECE@1").value(cases, sure) == pytest.approx(abs(3.35 - 3) / 4)
    assert measure.get("Brier").items(cases, sure) == pytest.approx([0.01, 0.7225, 0.16, 0.0])


def test_what_has_no_value_is_refused() -> None:
    cases, results = made(["supported"] * 3, ["supported"] * 3)
    with pytest.raises(InvalidInput, match="both classes; all 3"):
        measure.get("AUC").value(cases, [Result(case.id, score=0.5) for case in cases])
    with pytest.raises(InvalidInput, match="needs a score for every case"):
        measure.get("AUC").value(cases, results)
    with pytest.raises(InvalidInput, match="more than one label"):
        measure.get("kappa").value(cases, results)
    with pytest.raises(InvalidInput, match="marks that differ"):
        measure.get("Spearman").value(cases, [Result(case.id, score=float(n)) for n, case in enumerate(cases)])
    for bad in (None, 1.2, float("nan")):
        with pytest.raises(InvalidInput, match="confidence between 0 and 1"):
            measure.get("ECE").value(cases[:1], [Result(cases[0].id, output="supported", confidence=bad)])
    with pytest.raises(InvalidInput, match="property of the whole set"):
        measure.get("AUC").items(cases, results)


def test_the_share_of_the_people_who_said_the_same() -> None:
    cases = [Case("a", "?", choices=("tie", "first"), facts={"votes": ["first", "tie", "first"]})]
    assert measure.get("people").value(cases, [Result("a", output="first")]) == pytest.approx(2 / 3)
    assert measure.get("people").value(cases, [Result("a", output="tie")]) == pytest.approx(1 / 3)
    assert measure.get("people").value(cases, [Result("a", output="")]) == 0.0
    with pytest.raises(InvalidInput, match="what each person said"):
        measure.get("people").value([Case("a", "?")], [Result("a")])


def test_flips_are_counted_where_both_orders_were_seen() -> None:
    cases, _ = made(["supported"] * 4, ["supported"] * 4)
    assert measure.get("flips").value(cases, [Result(f"q{n}", flips=n == 0) for n in range(4)]) == 0.25
    assert measure.get("flips").better == "lower"
    with pytest.raises(InvalidInput, match="not looked at in another order"):
        measure.get("flips").value(cases[:1], [Result("q0")])


def test_accuracy_of_the_surest() -> None:
    cases, _ = made(["supported"] * 6, ["supported"] * 6)
    said = ["supported", "supported", "no", "supported", "no", "no"]
    results = [
        Result(f"q{n}", output=one, confidence=sure) for n, (one, sure) in enumerate(zip(said, (0.9, 0.8, 0.8, 0.8, 0.6, 0.5), strict=True))
    ]
    assert measure.get("sure@100").value(cases, results) == pytest.approx(3 / 6)
    # half: the one of 0.9, and two of the three of 0.8, of which two thirds are right
    assert measure.get("sure@50").value(cases, results) == pytest.approx((1 + 2 * 2 / 3) / 3)
    assert measure.get("sure@1").value(cases, results) == 1.0, "at least one case"
    for name in ("sure@0", "sure@101", "sure"):
        with pytest.raises(InvalidInput, match="sure"):
            measure.get(name)
    with pytest.raises(InvalidInput, match="confidence between 0 and 1"):
        measure.get("sure@50").value(cases[:1], [Result("q0")])
