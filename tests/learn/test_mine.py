"""Hard negatives: near the query, not what helps, and not what may help too."""

from __future__ import annotations

from typing import Any

import pytest

from bowerbird import Engine
from bowerbird.errors import InvalidInput
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.mine import mine
from bowerbird.learn.trainer import ranked_scores
from bowerbird.types import Hit, Record, Turn, replace

TEXTS = {
    "right": "The blue kettle in the kitchen whistles when the water boils.",
    "twin": "The blue kettle in the kitchen whistles when the water boils.",
    "near": "The blue kettle is in the cellar.",
    "far": "The red lamp is in the kitchen.",
    "other": "Nobody knows the name of the cat.",
}


@pytest.fixture
def stocked(bird: Engine) -> Engine:
    bird.add([{"key": key, "kind": "passage", "text": text} for key, text in TEXTS.items()])
    return bird


def group() -> Group:
    return Group(
        "when does the blue kettle in the kitchen whistle", "passage", "made", (Candidate("right", TEXTS["right"], 1.0),), scope="acme/ann"
    )


def test_what_is_near_and_does_not_help(stocked: Engine) -> None:
    (done,) = mine(stocked, [group()], "bm25(k=5)", n=3)
    assert next((c.key, c.label) for c in done.candidates) == ("right", 1.0)
    assert {c.key for c in done.candidates[1:]} == {"near", "far"}, "the twin says the same, and the cat shares no word"
    assert all(c.label == 0.0 and not c.scores for c in done.candidates[1:])
    assert mine(stocked, [group()], "bm25(k=5)", n=3) == [done]
    assert len(mine(stocked, [group()] * 300, "bm25(k=5)", n=1)) == 300


def test_what_scores_like_the_one_that_helps_may_help_too(stocked: Engine) -> None:
    (done,) = mine(stocked, [group()], "bm25(k=5)", n=3, share=0.3)
    assert {c.key for c in done.candidates} == {"right", "far"}
    (skipped,) = mine(stocked, [group()], "bm25(k=5)", n=3, skip=3)
    assert {c.key for c in skipped.candidates} == {"right", "far"}


def test_scores_below_zero_are_held_against_the_best_alike() -> None:
    scores = {"above": -1.0, "right": -2.0, "like": -2.05, "near": -3.0}

    class Found:
        def run(self, turns: Any, spec: str, *, trained: Any = None, records: bool = False) -> list[Turn]:
            hits = tuple(Hit(i, score, record=Record(key, "passage", key)) for i, (key, score) in enumerate(scores.items()))
            return [replace(turn, hits=hits) for turn in turns]

    (done,) = mine(Found(), [group()], "bm25 >> cross_encoder", n=9)
    assert [c.key for c in done.candidates] == ["right", "near"]


def test_an_example_with_the_same_output_is_no_negative(bird: Engine) -> None:
    said = {"a": ("how tall is the tower", "number"), "b": ("how tall is the bridge", "number"), "c": ("who built the tower", "person")}
    bird.add([{"key": key, "kind": "example", "text": text, "fields": {"output": label}} for key, (text, label) in said.items()])
    bird.add([{"key": "d", "kind": "example", "text": "the tower has no output"}])
    bird.add([{"key": "e", "kind": "example", "text": "the tower again", "fields": {"output": 7}}])
    asked = Group("how tall is the tower over there", "example", "made", (), ("number", "7"), scope="acme/ann")
    (done,) = mine(bird, [asked], "bm25(k=9)", n=9)
    assert {candidate.key for candidate in done.candidates} == {"c", "d"}


def test_settings_that_leave_nothing_are_refused(stocked: Engine) -> None:
    with pytest.raises(InvalidInput, match="n=0"):
        mine(stocked, [group()], n=0)
    assert mine(stocked, []) == []


def test_ranks_are_judged_over_the_whole_bower(stocked: Engine) -> None:
    other = Group("red lamp", "passage", "made", (Candidate("far", "x", 1.0), Candidate("other", "y", -1.0)), scope="acme/ann")
    absent = Group("green door", "passage", "made", (Candidate("far", "x", 1.0),), scope="acme/ann")
    found = ranked_scores(stocked, [group(), other, absent], "bm25(k=5)", None)["passage"]
    assert found[other.id] == 1.0
    assert found[absent.id] == 0.0
    assert found[group().id] in (1.0, pytest.approx(0.6309, abs=1e-4)), "its twin ties with it"
