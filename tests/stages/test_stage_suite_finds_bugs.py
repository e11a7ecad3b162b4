"""The suite is worth something only if it finds bugs: each of these is planted, and caught by the check that names it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from bowerbird import table
from bowerbird.errors import BowerbirdError
from bowerbird.flow import Branch, Chain, Fan, Loop, leaves
from bowerbird.roles import Gate, Rerank
from bowerbird.stages.fuse.rrf import RRF
from bowerbird.stages.gate.small_talk import SmallTalk
from bowerbird.stages.rerank.mmr import MMR
from bowerbird.stages.retrieve.bm25 import BM25
from bowerbird.stages.retrieve.dense import Dense
from bowerbird.stages.retrieve.recency import Recency
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Decision

_calls = itertools.count()


class Dropping(Dense):
    """Loses a turn of every batch larger than one."""

    def run(self, turns):
        return super().run(turns)[: max(1, len(turns) - 1)]


class DroppingQuietly(Dense):
    """The same, past the role's own check."""

    def __call__(self, turns):
        return super().__call__(turns)[: max(1, len(turns) - 1)]


class Swapping(Dense):
    """Gives the last two turns back the wrong way round."""

    def __call__(self, turns):
        done = super().__call__(turns)
        return done[:-2] + done[-2:][::-1]


class Sorting(Dense):
    """Results come back in the order of the query texts, on other turns."""

    def search(self, queries):
        order = sorted(range(len(queries)), key=lambda i: queries[i].text)
        return super().search([queries[i] for i in order])


class CallingPerTurn(Dense):
    """One model call a query."""

    def search(self, queries):
        return [super(CallingPerTurn, self).search([query])[0] for query in queries]


class CallingForNothing(Dense):
    """Encodes even when there is nothing to search."""

    def run(self, turns):
        self.encoder.encode(["warm up"])
        return super().run(turns)


class BatchNormalised(BM25):
    """Scores are divided by the best of the batch."""

    def search(self, queries):
        found = super().search(queries)
        best = max((score for pairs in found for _, score in pairs), default=1.0)
        return [[(id, score / best) for id, score in pairs] for pairs in found]


class FirstFilterForAll(Recency):
    """Searches the whole batch under the first turn's filter: a leak between callers."""

    def search(self, queries):
        return super().search([replace(query, filter=queries[0].filter) for query in queries])


class Remembering(BM25):
    """Every other call leaves out the best."""

    def search(self, queries):
        offset = next(_calls) % 2
        return [pairs[offset:] for pairs in super().search(queries)]


class StoreOrdered(Dense):
    """Scores records by their place in the store's list, ties and all."""

    def search(self, queries):
        same = np.zeros((1, 64), dtype=np.float32)
        found = [self.store.search_dense("hash-64", same, self.k, query.filter)[0] for query in queries]
        return [[(id, -float(place)) for place, (id, _) in enumerate(pairs)] for pairs in found]


@dataclass(frozen=True)
class RankReranker(Rerank):
    """Scores a hit by where it stood."""

    name: ClassVar[str] = "rank_reranker"

    def rerank(self, turns):
        return [{hit.id: 1.0 / rank for rank, hit in enumerate(turn.hits, start=1)} for turn in turns]


class Mutating(MMR):
    """Writes into the hits it was given."""

    def rerank(self, turns):
        for turn in turns:
            for hit in turn.hits:
                hit.scores["mutating"] = 1.0
        return super().rerank(turns)


class Clearing(Recency):
    """Empties the list of turns it was called with."""

    def __call__(self, turns):
        done = super().__call__(turns)
        turns.clear()
        return done


class Silent(Dense):
    """Leaves no step."""

    def __call__(self, turns):
        return [replace(done, trace=turn.trace) for done, turn in zip(super().__call__(turns), turns, strict=True)]


class Forgetful(Dense):
    """Drops the steps before its own."""

    def __call__(self, turns):
        return [replace(turn, trace=turn.trace[-1:]) for turn in super().__call__(turns)]


class Unserialisable(Dense):
    """Puts something into the trace that is no JSON."""

    def run(self, turns):
        return [(turn, {**info, "ids": {1, 2}}) for turn, info in super().run(turns)]


class UnparsableText(Dense):
    """Prints its settings without their names."""

    name: ClassVar[str] = "unparsable"

    def __str__(self):
        return f"{self.name}({self.k})"


class HidingSettings(Dense):
    """Prints its name alone."""

    name: ClassVar[str] = "hiding"

    def __str__(self):
        return self.name


@dataclass(frozen=True)
class PrintsItsPart(Dense):
    """Writes a bound part into a setting."""

    name: ClassVar[str] = "prints_its_part"
    model: str = ""

    def bind(self, parts):
        return replace(super().bind(parts), model=parts("encoder").id)


class Unlisted(Dense):
    """Goes by the name of another."""

    name: ClassVar[str] = "bm25"


class Hungry(Dense):
    """Searches although a gate said no."""

    def run(self, turns):
        return super().run(tuple(replace(turn, decision=None) for turn in turns))


class BindsNothing(Dense):
    """Finds out what is missing when it runs."""

    def bind(self, parts):
        return replace(self, encoder=parts("encoder"), store=parts("store"))


class Placed(Gate):
    """Decides by a turn's place in the batch."""

    name: ClassVar[str] = "placed"

    def decide(self, turns):
        return [Decision(place % 2 == 0, "place") for place, _ in enumerate(turns)]


