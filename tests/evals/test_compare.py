"""Comparison: cases worked out by hand, coverage of the intervals and size of the test on simulated data, what is refused."""

from __future__ import annotations

import math
from dataclasses import astuple
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput
from bowerbird.evals.compare import (
    compare,
    compare_many,
    compare_sets,
    holm,
    interval,
    interval_of_set,
    intervals,
    intervals_of_set,
    needed,
    slices,
)


def named(values: list[float] | np.ndarray) -> dict[str, float]:
    return {f"q{place:05}": float(value) for place, value in enumerate(values)}


def test_the_exact_test_is_the_count_of_all_patterns() -> None:
    differences = [0.3, -0.1, 0.4, 0.2, 0.0, 0.5, -0.2, 0.1]
    found = compare(named([0.0] * 8), named(differences))
    seen = abs(sum(differences))
    patterns = [abs(sum(sign * value for sign, value in zip(signs, differences, strict=True))) for signs in product((1, -1), repeat=8)]
    assert found.p == sum(value >= seen - 1e-9 for value in patterns) / 2**8
    assert (found.wins, found.ties, found.losses) == (5, 1, 2)
    assert found.difference.value == pytest.approx(0.15)
    assert found.a == 0.0


def test_all_in_one_direction_has_the_least_p() -> None:
    assert compare(named([0.0] * 10), named([1.0] * 10)).p == 2 / 2**10
    same = compare(named([0.5] * 20), named([0.5] * 20))
    assert (same.p, same.needed, same.decided) == (1.0, None, False)
    assert "equals" in same.sentence()


def test_drawn_patterns_agree_with_all_of_them() -> None:
    rng = np.random.default_rng(3)
    small = rng.normal(0.3, 1, 13)
    exact = compare(named(np.zeros(13)), named(small)).p
    # The same values, each as a pair with a zero, are more than are counted out, and zeros change no pattern.
    drawn = compare(named(np.zeros(26)), named(np.concatenate([small, np.zeros(13)]))).p
    assert drawn == pytest.approx(exact, abs=0.015)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    with pytest.raises(InvalidInput, match="between 0 and 1"):
        holm([0.1, float("nan")])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_raises_and_keeps_the_order(ps: list[float]) -> None:
    corrected = holm(ps)
    assert all(p <= q <= 1 for p, q in zip(ps, corrected, strict=True))
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    assert [corrected[place] for place in order] == sorted(corrected)


def test_needed_by_hand() -> None:
    # mean 0.1 and spread 1: ((1.96 + 0.8416) / 0.1) ** 2 = 784.9
    values = np.array([1.0, -1.0] * 500)
    values = 0.1 + values / values.std(ddof=1)
    assert needed(values) == 785
    assert needed([0.0, 0.0, 0.0]) is None
    assert needed([0.5] * 9) == 6


def test_needed_gives_the_power_it_promises() -> None:
    rng = np.random.default_rng(7)
    count = needed(rng.normal(0.25, 1, 200_000))
    assert count == pytest.approx(126, abs=5)
    draws = rng.normal(0.25, 1, (400, count))
    z = draws.mean(axis=1) / (draws.std(axis=1, ddof=1) / math.sqrt(count))
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.8, abs=0.06)


def test_intervals_cover_the_truth_19_times_in_20() -> None:
    rng = np.random.default_rng(11)
    inside = 0
    for trial in range(400):
        found = interval(named(rng.random(60) < 0.3), seed=trial, resamples=1000)
        inside += found.low <= 0.3 <= found.high
    # binomial spread of 400 trials is 0.011; a percentile interval of 60 items covers a little less than it says
    assert 0.91 <= inside / 400 <= 0.975


def test_p_is_even_when_the_systems_are_alike() -> None:
    rng = np.random.default_rng(5)
    ps = [compare(named(rng.normal(0, 1, 20)), named(rng.normal(0, 1, 20)), seed=trial, resamples=600).p for trial in range(400)]
    counts = np.histogram(ps, bins=10, range=(0, 1))[0]
    assert counts.sum() == 400
    chi_square = ((counts - 40) ** 2 / 40).sum()
    assert chi_square < 27.9  # 0.999 quantile of chi-square with 9 degrees of freedom
    assert np.mean(np.array(ps) < 0.05) == pytest.approx(0.05, abs=0.035)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=6, max_size=30), st.integers(0, 3))
def test_swapping_the_systems_swaps_the_result(differences: list[float], seed: int) -> None:
    a, b = named(np.zeros(len(differences))), named(differences)
    there, back = compare(a, b, seed, 500), compare(b, a, seed, 500)
    assert there.difference.value == pytest.approx(-back.difference.value)
    assert there.p == pytest.approx(back.p)
    assert (there.difference.low, there.difference.high) == pytest.approx((-back.difference.high, -back.difference.low), abs=1e-9)
    assert there.needed == back.needed
    assert (there.wins, there.losses) == (back.losses, back.wins)


