"""Predicting missing cells: on made matrices where the truth is known, and what a race makes of it."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from bowerbird.errors import InvalidInput
from bowerbird.evals.lowrank import predict
from bowerbird.evals.results import Estimate, Item, Run
from bowerbird.evals.undecided import Race


def made(seed: int, systems: int = 6, cases: int = 200, easy: float = 1.0) -> np.ndarray:
    """Systems of different skill on cases of different ease, right or wrong."""
    rng = np.random.default_rng(seed)
    skill, ease = rng.normal(0, 0.7, systems)[:, None], rng.normal(0, easy, cases)[None]
    return (rng.random((systems, cases)) < 1 / (1 + np.exp(-2 * (skill + ease)))).astype(float)


def test_nothing_missing_is_the_mean() -> None:
    cells = made(0)
    found = predict(cells)
    assert found.mean == pytest.approx(cells.mean(axis=1))
    assert found.error == pytest.approx(np.zeros(6))


def test_a_matrix_of_rank_one_is_filled_nearly_as_it_was() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random((5, 1)) * 0.4 + 0.6 + rng.normal(0, 0.5, (5, 1)) * 0.2 + np.outer(rng.random(5) + 0.5, rng.normal(0, 1, 160))
    cells = truth.copy()
    cells[0, 40:] = np.nan
    found = predict(cells, ridge=0.01)
    plain = cells[0, :40].mean()
    assert found.rank >= 1
    assert abs(found.mean[0] - truth[0].mean()) < abs(plain - truth[0].mean()) / 3
    assert abs(found.mean[0] - truth[0].mean()) <= 1.96 * found.error[0]


def test_without_structure_it_is_the_plain_mean() -> None:
    cells = np.random.default_rng(2).random((5, 300))
    cells[1, 60:] = np.nan
    found = predict(cells)
    assert found.rank == 0
    assert found.mean[1] == pytest.approx(np.nanmean(cells[1]), abs=0.01)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    hits, narrower = [], []
    for seed in range(40):
        truth = made(seed)
        cells = truth.copy()
        cells[0, 50:], cells[1, 80:] = np.nan, np.nan
        found = predict(cells, members=16, seed=seed)
        hits += [abs(found.mean[row] - truth[row].mean()) <= 1.96 * found.error[row] for row in (0, 1)]
        narrower.append(found.error[0])
    assert 0.85 <= np.mean(hits) <= 1.0
    assert np.mean(narrower) < 0.1


def test_the_same_seed_gives_the_same_and_too_few_cells_are_refused() -> None:
    cells = made(3)
    cells[2, 30:] = np.nan
    assert predict(cells, seed=4).mean.tolist() == predict(cells, seed=4).mean.tolist()
    cells[2, 5:] = np.nan
    with pytest.raises(InvalidInput, match="at least 8 cells"):
        predict(cells)


def _raced(truth: dict[str, list[float]], batch: int = 16) -> tuple[Race, dict[str, list[Item]], list[str]]:
    """A race over known scores, to its end."""
    cases = len(next(iter(truth.values())))
    race = Race(list(truth), cases, 1e9, ["F1"])
    done: dict[str, list[Item]] = {name: [] for name in truth}
    order = []
    while (name := race.next(done)) is not None:
        start = len(done[name])
        done[name] += [Item(f"c{i}", measures={"F1": truth[name][i]}) for i in range(start, min(cases, start + batch))]
        order.append(name)
    return race, done, order


def test_time_goes_to_what_may_be_best() -> None:
    rng = np.random.default_rng(7)
    means = {"none": 0.1, "random": 0.15, "bm25": 0.55, "dense": 0.5, "oracle": 0.97, "ours": 0.58}
    truth = {name: (rng.random(400) < mean).astype(float).tolist() for name, mean in means.items()}
    race, done, _ = _raced(truth)
    ran = {name: len(items) for name, items in done.items()}
    assert ran["none"] < 100
    assert ran["random"] < 100
    assert ran["oracle"] < 400, "what is told the answer is out once it is clear, and leads nobody"
    assert ran["ours"] == 400 or ran["bm25"] == 400
    assert "ahead of" in next(line for line in race.left(done) if line.startswith("oracle"))
    guesses = race.predicted(done)
    assert set(guesses) == {name for name, count in ran.items() if count < 400}
    assert guesses["none"]["F1"].n == 400
    assert guesses["none"]["F1"].low < 0.2


def test_without_a_limit_one_after_the_other_and_nothing_is_predicted() -> None:
    race = Race(["a", "b"], 4, None, ["F1"])
    done: dict[str, list[Item]] = {"a": [], "b": []}
    for expected in itertools.chain(["a"] * 4, ["b"] * 4):
        assert race.next(done) == expected
        done[expected].append(Item(f"c{len(done[expected])}", measures={"F1": 1.0}))
    assert race.next(done) is None
    assert race.predicted(done) == {}


def test_a_guess_is_kept_apart_from_what_was_measured(tmp_path: Path) -> None:
    named = {name: "" for name in ("task", "kind", "split", "protocol", "data_sha256")}
    run = Run(
        **named,
        systems={"bm25": "bm25"},
        limit=None,
        seed=0,
        budget_tokens=0,
        encoder=None,
        llm=None,
        versions={},
        started=0.0,
        measures={"bm25": {"F1": Estimate(0.5, 0.4, 0.6, 64)}},
        predicted={"bm25": {"F1": Estimate(0.52, 0.45, 0.58, 300)}},
    )
    run.save(tmp_path)
    held = Run.load(tmp_path)
    assert held == run
    assert held.measures["bm25"]["F1"].n == 64
    assert held.guesses == ["bm25: F1 would be about 0.520 (0.450 to 0.580) over all 300 cases, of which 64 were run"]


def test_a_guess_lies_within_what_cases_can_be() -> None:
    rng = np.random.default_rng(3)
    truth = {name: (rng.random(300) < mean).astype(float).tolist() for name, mean in {"none": 0.0, "a": 0.6, "b": 0.5}.items()}
    race, done, _ = _raced(truth)
    guess = race.predicted(done)["none"]["F1"]
    assert 0.0 <= guess.low <= guess.value <= guess.high <= 1.0
