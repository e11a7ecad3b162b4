"""The ledger as training groups: whose word counts, what was shown, what is gone, and nobody else's events."""

from __future__ import annotations

import pytest

from bowerbird import Engine
from bowerbird.learn.experience import experience
from bowerbird.learn.rewards.feedback import examined, labels
from bowerbird.ledger import Event
from bowerbird.types import CORRECTION, Scope

ANN = Scope("acme", "ann")


def said(value: object, keys: tuple[str, ...] = (), source: str = "user", protocol: str = "scalar") -> Event:
    body = {"source": source, "protocol": protocol, "value": value, "keys": list(keys), "note": ""}
    return Event(1, "outcome", "t", ANN, 0.0, body)


def test_named_hits_get_the_mean_and_the_same_word_twice_counts_once() -> None:
    assert labels([said(1.0, ("a",)), said(1.0, ("a",)), said(-1.0, ("a",)), said(5.0, ("b",))], ["a", "b"]) == {"a": 0.0, "b": 1.0}


def test_a_thumb_for_the_whole_turn_is_shared_by_what_was_looked_at() -> None:
    found = labels([said(1.0), said(-1.0, ("b",))], ["a", "b"])
    assert found == {"a": 0.5, "b": -1.0}
    assert examined(0) == 1.0 > examined(1) > examined(50) == 0.2


def test_people_outrank_clicks_and_clicks_outrank_models() -> None:
    found = labels([said(-1.0, ("a",)), said(1.0, ("a", "b"), source="click"), said(-1.0, ("b", "c"), source="llm")], ["a", "b", "c"])
    assert found["a"] == -1.0
    assert found["b"] > 0
    assert found["c"] == -1.0


def test_a_click_further_down_weighs_more_and_what_was_passed_over_is_weakly_negative() -> None:
    found = labels([said(1.0, ("c",), source="click")], ["a", "b", "c", "d"])
    assert found["c"] == 1.0
    assert -0.6 < found["a"] < found["b"] < 0
    assert "d" not in found


def test_one_slip_of_a_pair_decides_nothing() -> None:
    better = [said(("a", "b"), protocol="pairwise", source=source) for source in ("user",)]
    assert labels(better, [])["a"] == pytest.approx(1 / 3)
    assert labels([said((f"a{i}", "b"), protocol="pairwise") for i in range(8)], [])["b"] == pytest.approx(-0.8)


def _served(bird: Engine, query: str = "office network") -> str:
    bird.add([{"key": "vpn", "kind": "passage", "text": "The office network needs the VPN."}])
    bird.add([{"key": "desk", "kind": "memory", "text": "Ann's desk in the office is near the network room."}])
    return bird.augment(query, spec="bm25 >> budget").id


def test_a_turn_becomes_a_group_for_each_kind(bird: Engine) -> None:
    turn = _served(bird)
    bird.augment("office desk", spec="bm25 >> budget")  # nobody said anything of this one
    bird.feedback(turn, 1, keys="vpn")
    bird.feedback(turn, -1, keys="desk")
    bird.feedback(turn, -2.5, keys="vpn", source="llm", protocol="likelihood")
    found = experience(bird.ledger, bird.catalog, ANN)
    assert (found.turns, found.judged, found.gone) == (2, 1, 0)
    by_kind = {group.kind: group for group in found.groups}
    (vpn,), (desk,) = by_kind["passage"].candidates, by_kind["memory"].candidates
    assert (vpn.label, vpn.raw, desk.label, desk.raw) == (1.0, -2.5, -1.0, None)
    assert vpn.shown is not None
    assert vpn.scores["bm25"] > 0
    assert by_kind["passage"].scope == "acme/ann"


def test_the_position_cuts(bird: Engine) -> None:
    turn = _served(bird)
    first = bird.feedback(turn, 1, keys="vpn")
    bird.feedback(turn, -1, keys="vpn")
    then = experience(bird.ledger, bird.catalog, ANN, upto=first)
    now = experience(bird.ledger, bird.catalog, ANN)
    assert [c.label for g in then.groups for c in g.candidates if c.key == "vpn"] == [1.0]
    assert [c.label for g in now.groups for c in g.candidates if c.key == "vpn"] == [0.0]
    assert then.upto == first < now.upto


def test_what_changed_or_went_since_is_left_out(bird: Engine) -> None:
    turn = _served(bird)
    bird.feedback(turn, 1, keys=("vpn", "desk"))
    bird.add([{"key": "vpn", "kind": "passage", "text": "The office network needs nothing any more."}])
    bird.delete("desk")
    found = experience(bird.ledger, bird.catalog, ANN)
    assert (found.groups, found.gone) == ((), 2)


def test_a_correction_is_the_answer(bird: Engine) -> None:
    turn = _served(bird)
    bird.feedback(turn, "That is the wrong network.")
    assert {group.answers for group in experience(bird.ledger, bird.catalog, ANN).groups} == {()}, "a remark is no answer"
    bird.feedback(turn, "Start the VPN.", note=CORRECTION)
    assert {group.answers for group in experience(bird.ledger, bird.catalog, ANN).groups} == {("Start the VPN.",)}


def test_nobody_learns_from_another_scope(bird: Engine) -> None:
    turn = _served(bird)
    bird.feedback(turn, 1)
    assert experience(bird.ledger, bird.catalog, Scope("acme", "bob")).groups == ()
    assert experience(bird.ledger, bird.catalog, Scope("acme")).groups == ()
