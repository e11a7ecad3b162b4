"""A user's own ledger trains the router and the gate: served, judged, fitted, compared, published, and the next turn goes by it."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("sklearn", reason="needs the extra 'train'")
pytest.importorskip("torch", reason="needs the extra 'local'")

import bowerbird
from bowerbird import table
from bowerbird.cli.app import app
from bowerbird.flow import Fan
from bowerbird.learn.named import named
from bowerbird.spec import parse
from bowerbird.testing.encoders import HashEncoder

SUMS, POEMS = ("add", "sum", "digits", "plus"), ("rhyme", "verse", "poem", "lines")
ROUTED, PLAIN = "router >> budget", "dense(k=3) >> budget"


@pytest.fixture(autouse=True)
def hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bower here has the hashing encoder."""
    monkeypatch.setattr("bowerbird.encoders.choose.choose", lambda name: HashEncoder(128))


def queries(n: int, seed: int = 0) -> list[tuple[str, bool]]:
    """(a request, whether it is a sum)"""
    draw = random.Random(seed)
    found = []
    for number in range(n):
        is_sum = draw.random() < 0.5
        found.append((f"please {' '.join(draw.sample(SUMS if is_sum else POEMS, 3))} number {number} of {draw.randrange(99)}", is_sum))
    return found


def models(path: Path, asked: list[tuple[str, bool]]) -> None:
    """Two models, each tried on every request: the abacus is right about sums, the bard about poems."""
    with bowerbird.open(path, "home", llm=None) as bird:
        bird.add([{"key": "abacus", "kind": "model", "text": "Reckons.", "price_in": 0.1, "price_out": 0.2}])
        bird.add([{"key": "bard", "kind": "model", "text": "Writes verse.", "price_in": 5, "price_out": 10}])
        for query, is_sum in asked:
            turn = bird.augment(query, spec=ROUTED)
            for hit in turn.hits:
                assert hit.record is not None
                bird.feedback(turn, float((hit.record.key == "abacus") is is_sum), keys=hit.record.key, source="metric")


def notes(path: Path, asked: list[tuple[str, bool]]) -> None:
    """Notes about poems, which help with poems and are in the way of sums; each request is answered with and without them."""
    with bowerbird.open(path, "home", llm=None) as bird:
        bird.add([{"key": f"note{i}", "kind": "passage", "text": f"A {word} of the house, please."} for i, word in enumerate(POEMS)])
        for query, is_sum in asked:
            bird.feedback(bird.augment(query, spec=PLAIN), 0.6 if is_sum else 1.0, source="metric")
            bird.feedback(bird.augment(query, spec="never"), 0.9 if is_sum else 0.2, source="metric")


def told(path: Path, *args: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*args, "-b", str(path), "-s", "home", "--json"])
    assert result.exit_code == code, result.output
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def spec_in(sentence: str) -> str:
    found = re.search("--spec '(.*)'", sentence)
    assert found is not None, sentence
    return found[1]


def test_outcomes_of_models_train_the_router(tmp_path: Path) -> None:
    models(tmp_path / "b", queries(160))
    fitted = told(tmp_path / "b", "learn", "fit", "router")
    assert (fitted["artifact"], fitted["published"], fitted["use"]) == ("router@1", False, None)
    costs = told(tmp_path / "b", "learn", "status")
    assert {rung["component"]: rung["usable"] > 100 for rung in costs["components"]}["router"]
    compared = told(tmp_path / "b", "learn", "compare", "router@1")["verdict"]
    assert compared["publish"], compared["why"]
    spec = spec_in(told(tmp_path / "b", "learn", "publish", "router@1")["use"])
    assert spec == ROUTED
    with bowerbird.open(tmp_path / "b", "home", llm=None) as bird:
        router = bird.shelf.load(bird.shelf.get("router", 1))
        assert 0 < router.costs[router.models.index("abacus")] < router.costs[router.models.index("bard")]
        for query, is_sum in queries(20, seed=3):
            first = bird.augment(query, spec=spec).hits[0].record
            assert first is not None
            assert first.key == ("abacus" if is_sum else "bard")


def test_outcomes_with_and_without_retrieval_train_the_gate(tmp_path: Path) -> None:
    notes(tmp_path / "b", queries(160))
    assert told(tmp_path / "b", "learn", "fit", "gate")["verdict"]["publish"]
    assert told(tmp_path / "b", "learn", "compare", "gate@1")["verdict"]["publish"]
    spec = spec_in(told(tmp_path / "b", "learn", "publish", "gate@1")["use"])
    assert spec.startswith("small_talk >> learned_gate >> ")
    with bowerbird.open(tmp_path / "b", "home", llm=None) as bird:
        for query, is_sum in queries(20, seed=3):
            assert bird.augment(query, kinds="passage", spec=spec).retrieves is not is_sum
            assert bird.augment(query, kinds="passage").retrieves, "the pipeline that names no gate goes on as it was"
        assert not bird.augment("Hello there!", spec=spec).retrieves, "what the gate before it stops stays stopped"


def test_auto_says_which_stage_to_name(tmp_path: Path) -> None:
    models(tmp_path / "b", queries(160))
    rungs = told(tmp_path / "b", "learn", "auto", "--component", "router", "--component", "gate", "--component", "adapter")["rungs"]
    said = {rung["component"]: (rung["published"], rung["use"]) for rung in rungs}
    assert said["router"][0]
    assert spec_in(said["router"][1]) == ROUTED
    assert said["gate"] == (False, None)
    shown = CliRunner().invoke(app, ["learn", "auto", "--component", "router", "-b", str(tmp_path / "b"), "-s", "home"])
    assert f"router: It is used by pipelines that name the stage router, for example: --spec '{ROUTED}'" in " ".join(shown.stdout.split())


def test_too_little_says_how_much_is_needed_and_of_what(tmp_path: Path) -> None:
    models(tmp_path / "b", queries(12))
    notes(tmp_path / "b", queries(12))
    for component, of in (("router", "two models or more for the same query"), ("gate", "with what was found and of the same one without")):
        said = told(tmp_path / "b", "learn", "fit", component, code=2)["error"]["message"]
        assert "needs at least 30 training queries" in said
        assert of in said


@pytest.mark.parametrize("use", ["search", "augment", "ask"])
def test_what_has_to_be_named_runs_where_it_is_put(tmp_path: Path, use: Any) -> None:
    with bowerbird.open(tmp_path / "b", "home", llm=None) as bird:
        bird.add([{"key": "note", "kind": "passage", "text": "A rhyme of the house."}])
        bird.add([{"key": "bard", "kind": "model", "text": "Writes verse."}])
        made = {component: named(component, bird.spec(use)) for component in table.names("trainers")}
        assert {component for component, spec in made.items() if not spec} == {"adapter", "encoder"}
        for component, spec in made.items():
            if spec and component != "cross_encoder":  # its weights are seldom at hand
                assert bird.augment("a rhyme of the house", spec=spec).hits
        stages = parse(made["cross_encoder"]).stages  # type: ignore[attr-defined]
        place = [str(stage) for stage in stages].index("cross_encoder")
        assert isinstance(stages[place - 1], Fan), "right behind what finds the hits"
