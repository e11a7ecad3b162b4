"""Batches: of one kind and source, all groups in turn, and nobody's help taken for a negative."""

from __future__ import annotations

import math
import random

import pytest

from bowerbird.errors import InvalidInput
from bowerbird.learn.batches import Batch, drawn, planned
from bowerbird.learn.groups import Candidate, Group, alike


def groups(n: int, kind: str, source: str = "made") -> list[Group]:
    return [Group(f"q{i}", kind, source, (Candidate(f"k{i}", f"text {i}", 1.0),)) for i in range(n)]


def test_batches_are_of_one_kind_and_source_and_cover_all() -> None:
    mixed = [*groups(40, "passage"), *groups(37, "tool"), *groups(20, "tool", "other")]
    plan = planned(mixed, 8, 100, seed=1)
    assert all(len({(mixed[place].kind, mixed[place].source) for place in batch}) == 1 for batch in plan)
    first = plan[:14]  # 5 + 5 + 3 blocks, but for a block of one
    assert len({place for batch in first for place in batch}) >= len(mixed) - 1
    assert planned(mixed, 8, 5, seed=1) == plan[:5] != planned(mixed, 8, 5, seed=2)
    assert any(len({mixed[place].kind for place in batch}) > 1 for batch in planned(mixed, 8, 10, homogeneous=False))
    assert planned([], 8, 5) == []
    with pytest.raises(InvalidInput, match="at least 2"):
        planned(mixed, 1, 5)


def test_kinds_take_turns_by_the_square_roots_of_their_groups() -> None:
    uneven = [*groups(90, "tool"), *groups(10, "memory")]
    plan = planned(uneven, 5, 40)
    of = [uneven[batch[0]].kind for batch in plan]
    assert of.count("memory") == 10, "a third of the root of 90, not a ninth"
    assert max(len(run) for run in "".join(name[0] for name in of).split("m")) <= 4, "in turn"
    memories = [place for batch, name in zip(plan, of, strict=True) if name == "memory" for place in batch]
    assert sorted(memories) == sorted([*range(90, 100)] * 5), "whole passes"
    assert planned(uneven, 5, 7) == plan[:7]


def test_keys_that_help_are_no_negatives() -> None:
    shared = Candidate("a", "same text", 1.0)
    both = Group("two", "tool", "s", (Candidate("b", "other", 1.0), Candidate("a2", "same text", 1.0), Candidate("c", "wrong")))
    batches = [Batch([Group("one", "tool", "s", (shared,)), both], 2, random.Random(seed)) for seed in range(20)]
    one, other = (next(b for b in batches if ("other" in b.texts) is drawn_other) for drawn_other in (False, True))
    assert (one.texts, one.own, one.allowed) == (["one", "two", "same text", "wrong"], [[0, 0], [0, 1]], [[True, True], [True, True]])
    assert (other.texts, other.own) == (["one", "two", "same text", "other", "wrong"], [[0, 0], [1, 2]])
    assert other.allowed == [[True, True, True], [False, True, True]], "the first key helps the second query too"
    assert other.rewards == [[0.0, -math.inf], [0.0, 0.0]]
    assert other.rewarded == [False, False]
    labelled = [Group(f"q{i}", "example", "s", (Candidate(f"e{i}", f"text {i}", 1.0),), ("yes" if i < 2 else "no",)) for i in range(3)]
    assert Batch(labelled, 2, random.Random(0)).allowed == [[True, False, True], [False, True, True], [True] * 3]
    told = Batch(labelled, 2, random.Random(0)).texts[0]
    assert told == "q0"
    behind = Batch(labelled, 2, random.Random(0), instructed=["example"]).texts[0]
    assert behind.endswith("q0")
    assert behind != "q0"
    assert Batch(labelled, 2, random.Random(0), instructed=["tool"]).texts[0] == "q0", "another kind's instruction"


def test_what_helps_any_query_of_the_same_output_is_no_negative_of_one() -> None:
    """A label is on many examples, of which a group names a few: another label's negative may well be of this one."""
    yes = Group("q0", "example", "s", (Candidate("a", "first", 1.0), Candidate("n", "that one", 0.0)), ("yes",))
    no = Group("q1", "example", "s", (Candidate("b", "second", 1.0), Candidate("y", "this one", 0.0)), ("no",))
    apart = Group("q2", "example", "s", (Candidate("y", "this one", 1.0),), ("yes",))
    elsewhere = Group("q3", "example", "t", (Candidate("n", "that one", 1.0),), ("yes",))
    for instructed in ((), ("example",)):
        batch = Batch([yes, no], 2, random.Random(0), instructed=instructed, known=alike([yes, no, apart, elsewhere]))
        keys = [text.rpartition(": ")[2] for text in batch.texts[2:]]
        assert keys == ["first", "that one", "second", "this one"]
        assert batch.allowed == [[True, True, True, False], [True] * 4]
    assert Batch([yes, no], 2, random.Random(0)).allowed == [[True] * 4] * 2
    assert alike([Group("q", "tool", "s", (Candidate("a", "text", 1.0),))]) == {}


def test_candidates_are_drawn_with_the_best_in_front() -> None:
    group = Group("q", "passage", "s", tuple(Candidate(k, k, float(k == "a"), reward=r) for k, r in (("b", 0.15), ("a", 0.8), ("c", 0.05))))
    chosen, rewards = drawn(group, 2, random.Random(0))
    assert rewards is not None
    assert rewards[0] == pytest.approx(math.log(0.8))
    assert rewards[0] > rewards[1]
    assert [c.key for c in drawn(group, 3, random.Random(0))[0]] == ["a", "b", "c"]
    chosen, rewards = drawn(group, 3, random.Random(0), rewards=False)
    assert rewards is None
    assert [c.label for c in chosen] == [1.0, 0.0, 0.0]
