"""The gate: it learns where retrieval helps, is judged by what it realises, and says why it cannot be learnt."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra 'train'")

from bowerbird import Engine
from bowerbird.components.gate import NeedGate, surface
from bowerbird.errors import InvalidInput
from bowerbird.kinds import kinds
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.trainer import Only, Setting, TooLittle
from bowerbird.learn.trainers.gate import GateTrainer
from bowerbird.spec import parse
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.library import World
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Decision, Scope, Turn

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
    never = replace(fit.component, thresholds=np.array([1.01], np.float32))
    assert value(fit.component, held) > value(None, held) + 0.03
    assert value(fit.component, held) > value(never, held) + 0.3
    dev = fit.about["dev"]
    assert dev.keys() == {"gate", "always", "never", "best of both", "queries"}
    assert max(dev["always"], dev["never"]) < dev["gate"] <= dev["best of both"]


def test_a_chance_is_one() -> None:
    """Facts are helped four times in five, sums once in five: so it says, where the words tell them apart."""
    noisy, held = ([_turned(g, i) for i, g in enumerate(groups(n, seed))] for n, seed in ((1000, 0), (400, 1)))
    gate = GateTrainer().fit(noisy, [], setting()).component
    chances = gate.chances(HashEncoder(128).encode([g.query for g in held]), [g.query for g in held])[:, 0]
    fact = np.array([g.query.startswith(FACTS) for g in held])
    assert chances[fact].mean() == pytest.approx(0.8, abs=0.06)
    assert chances[~fact].mean() == pytest.approx(0.2, abs=0.06)


def _turned(group: Group, place: int) -> Group:
    return replace(
        group, candidates=(Candidate("a", "x", raw=float((place % 5 > 0) is group.query.startswith(FACTS)), shown=0),), nothing=0.5
    )


def test_without_signal_it_does_what_pays_on_average() -> None:
    draw = random.Random(4)
    coin = [replace(g, candidates=(Candidate("a", "x", raw=float(draw.random() < 0.7)),), nothing=0.5) for g in groups(600)]
    gate = GateTrainer().fit(coin[:400], [], setting()).component
    passed = gate.chances(HashEncoder(128).encode([g.query for g in coin[400:]]), [g.query for g in coin[400:]]) >= gate.thresholds
    assert passed.mean() > 0.9


def test_each_kind_has_a_gate_of_its_own(bird: Engine) -> None:
    """Memories help with sums, passages with facts; tools are too few to learn."""
    memories = [replace(g, kind="memory", nothing=0.1 if g.nothing == 1.0 else 1.0) for g in groups(200)]
    tools = [replace(g, kind="tool") for g in groups(20, 5)]
    fit = GateTrainer().fit([*groups(200), *memories, *tools], [], Setting(bird, bird.encoder))
    assert fit.component.kinds == ("memory", "passage")
    assert fit.about["kinds"]["memory"]["queries"] == 200
    ann = Scope("acme", "ann")
    asked: list[tuple[str, tuple[str, ...]]] = [
        ("who built the bower 3", ()),
        ("add the numbers 3 4", ()),
        ("add the numbers 3 4", ("passage",)),
        ("add the numbers 3 4", ("passage", "tool")),
        ("add the numbers 3 4", ("tool",)),
    ]
    done = bird.run([Turn(query, ann, kinds=kinds) for query, kinds in asked], "learned_gate", trained=Only("gate", fit.component))
    decided = [(turn.decision.retrieve, turn.decision.kinds) for turn in done if turn.decision]
    every = tuple(kinds())
    assert decided[0] == (True, tuple(kind for kind in every if kind != "memory")), "what it knows nothing of is left alone"
    assert decided[1] == (True, tuple(kind for kind in every if kind != "passage"))
    assert decided[2:] == [(False, ()), (True, ("tool",)), (True, ())]
    assert "trained on none of these kinds" in done[-1].decision.why  # type: ignore[union-attr]


def test_a_kind_that_always_helps_is_always_asked() -> None:
    always = [replace(g, kind="memory", nothing=0.0) for g in groups(100)]
    gate = GateTrainer().fit([*groups(200), *always], [], setting()).component
    chances = gate.chances(HashEncoder(128).encode(["xylophone"]), ["xylophone"])
    assert chances[0, 0] > gate.thresholds[0]


def test_what_is_kept_is_what_was_trained(tmp_path: Path) -> None:
    gate = GateTrainer().fit(groups(), [], setting()).component
    gate.save(tmp_path / "g")
    again = NeedGate.load(tmp_path / "g")
    vectors = HashEncoder(128).encode(["add the numbers"])
    assert again.thresholds.tolist() == gate.thresholds.tolist()
    assert np.allclose(again.chances(vectors, ["add the numbers"]), gate.chances(vectors, ["add the numbers"]))
    (tmp_path / "g" / "settings.json").write_text('{"encoder": "hash-128", "kinds": ["memory", "passage"]}')
    with pytest.raises(InvalidInput, match="do not fit its 2 kinds"):
        NeedGate.load(tmp_path / "g")
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
    with pytest.raises(TooLittle, match="of one kind with and without retrieval; there are: memory 20, passage 20"):
        GateTrainer().fit([replace(g, kind=kind) for kind in ("memory", "passage") for g in groups(20)], [], setting())
    with pytest.raises(InvalidInput, match="nothing=nan"):
        Group("q", "passage", "s", (Candidate("a", "x", raw=1.0),), nothing=float("nan"))
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
    other = Only("gate", replace(gate, encoder="another"))
    assert "the gate is for another" in (bird.run(turns, "learned_gate", trained=other)[0].decision or turns[0]).why  # type: ignore[union-attr]


def test_what_an_earlier_gate_said_stands() -> None:
    facts = NeedGate(
        HashEncoder().id,
        ("memory", "passage"),
        np.zeros((HashEncoder().dim + 4, 2), np.float32),
        np.array([-3, 3], np.float32),
        np.full(2, 0.5, np.float32),
    )
    world = World()
    world.parts["trained"] = Only("gate", facts)
    stage = parse("learned_gate").bind(world.part)
    before = [Decision(False, "small talk"), Decision(True, "", ("passage", "tool")), Decision(True, "", ("memory", "tool"))]
    done = stage([Turn("who", Scope("acme"), decision=decision) for decision in before])
    assert [turn.retrieves for turn in done] == [False, True, True]
    assert [turn.decision.kinds for turn in done if turn.decision] == [(), ("passage", "tool"), ("tool",)]


class TestLearnedGate(StageSuite):
    def make_stage(self):
        return parse("learned_gate")

    def world(self, shuffle=None):
        made = World(shuffle=shuffle)
        weights = np.linspace(-1, 1, 2 * (HashEncoder().dim + 4)).astype(np.float32).reshape(-1, 2)
        gate = NeedGate(HashEncoder().id, ("memory", "passage"), weights, np.zeros(2, np.float32), np.full(2, 0.5, np.float32))
        made.parts["trained"] = Only("gate", gate)
        return made
