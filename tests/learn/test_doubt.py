"""Doubts: flipped feedback is seen and named, honest feedback is believed, and nothing is published from what is doubted."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bowerbird import Engine
from bowerbird.learn.doubt import believed, contradictions, doubt
from bowerbird.learn.experience import experience
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.ladder import climb
from bowerbird.learn.publish import made, publish
from bowerbird.learn.trainer import Setting, Trainer
from bowerbird.types import Scope

ANN = Scope("acme", "ann")


def turn(seq: int, query: str, values: Sequence[float], by: str = "user", named: bool = True) -> Group:
    """A judged turn: what its shown hits were worth, in serving order."""
    candidates = tuple(Candidate(f"{query}/{place}", "text", value, shown=place) for place, value in enumerate(values))
    return Group(query, "tool", "ledger", candidates, about={"turn": f"t{seq}", "seq": seq, "by": by, "named": named})


def world(seed: int, turns: int = 300, newest: int = 60, flipped: float = 0.0, slip: float = 0.05) -> list[Group]:
    """Thumbs for the first two of three hits of 30 queries; the first is right in two thirds of them."""
    draw = random.Random(seed)
    found = []
    for seq in range(1, turns + 1):
        number = draw.randrange(30)
        right = (1.0, -1.0) if number % 3 else (-1.0, 1.0)
        wrong = slip if seq <= turns - newest else slip + flipped - 2 * slip * flipped
        found.append(turn(seq, f"query {number}", [*(value * (-1 if draw.random() < wrong else 1) for value in right), 0.0]))
    return found


def test_flips_are_doubted_and_the_sentence_says_where_and_what_to_do() -> None:
    found = doubt(world(0, flipped=0.4), 240)
    assert found is not None
    assert (found.first, found.last, found.turns, found.turns_before) == (241, 300, 60, 240)
    assert found.agrees < 0.75 < 0.9 < found.agreed
    for piece in ("60 turns, from ledger position 241 to 300", "the 240 turns before", "--upto 240", "--believe 300"):
        assert piece in found.sentence
    assert doubt(world(0, flipped=0.4), 300) is None, "what was vouched for is believed"
    assert doubt(world(0, flipped=0.4)[:240]) is None, "so is what came before"
    assert found == doubt(world(0, flipped=0.4), 240)


def test_honest_feedback_is_believed() -> None:
    assert sum(doubt(world(seed), 240) is not None for seed in range(20)) <= 1
    assert all(doubt(world(seed, flipped=0.4), 240) for seed in range(5))


def test_without_a_published_component_the_newest_fifth_is_asked() -> None:
    found = doubt(world(0, flipped=0.4))
    assert found is not None
    assert found.first == 241
    assert doubt([]) is None
    assert doubt([turn(1, "a", [1.0, -1.0])]) is None


def test_new_queries_are_told_by_the_serving_order() -> None:
    honest = [turn(seq, f"query {seq}", [1.0, 0.0, -1.0]) for seq in range(1, 201)]
    flipped = [turn(seq, f"query {seq}", [-1.0, 0.0, 1.0] if seq % 4 == 0 else [1.0, 0.0, -1.0]) for seq in range(201, 251)]
    found = doubt([*honest, *flipped], 200)
    assert found is not None
    assert found.signal == "the serving order"
    assert (found.agreed, found.agrees) == (1.0, pytest.approx(38 / 50))


def test_more_complaints_about_whole_turns_are_no_reason_for_doubt() -> None:
    """Their labels fall with the place by construction, so they say nothing of the order."""
    pleased = [turn(seq, f"query {seq}", [0.5, 0.3, 0.0], named=False) for seq in range(1, 201)]
    angry = [turn(seq, f"query {seq}", [-0.5, -0.3, 0.0], named=False) for seq in range(201, 251)]
    assert doubt([*pleased, *angry], 200) is None


def test_another_way_of_judging_is_compared_with_its_like() -> None:
    """Clicks that never disagree, then thumbs that disagree as often as thumbs did before."""
    clicks = [turn(seq, f"query {seq % 20}", [1.0, 0.0, 0.0], by="click") for seq in range(1, 201)]
    thumbs = [turn(seq, f"query {seq % 20}", [1.0 if seq % 5 else -1.0, 0.0, 0.0]) for seq in range(201, 301)]
    assert doubt([*clicks, *thumbs], 250) is None
    assert doubt([*clicks, *[replace(g, about={**g.about, "by": "click"}) for g in thumbs]], 250) is not None


def test_a_burst_that_contradicts_one_query_is_seen() -> None:
    steady = [turn(seq, f"query {seq % 20}", [1.0, -1.0, 0.0]) for seq in range(1, 101)]
    burst = [turn(seq, "query 3", [-1.0, 1.0, 0.0]) for seq in range(101, 116)]
    assert doubt([*steady, *burst], 100) is not None


def test_contradictions_are_named_the_worst_first() -> None:
    groups = [turn(1, "a", [1.0, -1.0]), turn(2, "a", [-1.0, -1.0]), turn(3, "a", [1.0, 0.0]), turn(4, "b", [1.0, 1.0])]
    (found,) = contradictions(groups)
    assert (found.query, found.key, found.against, found.turns) == ("a", "a/0", 1, 3)
    worse = [*groups, *[turn(seq, "b", [-1.0 if seq % 2 else 1.0, 1.0]) for seq in range(5, 9)]]
    assert [one.key for one in contradictions(worse)] == ["b/0", "a/0"]


def test_nothing_is_published_from_what_is_doubted(bird: Engine, shift_trainer: type[Trainer]) -> None:
    groups = [Group(f"query {i}", "tool", "made", (Candidate("a", "text", 0.2),)) for i in range(300)]
    found = doubt(world(0, flipped=0.4), 240)
    assert found is not None
    setting = Setting(bird, None)
    done = made(shift_trainer(), groups, setting, bird.shelf, ANN, upto=300, doubt=found)
    assert (done.verdict.publish, done.verdict.why) == (False, found.sentence)
    assert done.artifact.card["doubt"]["first"] == 241
    assert done.verdict.mean is not None, "what it would have gained is on the card"

    def climbed(about: object) -> tuple[str, bool]:
        (rung,) = climb(groups, setting, bird, ANN, seconds=60, rungs=["adapter"], doubt=about)  # type: ignore[arg-type]
        return rung.said, rung.published

    said, published = climbed(found)
    assert said == f"Done before on the same data: {found.sentence}"
    assert not published
    assert bird.shelf.serving("adapter", ANN) is None
    assert climbed(None)[1], "the same data without the doubt is judged anew"
    assert len(bird.shelf.list("adapter")) == 2


def test_what_serves_was_believed(bird: Engine, shift_trainer: type[Trainer]) -> None:
    groups = [Group(f"query {i}", "tool", "made", (Candidate("a", "text", 0.2),)) for i in range(300)]
    assert believed(bird.shelf, ANN) == 0
    version = made(shift_trainer(), groups, Setting(bird, None), bird.shelf, ANN, upto=41).artifact.version
    assert believed(bird.shelf, ANN) == 0
    publish(bird, "adapter", version, ANN, "better")
    assert believed(bird.shelf, ANN) == 41
    assert believed(bird.shelf, Scope("acme", "bob")) == 0


def test_the_ledger_says_where_who_and_how(bird: Engine) -> None:
    bird.add([{"key": "vpn", "kind": "passage", "text": "The office network needs the VPN."}])
    first, second, third = (bird.augment("office network", spec="bm25 >> budget").id for _ in range(3))
    bird.feedback(first, 1)
    bird.feedback(second, 1, keys="vpn", source="click")
    last = bird.feedback(first, "It was slow")
    only = bird.feedback(third, "Start it", note="correction")
    about = {group.about["turn"]: group.about for group in experience(bird.ledger, bird.catalog, ANN).groups}
    assert (about[first]["seq"], about[first]["by"], about[first]["named"]) == (last, "user", False)
    assert (about[second]["by"], about[second]["named"]) == ("click", True)
    assert about[third]["seq"] == only
    assert "by" not in about[third]
