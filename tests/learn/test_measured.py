"""Raw rewards from a ledger: what counts as measured, on which scale, with what was had without retrieval, and at what price."""

from __future__ import annotations

import pytest

from bowerbird import Engine
from bowerbird.learn.experience import experience
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.rewards.measured import alike, dollars, one_scale
from bowerbird.learn.workshop import merged
from bowerbird.types import Scope

ANN = Scope("acme", "ann")
_NOTES = [
    {"key": "vpn", "kind": "passage", "text": "The office network needs the VPN."},
    {"key": "lan", "kind": "passage", "text": "The office network has a socket under each desk."},
]
_MODELS = [
    {"key": "big", "kind": "model", "text": "The careful one.", "price_in": 10, "price_out": 30},
    {"key": "small", "kind": "model", "text": "The quick one.", "price_in": 1},
    {"key": "own", "kind": "model", "text": "The one at home."},
]


def groups(bird: Engine) -> dict[str, Group]:
    """What the ledger says of each kind, the turns of a query as one."""
    return {group.kind: group for group in merged(experience(bird.ledger, bird.catalog, ANN).groups)}


def raws(group: Group) -> dict[str, float | None]:
    return {candidate.key: candidate.raw for candidate in group.candidates}


def test_a_metric_of_the_turn_is_had_with_what_was_shown(bird: Engine) -> None:
    bird.add(_NOTES)
    turn = bird.augment("office network", spec="bm25 >> budget")
    bird.feedback(turn, 1)
    assert raws(groups(bird)["passage"]) == {"vpn": None, "lan": None}, "a thumb is a label"
    bird.feedback(turn, 0.4, source="metric")
    bird.feedback(turn, 0.9, keys="lan", source="metric")
    found = groups(bird)["passage"]
    assert raws(found) == {"vpn": 0.4, "lan": pytest.approx(0.65)}
    assert (found.about["reward"], found.nothing) == ("metric", None)
    assert all(candidate.reward is None for candidate in found.candidates), "smoothing is somebody else's"


@pytest.mark.parametrize("spec", ["never >> bm25 >> budget", "none >> budget"])
def test_what_was_had_without_retrieval_is_the_groups_nothing(bird: Engine, spec: str) -> None:
    bird.add(_NOTES)
    bird.feedback(bird.augment("office network", spec="bm25 >> budget"), 0.9, source="metric")
    bird.feedback(bird.augment("another question", spec=spec), 0.7, source="metric")
    assert groups(bird)["passage"].nothing is None
    for value in (0.2, 0.4):
        bird.feedback(bird.augment("Office  network", spec=spec), value, source="metric")
    bird.feedback(bird.augment("office network", spec=spec), -3.0, source="llm", protocol="likelihood")
    assert groups(bird)["passage"].nothing == pytest.approx(0.3), "of that query alone, and on the same scale"


def test_unlike_scales_are_not_mixed_in_a_turn(bird: Engine) -> None:
    bird.add(_NOTES)
    turn = bird.augment("office network", spec="bm25 >> budget")
    bird.feedback(turn, 0.4, keys="vpn", source="metric")
    bird.feedback(turn, -2.0, keys=("vpn", "lan"), source="llm", protocol="likelihood")
    found = groups(bird)["passage"]
    assert (found.about["reward"], raws(found)) == ("likelihood", {"vpn": -2.0, "lan": -2.0}), "the one that says more"


def test_unlike_scales_are_not_mixed_when_groups_are_merged() -> None:
    def group(reward: str, nothing: float | None, **values: float) -> Group:
        candidates = tuple(Candidate(key, key, raw=values.get(key)) for key in ("a", "b"))
        return Group("q", "passage", "ledger", candidates, nothing=nothing, about={"reward": reward})

    ours, models = group("metric", None, a=1.0), group("likelihood", -3.0, a=-1.0, b=-2.0)
    for pair in ((ours, models), (models, ours)):
        (both,) = merged(pair)
        assert (raws(both), both.nothing, both.about["reward"]) == ({"a": -1.0, "b": -2.0}, -3.0, "likelihood")
    (both,) = merged([group("metric", None, a=1.0), group("metric", 0.1, a=0.5, b=0.0)])
    assert (raws(both), both.nothing) == ({"a": 1.0, "b": 0.0}, 0.1)
    unsaid = group("metric", None)
    assert alike(unsaid, models) == (unsaid, models)
    assert one_scale([ours, models, models]) == [models, models]
    assert one_scale([Group("q", "model", "s", ()), ours, models])[1:] == [ours], "a group that names none counts as a score"
    assert one_scale([]) == []


def test_people_and_metrics_speak_of_the_model_that_was_chosen(bird: Engine) -> None:
    bird.add([*_NOTES, *_MODELS])
    turn = bird.augment("which one", kinds="model", spec="random(seed=1) >> budget")
    first, second, third = (hit.record.key for hit in turn.hits if hit.record)
    bird.feedback(turn, -1)
    bird.feedback(turn, (second, third))
    found = groups(bird)["model"]
    assert raws(found) == {first: -1.0, second: pytest.approx(1 / 3), third: pytest.approx(-1 / 3)}
    assert found.about["reward"] == "feedback"
    for key in (first, second, third):
        bird.feedback(turn, 0.5, keys=key, source="metric")
    found = groups(bird)["model"]
    assert (raws(found), found.about["reward"]) == (dict.fromkeys((first, second, third), 0.5), "metric")
    bird.feedback(bird.augment("which one", spec="never >> budget"), 0.1, source="metric")
    assert groups(bird)["model"].nothing is None, "without a model nobody answers"


def test_a_turn_with_passages_and_models_speaks_of_both(bird: Engine) -> None:
    bird.add([*_NOTES, *_MODELS])
    turn = bird.augment("office network careful", spec="bm25(each=True) >> budget")
    bird.feedback(turn, 0.8, source="metric")
    found = groups(bird)
    assert raws(found["model"]) == {"big": 0.8}
    assert set(raws(found["passage"]).values()) == {0.8}


def test_costs_come_from_the_records_and_the_tokens_that_were_noted(bird: Engine) -> None:
    bird.add(_MODELS)
    turn = bird.augment("which one", kinds="model", spec="random >> budget")
    bird.feedback(turn, 1)
    costs = groups(bird)["model"].about["costs"]
    served = bird.ledger.turn(turn.id, ANN)
    assert served is not None
    read = served.body["tokens"] + 2
    assert costs == {"big": pytest.approx((10 * read + 30 * 200) / 1e6), "small": pytest.approx(read / 1e6)}, "one has no price"
    steps = [{"stage": "llm", "seconds": 0.1, "info": {"prompt_tokens": 1000, "completion_tokens": 100}}]
    assert dollars({**served.body, "steps": steps}, {"big": {"price_in": 10, "price_out": 30}, "free": {"price_in": 0.0}}) == {
        "big": pytest.approx(0.013),
        "free": 0.0,
    }
