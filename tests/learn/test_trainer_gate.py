"""The gate: it learns where retrieval helps, is judged by what it realises, and says why it cannot be learnt."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra 'train'")

from bowerbird import Engine
from bowerbird.components.gate import NeedGate, surface
from bowerbird.errors import InvalidInput
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.trainer import Only, Setting, TooLittle
from bowerbird.learn.trainers.gate import GateTrainer
from bowerbird.spec import parse
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.library import World
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Scope, Turn

FACTS = ("who built the bower", "when was the treaty signed", "where is the town of", "which river crosses")
SUMS = ("add the numbers", "how much is", "subtract twelve from", "multiply these")


def groups(n: int = 200, seed: int = 0) -> list[Group]:
    """Facts are helped by what is found; sums do as well without."""
    draw = random.Random(seed)
    found = []
    for i in range(n):
        fact = draw.random() < 0.5
        query = f"{draw.choice(FACTS if fact else SUMS)} {i} {draw.randrange(99)}"
        raw = 1.0 if fact else 0.9
        found.append(
            Group(
                query,
                "passage",
                "made",
                (Candidate("a", "x", raw=raw, shown=0), Candidate("b", "y", raw=2.0)),
                nothing=0.1 if fact else 1.0,
            )
        )
    return found


def setting() -> Setting:
    return Setting(None, HashEncoder(128))  # type: ignore[arg-type]


def value(component: NeedGate | None, held: list[Group]) -> float:
    return float(np.mean(list(GateTrainer().scores(held, component, setting())["passage"].values())))


def test_it_is_better_than_always_and_never() -> None:
    fit = GateTrainer().fit(groups(), groups(60, 2), setting())
    held = groups(100, 1)
    never = NeedGate("hash-128", np.zeros(132, np.float32), -9.0, 0.5)
    assert value(fit.component, held) > value(None, held) + 0.03
    assert value(fit.component, held) > value(never, held) + 0.3


def test_what_is_kept_is_what_was_trained(tmp_path: Path) -> None:
    gate = GateTrainer().fit(groups(), [], setting()).component
    gate.save(tmp_path / "g")
    again = NeedGate.load(tmp_path / "g")
    vectors = HashEncoder(128).encode(["add the numbers"])
    assert again.threshold == gate.threshold
    assert np.allclose(again.chances(vectors, ["add the numbers"]), gate.chances(vectors, ["add the numbers"]))
    (tmp_path / "g" / "settings.json").write_text("{}")
    with pytest.raises(InvalidInput, match="no gate"):
        NeedGate.load(tmp_path / "g")


def test_one_class_only_and_too_little_are_said() -> None:
    with pytest.raises(TooLittle, match="helps with every one"):
        GateTrainer().fit([g for g in groups() if g.nothing == 0.1], [], setting())
    with pytest.raises(TooLittle, match="never helps"):
        GateTrainer().fit([g for g in groups() if g.nothing == 1.0], [], setting())
    with pytest.raises(TooLittle, match="at least 30"):
        GateTrainer().check(groups(10))
    assert GateTrainer().usable([Group("q", "passage", "s", (Candidate("a", "x", raw=1.0),))]) == []


def test_surface_of_nothing_and_of_something() -> None:
    assert surface([]).shape == (0, 4)
    assert surface(["A 1?"])[0].tolist() == pytest.approx([np.log1p(2) / 3, 0.25, 1.0, 0.25])


def test_the_stage_asks_the_gate_of_its_scope(bird: Engine) -> None:
    bird.add([{"key": "b", "kind": "passage", "text": "A bowerbird built the bower."}])
    gate = GateTrainer().fit(groups(), groups(60, 2), Setting(bird, bird.encoder)).component
    turns = [Turn(query, Scope("acme", "ann")) for query in ("who built the bower 3", "add the numbers 3 4")]
    done = bird.run(turns, "learned_gate >> bm25", trained=Only("gate", gate))
    assert [turn.retrieves for turn in done] == [True, False]
    assert "with a chance of" in (done[1].decision.why if done[1].decision else "")
    assert all(turn.retrieves for turn in bird.run(turns, "learned_gate >> bm25"))
    other = Only("gate", NeedGate("another", gate.weights, -9.0, 0.9))
    assert "the gate is for another" in (bird.run(turns, "learned_gate", trained=other)[0].decision or turns[0]).why  # type: ignore[union-attr]


class TestLearnedGate(StageSuite):
    def make_stage(self):
        return parse("learned_gate")

    def world(self, shuffle=None):
        made = World(shuffle=shuffle)
        weights = np.linspace(-1, 1, HashEncoder().dim + 4).astype(np.float32)
        made.parts["trained"] = Only("gate", NeedGate(HashEncoder().id, weights, 0.0, 0.5))
        return made
