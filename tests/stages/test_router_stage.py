"""The router's stage passes the suite with a router bound, minds kinds and conditions, and says what it does not know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bowerbird.components.router import Router
from bowerbird.errors import CapabilityMissing, InvalidInput
from bowerbird.learn.trainer import Only
from bowerbird.spec import parse
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.library import RECORDS, World
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Record, Scope, Turn

ACME = Scope("acme")
MODELS = (
    Record("large", "model", "Reasons about birds and bowers.", {"name": "large", "lang": "en", "capabilities": ["code"]}, ACME),
    Record("quick", "model", "Quick answers about passwords and mail.", {"name": "quick", "lang": "de"}, ACME),
)


def router(**other: object) -> Router:
    """Made by hand: each model is better at what shares words with its text."""
    encoder = HashEncoder()
    weights = np.ascontiguousarray(encoder.encode([record.text for record in MODELS]).T)
    prior, flat = np.array([0.5, 0.4], np.float32), np.zeros(2, np.float32)
    arrays = {"queries": encoder.encode(["a question"]), "weights": weights, "length": flat, "bias": flat}
    held = np.array([[0.9, 0.1], [0.6, 0.5], [0.4, 0.5], [0.2, 0.8]], np.float32)
    made = Router("logistic", encoder.id, ("large", "quick"), arrays, prior, flat, "large", held, np.zeros(101, np.float32))
    return replace(made, **other)  # type: ignore[arg-type]


def world(model: Router, shuffle: int | None = None) -> World:
    made = World((*RECORDS, *MODELS), shuffle=shuffle)
    made.parts["trained"] = Only("router", model)
    return made


class TestRouter(StageSuite):
    @pytest.fixture(params=["router", "router(k=1, share=0.5)", "router(quality=0.95)"], autouse=True)
    def _spec(self, request: pytest.FixtureRequest) -> None:
        self.spec = request.param

    def make_stage(self):
        return parse(self.spec)

    def world(self, shuffle=None):
        return world(router(costs=np.array([0.01, 0.001], np.float32)), shuffle)


class TestRouterThatNobodyTrained(StageSuite):
    def make_stage(self):
        return parse("router(k=1)")

    def world(self, shuffle=None):
        made = World((*RECORDS, *MODELS), shuffle=shuffle)
        made.parts["trained"] = Only("router", None)
        return made


def asked(spec: str, turn: Turn, model: Router) -> tuple[list[str], dict[str, object]]:
    done = parse(spec).bind(world(model).part)([turn])[0]
    names = {record.id: record.key for record in MODELS}
    return [names[hit.id] for hit in done.hits], dict(done.trace[-1].info)


def test_kinds_and_conditions_hold() -> None:
    turn = Turn("tell me about birds and bowers", ACME)
    assert asked("router", turn, router())[0] == ["large", "quick"]
    assert asked("router(k=1)", turn, router())[0] == ["large"]
    assert asked("router", replace(turn, where={"lang": "de"}), router())[0] == ["quick"]
    assert asked("router", replace(turn, where={"capabilities": "code"}), router())[0] == ["large"]
    assert asked("router", replace(turn, kinds=("model",)), router())[0] == ["large", "quick"]
    assert asked("router", replace(turn, kinds=("memory",)), router())[0] == []


@pytest.mark.parametrize("spec", ["router", "router(share=0.5)", "router(price=2.0)"])
def test_abstaining_is_said_with_the_default(spec: str) -> None:
    turn = Turn("tell me about birds and bowers", ACME)
    names, said = asked(spec, turn, router(trust=0.0))
    assert (said["abstained"], said["default"]) == (True, names[0])
    assert "default" not in asked(spec, turn, router())[1]


def test_share_and_quality_move_the_strong_model() -> None:
    turn = Turn("a question of no kind", ACME)
    strong = router(trust=0.0, prior=np.array([0.6, 0.5], np.float32))
    assert [asked(f"router(share={share})", turn, strong)[0][0] for share in (0.0, 0.2, 0.8, 1.0)] == ["quick", "quick", "large", "large"]
    prices = np.linspace(20, 0, 101).astype(np.float32)
    dear = replace(strong, costs=np.array([0.02, 0.001], np.float32), prices=prices)
    assert [asked(f"router(quality={kept})", turn, dear)[0][0] for kept in (0.5, 1.0)] == ["quick", "large"]


def test_without_a_router_each_model_has_its_turn() -> None:
    made = World((*RECORDS, *MODELS))
    made.parts["trained"] = Only("router", None)
    stage = parse("router").bind(made.part)
    done = stage([Turn(f"question {number}", ACME) for number in range(40)])
    assert {len(turn.hits) for turn in done} == {2}
    firsts = [turn.hits[0].id for turn in done]
    assert all(10 < firsts.count(record.id) < 30 for record in MODELS)
    assert "no router is published" in done[0].trace[-1].info["why"]
    assert stage([Turn("a question", ACME, where={"lang": "de"})])[0].hits[0].id == MODELS[1].id
    assert len(parse("router(k=1)").bind(made.part)([Turn("a question", ACME)])[0].hits) == 1
    assert stage([Turn("a question", ACME, kinds=("memory",))])[0].hits == ()


def test_what_cannot_be_routed_is_refused() -> None:
    turn = Turn("a question", ACME)
    with pytest.raises(CapabilityMissing, match="none of them has a record there"):
        asked("router", turn, router(models=("nobody", "noone"), strong="nobody"))
    assert asked("router", turn, router(models=("large", "noone")))[1]["without_record"] == ["noone"]
    with pytest.raises(CapabilityMissing, match="Fit it anew"):
        asked("router", turn, router(encoder="another"))
    with pytest.raises(InvalidInput, match="no costs"):
        asked("router(quality=0.9)", turn, router())
    for spec in ("router(price=-1.0)", "router(share=1.5)", "router(quality=2.0)"):
        with pytest.raises(InvalidInput, match="router: "):
            parse(spec)