def test_the_order_of_items_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    a, b = named(rng.random(40)), named(rng.random(40))
    turned = dict(reversed(b.items()))
    assert compare(a, b) == compare(dict(reversed(a.items())), turned)
    assert interval(b) == interval(turned)
    assert compare(a, b, seed=1).difference != compare(a, b, seed=2).difference


def test_many_are_corrected_together() -> None:
    rng = np.random.default_rng(4)
    a = named(np.zeros(30))
    others = {f"s{n}": named(rng.normal(0.4 if n == 0 else 0.0, 1, 30)) for n in range(4)}
    found = compare_many(a, others)
    assert [found[name].p_many for name in others] == holm([compare(a, others[name]).p for name in others])
    assert all(one.p <= one.p_many for one in found.values())


def test_slices_and_those_too_small() -> None:
    a, b = named(np.zeros(27)), named([1.0] * 12 + [-1.0] * 12 + [1.0] * 3)
    category = {item: "up" if place < 12 else "down" if place < 24 else "few" for place, item in enumerate(a)}
    found, small = slices(a, b, category)
    assert small == {"few": 3}
    assert {name: one.difference.value for name, one in found.items()} == {"up": 1.0, "down": -1.0}
    assert all(one.p_many == 2 * one.p and one.decided for one in found.values())
    with pytest.raises(InvalidInput, match="'q00000' has no category"):
        slices(a, b, {})


def test_sentences() -> None:
    clear = compare(named(np.zeros(40)), named(np.full(40, 0.25)))
    assert clear.sentence("BM25", "dense").startswith("dense is 0.25 above BM25 (95% interval 0.25 to 0.25, p = 0.0001, 40 items)")
    rng = np.random.default_rng(0)
    faint = compare(named(np.zeros(40)), named(rng.normal(0.02, 1, 40)))
    assert faint.sentence().startswith("Undecided: B is")
    assert f"would need about {faint.needed} items" in faint.sentence()


def test_values_of_sets() -> None:
    rng = np.random.default_rng(9)
    values, better = rng.normal(0, 1, 200), rng.normal(1, 1, 200)
    found = interval_of_set(lambda places: float(np.median(values[places])), 200)
    assert found.low < found.value < found.high
    apart = compare_sets(lambda places: float(np.median(values[places])), lambda places: float(np.median(better[places])), 200)
    assert apart.low > 0

    def rarely(places: np.ndarray) -> float:
        if 0 not in places:
            raise InvalidInput("one class only")
        return float(values[places].mean())

    with pytest.raises(InvalidInput, match=r"draws of 200 items have no value: one class only"):
        interval_of_set(rarely, 200)


def test_what_is_refused() -> None:
    good = named([0.1] * 8)
    with pytest.raises(InvalidInput, match="an empty run yields no number"):
        interval({})
    with pytest.raises(InvalidInput, match="has 5 scored items; 6 is the least"):
        interval(named([1.0] * 5))
    with pytest.raises(InvalidInput, match="System B has no finite score for 1 of 8 items, among them 'q00003'"):
        compare(good, {**good, "q00003": math.nan})
    with pytest.raises(InvalidInput, match="no finite score"):
        compare({**good, "q00003": math.inf}, good)
    other = {("z" if item == "q00000" else item): value for item, value in good.items()}
    with pytest.raises(InvalidInput, match="1 are in A alone and 1 in B alone \\('q00000', 'z'\\)"):
        compare(good, other)


def test_intervals_together_are_those_one_by_one() -> None:
    rng = np.random.default_rng(5)
    a, b = ({f"i{place}": float(value) for place, value in enumerate(rng.random(40))} for _ in range(2))
    short = {name: value for name, value in a.items() if name != "i7"}
    together = intervals({"a": a, "b": b, "short": short}, seed=3, resamples=500)
    assert list(together) == ["a", "b", "short"]
    for name, scores in (("a", a), ("b", b), ("short", short)):
        assert astuple(together[name]) == pytest.approx(astuple(interval(scores, seed=3, resamples=500)))
    with pytest.raises(InvalidInput, match="no scored item"):
        intervals({"a": a, "none": {}})


def test_intervals_of_sets_together_are_those_one_by_one() -> None:
    values, draws = np.random.default_rng(4).random(30), []

    def drawn(places: np.ndarray) -> np.ndarray:
        draws.append(places)
        return np.sort(values[places])

    def never(found: np.ndarray) -> float:
        raise InvalidInput("not in these")

    reads = {"least": lambda found: float(found[0]), "middle": lambda found: float(found[15]), "never": never}
    together = intervals_of_set(drawn, reads, 30, seed=3, resamples=50)
    assert len(draws) == 51  # once for all of them
    for name in ("least", "middle"):
        assert together[name] == interval_of_set(lambda places, read=reads[name]: read(drawn(places)), 30, seed=3, resamples=50)
    assert str(together["never"]) == "50 of 50 draws of 30 items have no value: not in these"
