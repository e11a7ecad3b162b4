"""Conformance suite of stages: inherit it, give the stage, and pytest runs it. It tests leaves and whole pipelines alike.

    class TestMine(StageSuite):
        def make_stage(self): return Mine(k=3)                  # unbound; the suite binds it to doubles that count calls
        def turns(self): return [Turn("...", Scope("acme")), ...]  # optional: at least three, told apart by id or query

It checks the contract of `bowerbird.stage` (length, order, place, independence, one model call, trace, spec, purity),
not how well a method ranks, filters or writes.
"""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import pytest

from bowerbird import table
from bowerbird.errors import CapabilityMissing
from bowerbird.flow import Branch, Chain, Fan, Loop, leaves
from bowerbird.roles import Fuse, Gate, Rerank, Retrieve, Rewrite
from bowerbird.spec import parse
from bowerbird.stage import Leaf, Stage
from bowerbird.testing.library import World, some_turns
from bowerbird.types import Decision, Step, Turn

__all__ = ["StageSuite"]

_ASKED = ("query", "scope", "id", "kinds", "where", "at", "stale", "keys", "budget", "conversation", "history", "previous")


class StageSuite:
    """What every stage must do. Override `make_stage`, and `turns` or `world` where the defaults do not exercise it."""

    def make_stage(self) -> Stage:
        """The stage under test, its parts unbound."""
        raise NotImplementedError("Give the stage under test: override make_stage().")

    def turns(self) -> Sequence[Turn]:
        """What it is tested on; fresh ones at every call."""
        return some_turns()

    def world(self, shuffle: int | None = None) -> World:
        """The parts it is bound to."""
        return World(shuffle=shuffle)

    # --- batches ---

    def test_empty_batch(self) -> None:
        world = self.world()
        assert self.make_stage().bind(world.part)([]) == []
        assert world.calls == {}, f"an empty batch called {world.calls}"

    def test_batch_equals_singles(self) -> None:
        stage, turns = self._bound(), self._turns()
        _assert_same(stage(turns), [stage([turn])[0] for turn in turns])

    def test_order_of_the_turns_does_not_matter(self) -> None:
        stage, turns = self._bound(), self._turns()
        expected = stage(turns)
        for seed in range(3):
            order = list(range(len(turns)))
            random.Random(seed).shuffle(order)
            _assert_same(stage([turns[i] for i in order]), [expected[i] for i in order])

    def test_same_turn_twice(self) -> None:
        stage, turns = self._bound(), self._turns()
        expected = stage(turns)
        doubled = stage([turn for turn in turns for _ in range(2)])
        _assert_same(doubled[::2], expected)
        _assert_same(doubled[1::2], expected)

    def test_again_gives_the_same(self) -> None:
        stage, turns = self._bound(), self._turns()
        _assert_same(stage(turns), stage(turns))
        _assert_same(stage(turns), self._bound()(turns))

    def test_threads(self) -> None:
        stage, turns = self._bound(), self._turns()
        expected = stage(turns)
        with ThreadPoolExecutor(4) as pool:
            for done in pool.map(lambda _: stage(turns), range(8)):
                _assert_same(done, expected)

    # --- places ---

    def test_every_turn_keeps_its_place(self) -> None:
        turns = self._turns()
        _assert_places(self._bound()(turns), turns)

    def test_place_in_a_chain_and_a_fan(self) -> None:
        stage, turns = self._bound(), self._turns()
        alone = [stage([turn])[0] for turn in turns]
        _assert_same(_Same() >> stage >> _Same(), alone, turns, trace=False)
        fan = Fan((stage, _Same(), stage), _Best())
        done = fan(turns)
        _assert_places(done, turns)
        fresh = [stage([replace(turn, hits=())])[0] for turn in turns]
        for turn, expected in zip(done, fresh, strict=True):
            assert sorted(hit.id for hit in turn.hits) == sorted({hit.id for hit in expected.hits})

    def test_place_in_a_branch(self) -> None:
        stage, turns = self._bound(), self._turns()
        some = frozenset(_who(turn) for turn in turns[::2])
        expected = [stage([turn])[0] if _who(turn) in some else turn for turn in turns]
        _assert_same(Branch(_Chosen(some), stage, _Same()), expected, turns, trace=False)
        _assert_same(Branch(_Chosen(frozenset(map(_who, turns)) - some), _Same(), stage), expected, turns, trace=False)

    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_place_in_a_loop(self, times: int) -> None:
        stage, turns = self._bound(), self._turns()
        rounds = {_who(turn): 1 + place % 3 for place, turn in enumerate(turns)}
        expected = []
        for turn in turns:
            for _ in range(min(times, rounds[_who(turn)])):
                turn = stage([turn])[0]
            expected.append(turn)
        _assert_same(Loop(stage, times, _Rounds(tuple(rounds.items()))), expected, turns, trace=False)

    # --- independence ---

    def test_order_of_the_store_does_not_show(self) -> None:
        turns = self._turns()
        expected = self._bound()(turns)
        for seed in range(3):
            _assert_same(self.make_stage().bind(self.world(shuffle=seed).part)(turns), expected)

    def test_order_of_the_hits_does_not_show(self) -> None:
        """For stages that rank what they are given: they score each hit, wherever it stood."""
        if not isinstance(self.make_stage(), Rerank):
            pytest.skip("only for rerankers: elsewhere the order of the hits says something")
        stage, turns = self._bound(), self._turns()
        expected = stage(turns)
        for seed in range(3):
            mixed = [replace(turn, hits=tuple(random.Random(seed).sample(turn.hits, len(turn.hits)))) for turn in turns]
            _assert_same(stage(mixed), expected)

    def test_inputs_are_untouched(self) -> None:
        stage, turns = self._bound(), self._turns()
        before, members = _plain(turns, times=True), list(turns)
        stage(turns)
        assert len(turns) == len(members), "the list of turns was changed"
        assert all(turn is member for turn, member in zip(turns, members, strict=True)), "the list of turns was changed"
        assert _plain(turns, times=True) == before, "a turn was changed in place"

    # --- calls ---

    def test_one_model_call_a_batch(self) -> None:
        world, turns = self.world(), self._turns()
        stage = self.make_stage().bind(world.part)
        stage(turns + [replace(turn, id=f"{turn.id}+", query=f"{turn.query} please") for turn in turns])
        most = _passes(stage)
        for part, calls in world.calls.items():
            assert calls <= most, f"{part} was called {calls} times for one batch; {most} would do"

    def test_no_work_where_a_gate_said_no(self) -> None:
        """Retrievers and rewriters leave such turns alone, and a batch of them calls no model."""
        if not isinstance(self.make_stage(), (Retrieve, Rewrite)):
            pytest.skip("only for retrievers and rewriters")
        world = self.world()
        stopped = [replace(turn, decision=Decision(False, "test")) for turn in self._turns()]
        done = self.make_stage().bind(world.part)(stopped)
        assert world.calls == {}
        assert all(turn.decision == Decision(False, "test") for turn in done)
        if isinstance(self.make_stage(), Retrieve):
            assert not any(turn.hits for turn in done)

    def test_missing_parts_are_said_before_it_runs(self) -> None:
        stage = self.make_stage()
        needs = [
            field.metadata["part"]
            for leaf in leaves(stage)
            for field in fields(leaf)
            if "part" in field.metadata and not field.metadata["optional"] and getattr(leaf, field.name) is None
        ]
        if needs:
            with pytest.raises(CapabilityMissing):
                stage.bind(lambda name: None)
        else:
            stage.bind(lambda name: None)

    # --- trace ---

    def test_trace_is_complete(self) -> None:
        stage, turns = self._bound(), self._turns()
        some = frozenset(_who(turn) for turn in turns[::2])
        rounds = tuple((_who(turn), 1 + place % 3) for place, turn in enumerate(turns))
        for whole in (
            stage,
            stage >> stage,
            Fan((stage, stage), _Best()),
            Branch(_Chosen(some), stage, stage),
            Loop(stage, 3, _Rounds(rounds)),
        ):
            for turn, before in zip(whole(turns), turns, strict=True):
                assert turn.trace[: len(before.trace)] == before.trace, f"{whole} changed earlier steps"
                steps = turn.trace[len(before.trace) :]
                end = _walk(whole, steps, 0)
                assert end == len(steps), f"steps of no stage: {[step.stage for step in steps[end:]]}"
                for step in steps:
                    assert math.isfinite(step.seconds)
                    assert step.seconds >= 0
                    json.dumps(dict(step.info), allow_nan=False)

    # --- specs ---

    def test_spec_round_trip(self) -> None:
        stage = self.make_stage()
        assert parse(str(stage)) == stage
        assert str(parse(str(stage))) == str(stage)
        assert str(self._bound()) == str(stage), "a bound part shows in the spec"

    def test_found_by_name(self) -> None:
        for leaf in leaves(self.make_stage()):
            assert table.load("stages", leaf.name) is type(leaf)
            assert leaf.role

    # --- what the checks above share ---

    def _bound(self) -> Stage:
        return self.make_stage().bind(self.world().part)

    def _turns(self) -> list[Turn]:
        turns = list(self.turns())
        assert len({_who(turn) for turn in turns}) == len(turns) >= 3, "turns() needs at least three turns, told apart by id or query"
        return turns


