"""Chain, Fan, Branch and Loop, and the roles' own work: records looked up, scores kept apart, steps in the trace."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from bowerbird.errors import BowerbirdError, CapabilityMissing, InvalidInput
from bowerbird.flow import Branch, Chain, Fan, Loop, leaves, waiting
from bowerbird.ports import LogLikelihood
from bowerbird.roles import Gate, Query, Read, Refine, Rerank, Retrieve, Rewrite, ranked
from bowerbird.spec import parse
from bowerbird.stage import Leaf, part
from bowerbird.stages.fuse.rrf import RRF
from bowerbird.stages.gate.always import Always
from bowerbird.stages.gate.never import Never
from bowerbird.testing.library import RECORDS, MemoryLibrary, World
from bowerbird.testing.llms import ScoringLLM, ScriptedLLM
from bowerbird.types import Answer, Decision, Hit, Scope, Turn

ACME = Scope("acme")
BY_KEY = {record.key: record for record in RECORDS}


@dataclass(frozen=True)
class Found(Retrieve):
    """Finds what it is told to; `slow` seconds a call."""

    name: ClassVar[str] = "found"
    pairs: tuple[tuple[int, float], ...] = ()
    slow: float = 0.0

    def search(self, queries: Sequence[Query]):
        time.sleep(self.slow)
        return [self.pairs for _ in queries]


class Waiting(Found):
    waits: ClassVar[bool] = True


@dataclass(frozen=True)
class Longer(Rewrite):
    name: ClassVar[str] = "longer"

    def rewrite(self, turns):
        return [((*turn.asked, turn.query + "!"), {"tokens": 3}) for turn in turns]


@dataclass(frozen=True)
class Until(Gate):
    """Retrieves until a turn has that many queries."""

    name: ClassVar[str] = "until"
    queries: int = 3

    def decide(self, turns):
        return [Decision(len(turn.asked) < self.queries, "counted") for turn in turns]


@dataclass(frozen=True)
class Says(Read):
    name: ClassVar[str] = "says"
    llm: LogLikelihood = part("llm", power=LogLikelihood)

    def read(self, turns):
        return [(Answer(f"{len(turn.hits)} hits"), {}) for turn in turns]


def turn(query="q", **fields) -> Turn:
    return Turn(query, ACME, **fields)


def test_chains_are_flat_and_run_in_order():
    chain = Longer() >> (Longer() >> Found(pairs=((1, 1.0),)))
    assert len(chain.stages) == 3
    assert chain == (Longer() >> Longer()) >> Found(pairs=((1, 1.0),))
    [done] = chain([turn()])
    assert done.queries == ("q", "q!", "q!")
    assert [step.stage for step in done.trace] == ["longer", "longer", str(Found(pairs=((1, 1.0),)))]
    assert done.trace[0].info == {"queries": ["q", "q!"], "tokens": 3}
    with pytest.raises(InvalidInput, match="at least one stage"):
        Chain(())


def test_a_fan_merges_by_record_and_keeps_both_scores():
    fan = Fan((Found(pairs=((1, 9.0), (2, 4.0))), Found(pairs=((2, 0.9), (3, 0.1)))), RRF())
    [done] = fan([turn(hits=(Hit(77, 1.0),))])
    assert [hit.id for hit in done.hits] == [2, 1, 3]
    assert dict(done.hits[0].scores) == {"found": 4.0, "found#2": 0.9, "rrf": 1 / 61 + 1 / 62}
    assert dict(done.hits[2].scores) == {"found#2": 0.1, "rrf": 1 / 62}
    assert [step.role for step in done.trace] == ["retrieve", "retrieve", "fuse"]
    assert done.trace[-1].info == {"from": [2, 2], "hits": 3}


def test_scores_of_chained_and_nested_arms_stay_apart():
    """An arm's reranked score is no other arm's retrieval score, whichever arm held the record."""
    spec = parse("rrf(bm25 >> cross_encoder, bm25(k=3) >> cross_encoder, rrf(bm25, dense))").bind(World().part)
    [done] = spec([turn("blue bower")])
    [bm25] = parse("bm25").bind(World().part)([turn("blue bower")])
    true = {hit.id: hit.score for hit in bm25.hits}
    for hit in done.hits:
        own = {name: score for name, score in hit.scores.items() if name.startswith("bm25")}
        assert set(own.values()) <= {true.get(hit.id)}
    first = done.hits[0].scores
    assert set(first) == {"bm25", "cross_encoder", "bm25#2", "cross_encoder#2", "bm25#3", "dense", "rrf#2", "rrf"}
    assert first["cross_encoder"] == first["cross_encoder#2"] == 1.0
    assert first["rrf"] == done.hits[0].score


def test_a_record_that_a_list_holds_twice_counts_once():
    @dataclass(frozen=True)
    class Twice(Rerank):
        name: ClassVar[str] = "twice"

        def run(self, turns):
            return [(replace(turn, hits=(Hit(5, 2.0), Hit(5, 1.0), Hit(6, 0.5))), {}) for turn in turns]

        def rerank(self, turns):
            return []

    [done] = Fan((Twice(),), RRF(k=0))([turn()])
    assert [(hit.id, hit.score) for hit in done.hits] == [(5, 1.0), (6, 0.5)]


def test_top_cuts_after_merging():
    [done] = Fan((Found(pairs=((1, 3.0), (2, 2.0), (3, 1.0))),), RRF(top=2))([turn()])
    assert [hit.id for hit in done.hits] == [1, 2]


def test_arms_that_wait_overlap_and_others_do_not():
    # 2 x 0.2 s one after the other take at least 0.4 s; side by side, half of that and some.
    for kind, least, most in ((Waiting, 0.2, 0.39), (Found, 0.4, 5.0)):
        fan = Fan((kind(slow=0.2), kind(slow=0.2)), RRF())
        assert waiting(fan) is (kind is Waiting)
        start = time.perf_counter()
        fan([turn()])
        assert least <= time.perf_counter() - start < most


def test_an_arm_in_a_thread_fails_aloud():
    class Broken(Waiting):
        def search(self, queries):
            raise RuntimeError(threading.current_thread().name)

    with pytest.raises(RuntimeError, match="ThreadPool"):
        Fan((Broken(), Waiting()), RRF())([turn()])


def test_a_branch_sends_each_turn_one_way_and_uses_its_decision_up():
    branch = Branch(Until(queries=2), Found(pairs=((1, 1.0),)), Longer())
    one, two, three = branch([turn("a"), turn("b", queries=("x", "y")), turn("c")])
    assert [hit.id for hit in one.hits] == [hit.id for hit in three.hits] == [1]
    assert two.hits == ()
    assert two.queries == ("x", "y", "b!")
    assert one.decision is two.decision is None
    assert [step.role for step in one.trace] == ["gate", "retrieve"]


def test_a_branch_keeps_the_decision_that_stood_before():
    stopped = turn(decision=Decision(False, "before"))
    [done] = Branch(Always(), Found(pairs=((1, 1.0),)), Found())([stopped])
    assert done.decision == Decision(False, "before")
    assert done.hits == ()


def test_gates_overrule_one_another_in_a_chain():
    [done] = (Never() >> Always() >> Found(pairs=((1, 1.0),)))([turn()])
    assert len(done.hits) == 1
    [done] = (Always() >> Never() >> Found(pairs=((1, 1.0),)))([turn()])
    assert done.hits == ()
    assert done.trace[-1].info == {"hits": 0, "skipped": True}


def test_a_loop_lets_each_turn_go_when_it_is_done():
    loop = Loop(Longer(), times=5, until=Until(queries=4))
    done = loop([turn("a"), turn("b", queries=("1", "2", "3")), turn("c")])
    assert [len(turn.queries) for turn in done] == [4, 4, 4]
    assert [sum(step.role == "rewrite" for step in turn.trace) for turn in done] == [3, 1, 3]
    assert all(turn.decision is None for turn in done)
    assert [len(turn.queries) for turn in Loop(Longer(), times=2)([turn("a")])] == [3]


@pytest.mark.parametrize("times", [0, 101, True, 2.0, "2"])
def test_a_loop_has_a_bound(times):
    with pytest.raises(InvalidInput, match="whole number from 1 to 100"):
        Loop(Longer(), times)


def test_the_gates_kinds_narrow_the_search():
    @dataclass(frozen=True)
    class Tools(Gate):
        name: ClassVar[str] = "tools"

        def decide(self, turns):
            return [Decision(True, "a tool would do", ("tool",)) for _ in turns]

    [done] = (Tools() >> parse("recency")).bind(World().part)([turn(kinds=("passage", "tool"))])
    assert {hit.id for hit in done.hits} == {BY_KEY["weather"].id, BY_KEY["mail"].id}


def test_refiners_see_records_and_may_cut_spans():
    @dataclass(frozen=True)
    class FirstWords(Refine):
        name: ClassVar[str] = "first_words"

        def refine(self, turns):
            return [[replace(hit, span=(0, 3)) for hit in turn.hits if "bird" in hit.text] for turn in turns]

    stage = FirstWords().bind({"library": MemoryLibrary(RECORDS)}.get)
    hits = tuple(Hit(BY_KEY[key].id, 1.0) for key in ("stove", "bower"))
    done, empty = stage([turn(hits=hits), turn("no hits")])
    assert [hit.text for hit in done.hits] == ["The"]
    assert done.trace[0].info == {"from": 2, "hits": 1}
    assert empty.trace[0].info == {"from": 0, "hits": 0}


def test_what_a_part_cannot_do_is_said_when_it_is_bound():
    with pytest.raises(CapabilityMissing, match=r"says needs log-likelihoods from its model; scripted has completion, chat, streaming"):
        Says().bind({"llm": ScriptedLLM()}.get)
    with pytest.raises(CapabilityMissing, match="says needs a language model"):
        (Longer() >> Fan((Longer() >> Says(),), RRF())).bind(lambda name: None)
    bound = Says().bind({"llm": ScoringLLM()}.get)
    assert bound == Says()
    assert bound.bind(lambda name: None) is not None


def test_a_stage_that_loses_a_turn_is_stopped():
    @dataclass(frozen=True)
    class Loses(Leaf):
        name: ClassVar[str] = "loses"

        def run(self, turns):
            return [(turn, {}) for turn in turns[1:]]

    with pytest.raises(BowerbirdError, match="loses returned 1 turns for 2"):
        Loses()([turn("a"), turn("b")])


def test_ranked_breaks_ties_by_id():
    assert ranked({9: 1.0, 3: 1.0, 5: 2.0}) == [(5, 2.0), (3, 1.0), (9, 1.0)]


def test_leaves_in_the_order_they_run():
    spec = "small_talk >> rrf(bm25, dense >> mmr) >> loop(branch(always, keys, none), until=never)"
    names = [leaf.name for leaf in leaves(parse(spec))]
    assert names == ["small_talk", "bm25", "dense", "mmr", "rrf", "always", "keys", "none", "never"]


def test_seconds_are_shared_among_the_turns():
    done = Found(slow=0.1)([turn(str(i)) for i in range(4)])
    assert sum(turn.trace[0].seconds for turn in done) >= 0.1
    assert len({turn.trace[0].seconds for turn in done}) == 1