class SwappingLoop(Loop):
    """Puts the turns back in the wrong places after a second round."""

    def __call__(self, turns):
        done = super().__call__(turns)
        again = [i for i, turn in enumerate(done) if len(turn.trace) > 2]
        moved = dict(zip(again, again[1:] + again[:1], strict=True))
        return [done[moved.get(i, i)] for i in range(len(done))]


class UnorderedBranch(Branch):
    """All the yes turns, then all the no turns."""

    def __call__(self, turns):
        return sorted(super().__call__(turns), key=lambda turn: not turn.trace[0].info["retrieve"])


class ForgettingFan(Fan):
    """Keeps the first arm's trace only."""

    def __call__(self, turns):
        done = super().__call__(turns)
        return [
            replace(turn, trace=(*turn.trace[: len(before.trace) + 1], turn.trace[-1])) for turn, before in zip(done, turns, strict=True)
        ]


class SharingFan(Fan):
    """Gives every turn the hits of the first."""

    def __call__(self, turns):
        done = super().__call__(turns)
        return [replace(turn, hits=done[0].hits) for turn in done]


class SkippingChain(Chain):
    """Runs its last stage on the first turn alone."""

    def __call__(self, turns):
        return super().__call__(turns)[:1] + Chain(self.stages[:-1])(turns)[1:]


BM, DE = BM25(k=3), Dense(k=3)
PLANTED = [
    (Dropping(), "test_order_of_the_turns_does_not_matter"),
    (DroppingQuietly(), "test_every_turn_keeps_its_place"),
    (Swapping(), "test_every_turn_keeps_its_place"),
    (Swapping(), "test_place_in_a_loop"),
    (Swapping(), "test_place_in_a_branch"),
    (Swapping(), "test_place_in_a_chain_and_a_fan"),
    (Sorting(), "test_batch_equals_singles"),
    (Sorting(), "test_same_turn_twice"),
    (CallingPerTurn(), "test_one_model_call_a_batch"),
    (CallingForNothing(), "test_no_work_where_a_gate_said_no"),
    (BatchNormalised(), "test_batch_equals_singles"),
    (FirstFilterForAll(), "test_batch_equals_singles"),
    (FirstFilterForAll(), "test_order_of_the_turns_does_not_matter"),
    (Remembering(), "test_again_gives_the_same"),
    (Remembering(), "test_threads"),
    (StoreOrdered(), "test_order_of_the_store_does_not_show"),
    (RankReranker(), "test_order_of_the_hits_does_not_show"),
    (Mutating(), "test_inputs_are_untouched"),
    (Clearing(), "test_inputs_are_untouched"),
    (Silent(), "test_trace_is_complete"),
    (Forgetful(), "test_trace_is_complete"),
    (Unserialisable(), "test_trace_is_complete"),
    (UnparsableText(k=3), "test_spec_round_trip"),
    (HidingSettings(k=3), "test_spec_round_trip"),
    (PrintsItsPart(), "test_spec_round_trip"),
    (Hungry(), "test_no_work_where_a_gate_said_no"),
    (BindsNothing(), "test_missing_parts_are_said_before_it_runs"),
    (Placed(), "test_batch_equals_singles"),
    (SwappingLoop(BM, 2, SmallTalk()), "test_every_turn_keeps_its_place"),
    (UnorderedBranch(Placed(), BM, DE), "test_every_turn_keeps_its_place"),
    (ForgettingFan((BM, DE), RRF()), "test_trace_is_complete"),
    (SharingFan((BM, DE), RRF()), "test_batch_equals_singles"),
    (SkippingChain((DE, MMR(top=1))), "test_trace_is_complete"),
]


class Sound(Dense):
    """No bug: what the checks must let pass when a stage is no built-in one."""

    name: ClassVar[str] = "sound"


@pytest.fixture
def suite(monkeypatch):
    """The suite over a stage whose leaves are found by name, as if a package had brought them."""
    load, names = table.load, table.names

    def over(stage):
        brought = {leaf.name: type(leaf) for leaf in leaves(stage)}
        monkeypatch.setattr(table, "load", lambda group, name: brought.get(name) or load(group, name))
        monkeypatch.setattr(table, "names", lambda group: {**names(group), **{name: ("test:test", "test") for name in brought}})
        made = StageSuite()
        monkeypatch.setattr(made, "make_stage", lambda: stage)
        return made

    return over


def _run(suite, check):
    getattr(suite, check)(*((3,) if check == "test_place_in_a_loop" else ()))


@pytest.mark.parametrize(("broken", "check"), PLANTED, ids=lambda value: value if isinstance(value, str) else type(value).__name__)
def test_planted_bugs_are_caught(suite, broken, check):
    # pytest.fail() raises Failed ("did not raise"), which is no AssertionError.
    with pytest.raises((AssertionError, BowerbirdError, TypeError, pytest.fail.Exception)):
        _run(suite(broken), check)


@pytest.mark.parametrize("check", sorted({check for _, check in PLANTED} - {"test_order_of_the_hits_does_not_show"}))
def test_a_sound_stage_passes_the_same_checks(suite, check):
    _run(suite(Sound(k=3)), check)


def test_a_stage_under_the_name_of_another_is_caught(monkeypatch):
    suite = StageSuite()
    monkeypatch.setattr(suite, "make_stage", Unlisted)
    with pytest.raises(AssertionError):
        suite.test_found_by_name()