# --- doubles ----------------------------------------------------------------------------------------------------------


def _who(turn: Turn) -> tuple[str, str]:
    return (turn.id, turn.query)


@dataclass(frozen=True)
class _Same(Stage):
    """Hands its turns on."""

    def __call__(self, turns: Sequence[Turn]) -> list[Turn]:
        return list(turns)

    def bind(self, parts: Callable[[str], object | None]) -> _Same:
        return self


@dataclass(frozen=True)
class _Chosen(Gate):
    """Yes for the turns it was given."""

    name: ClassVar[str] = "chosen"
    some: frozenset[tuple[str, str]] = frozenset()

    def decide(self, turns: Sequence[Turn]) -> list[Decision]:
        return [Decision(_who(turn) in self.some, "chosen") for turn in turns]


@dataclass(frozen=True)
class _Rounds(Gate):
    """Lets each turn go after as many rounds as it was given; it reads how many there were off the trace."""

    name: ClassVar[str] = "rounds"
    rounds: tuple[tuple[tuple[str, str], int], ...] = ()

    def decide(self, turns: Sequence[Turn]) -> list[Decision]:
        wanted = dict(self.rounds)
        return [Decision(1 + sum(step.stage == str(self) for step in turn.trace) < wanted[_who(turn)], "rounds") for turn in turns]


@dataclass(frozen=True)
class _Best(Fuse):
    """Each record's best score."""

    name: ClassVar[str] = "best"

    def fuse(self, lists: Sequence[Sequence[tuple[int, float]]]) -> Mapping[int, float]:
        best: dict[int, float] = {}
        for id, score in (pair for pairs in lists for pair in pairs):
            best[id] = max(score, best.get(id, score))
        return best


# --- comparing --------------------------------------------------------------------------------------------------------


def _assert_same(done: Stage | Sequence[Turn], expected: Sequence[Turn], turns: Sequence[Turn] = (), trace: bool = True) -> None:
    """The same turns, scores within 1e-5. `done` may be a stage to run on `turns`. Without `trace`, and then without decisions."""
    if isinstance(done, Stage):
        done = done(turns)
    assert len(done) == len(expected), f"{len(done)} turns came back instead of {len(expected)}"
    for place, (one, other) in enumerate(zip(done, expected, strict=True)):
        if not trace:
            one, other = replace(one, trace=(), decision=None), replace(other, trace=(), decision=None)
        apart = _apart(_plain(one), _plain(other), f"turn {place}")
        assert apart is None, apart


def _assert_places(done: Sequence[Turn], turns: Sequence[Turn]) -> None:
    assert len(done) == len(turns), f"{len(done)} turns came back instead of {len(turns)}"
    for after, before in zip(done, turns, strict=True):
        for name in _ASKED:
            assert _plain(getattr(after, name)) == _plain(getattr(before, name)), (
                f"{name} of turn {before.id!r} changed: is it another turn?"
            )


def _plain(value: Any, times: bool = False) -> Any:
    """`value` as lists, dicts and atoms; without the times of steps unless `times`."""
    if isinstance(value, Step) and not times:
        value = replace(value, seconds=0.0)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"": type(value).__name__} | {field.name: _plain(getattr(value, field.name), times) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item, times) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, times) for item in value]
    return value


def _apart(one: Any, other: Any, where: str) -> str | None:
    """Where two plain values differ, or None."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return f"{where}: {sorted(map(str, one))} instead of {sorted(map(str, other))}"
        found = (_apart(one[name], other[name], f"{where}.{name}") for name in one)
        return next((apart for apart in found if apart), None)
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{where}: {len(one)} instead of {len(other)} items"
        found = (_apart(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(one, other, strict=True)))
        return next((apart for apart in found if apart), None)
    if isinstance(one, float) and isinstance(other, float):
        return None if math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-6) else f"{where}: {one} instead of {other}"
    return None if type(one) is type(other) and one == other else f"{where}: {one!r} instead of {other!r}"


# --- walking a pipeline -----------------------------------------------------------------------------------------------


def _passes(stage: Stage) -> int:
    """How many leaves run at most for one batch."""
    if isinstance(stage, Chain):
        return sum(map(_passes, stage.stages))
    if isinstance(stage, Fan):
        return sum(map(_passes, stage.arms)) + 1
    if isinstance(stage, Branch):
        return 1 + _passes(stage.yes) + _passes(stage.no)
    if isinstance(stage, Loop):
        return stage.times * (_passes(stage.body) + (1 if stage.until else 0))
    return 1


def _walk(stage: Stage, steps: Sequence[Step], place: int) -> int:
    """The place after the steps that `stage` leaves, reading at gates which way the turn went."""
    if isinstance(stage, Leaf):
        assert place < len(steps), f"{stage} left no step in the trace"
        step = steps[place]
        assert (step.stage, step.role) == (str(stage), stage.role), f"{stage} should stand in the trace where {step.stage} stands"
        return place + 1
    if isinstance(stage, Chain):
        for inner in stage.stages:
            place = _walk(inner, steps, place)
    elif isinstance(stage, Fan):
        for inner in (*stage.arms, stage.fuser):
            place = _walk(inner, steps, place)
    elif isinstance(stage, Branch):
        place = _walk(stage.gate, steps, place)
        place = _walk(stage.yes if steps[place - 1].info["retrieve"] else stage.no, steps, place)
    elif isinstance(stage, Loop):
        for _ in range(stage.times):
            place = _walk(stage.body, steps, place)
            if stage.until is not None:
                place = _walk(stage.until, steps, place)
                if not steps[place - 1].info["retrieve"]:
                    break
    return place
