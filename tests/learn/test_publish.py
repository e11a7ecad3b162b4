"""Publishing: only what is better, for whom it was learnt, with its card; and the way back."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import bowerbird
from bowerbird import Engine
from bowerbird.cli.app import app
from bowerbird.errors import InvalidInput, NotFound
from bowerbird.evals.report import gather
from bowerbird.learn.groups import Candidate, Group, write
from bowerbird.learn.publish import ROLLBACK, before, made, publish, sides, verdict
from bowerbird.learn.trainer import Setting, TooLittle, Trainer, gain_at
from bowerbird.types import Scope

ANN = Scope("acme", "ann")


def groups(label: float, n: int = 300) -> list[Group]:
    return [Group(f"query {i}", ("tool", "memory")[i % 2], "made", (Candidate("a", "text", label),)) for i in range(n)]


def setting(bird: Engine) -> Setting:
    return Setting(bird, None)


def test_better_is_published_and_says_so(bird: Engine, shift_trainer: type[Trainer]) -> None:
    done = made(shift_trainer(), groups(0.2), setting(bird), bird.shelf, ANN, upto=7)
    assert done.verdict.publish, done.verdict.why
    assert bird.shelf.serving("adapter", ANN) is None, "keeping is not publishing"
    publish(bird, "adapter", done.artifact.version, ANN, done.verdict.why)
    assert bird.shelf.component("adapter", ANN).by == pytest.approx(0.2)
    card = done.artifact.card
    assert (card["parent"], card["ledger_upto"], card["seed"]) == (None, 7, 0)
    assert card["after"]["tool"]["value"] > card["before"]["tool"]["value"]
    assert [event.body["component"] for event in bird.ledger.events(ANN, type="published")] == ["adapter"]
    second = made(shift_trainer(), groups(0.4), setting(bird), bird.shelf, ANN)
    assert second.artifact.card["parent"] == "adapter@1"
    told = gather([bird.shelf.folder])["learned"]
    assert [(one["name"], one["parent"], one["verdict"]["publish"]) for one in told] == [
        ("adapter@1", None, True),
        ("adapter@2", "adapter@1", True),
    ], "the report reads the cards"
    assert second.verdict.publish


def test_worse_and_undecided_are_not(bird: Engine, shift_trainer: type[Trainer]) -> None:
    worse = verdict({"tool": _flat(0.5)}, {"tool": _flat(0.4)})
    assert not worse.publish
    assert "tool loses 0.1" in worse.why
    same = verdict({"tool": _flat(0.5)}, {"tool": _flat(0.5)})
    assert not same.publish
    assert "no better" in same.why
    chance = verdict({"tool": _noisy(1)}, {"tool": {id: value + 0.002 for id, value in _noisy(2).items()}}, margin=1.0)
    assert not chance.publish


def test_a_kind_that_loses_stops_what_helps_the_others() -> None:
    old = {"tool": _flat(0.5), "memory": _flat(0.5)}
    new = {"tool": _flat(0.9), "memory": _flat(0.45)}
    found = verdict(old, new)
    assert not found.publish
    assert "memory loses 0.05" in found.why
    assert verdict(old, new, margin=0.1).publish


def test_each_kind_counts_the_same() -> None:
    old = {"tool": _flat(0.5, 300), "memory": _flat(0.5, 30)}
    new = {"tool": _flat(0.5, 300), "memory": _flat(0.7, 30)}
    found = verdict(old, new)
    assert found.mean is not None
    assert found.mean.difference.value == pytest.approx(0.1)


def test_too_little_is_said_before_any_work(bird: Engine, shift_trainer: type[Trainer]) -> None:
    with pytest.raises(TooLittle, match="at least 30 training queries"):
        made(shift_trainer(), groups(0.2, 20), setting(bird), bird.shelf, ANN)
    with pytest.raises(TooLittle, match="0"):
        made(shift_trainer(), [], setting(bird), bird.shelf, ANN)
    assert "too few" in verdict({"tool": _flat(0.1, 5)}, {"tool": _flat(0.9, 5)}).why
    assert "no finite" in verdict({"tool": _flat(0.1)}, {"tool": _flat(float("nan"))}).why
    assert bird.shelf.list() == []


def test_back_and_none(bird: Engine, shift_trainer: type[Trainer]) -> None:
    for label in (0.2, 0.4):
        version = made(shift_trainer(), groups(label), setting(bird), bird.shelf, ANN).artifact.version
        publish(bird, "adapter", version, ANN, "better")
    assert bird.shelf.component("adapter", ANN).by == pytest.approx(0.4)
    publish(bird, "adapter", 1, ANN, "back")
    assert bird.shelf.component("adapter", ANN).by == pytest.approx(0.2)
    publish(bird, "adapter", 0, ANN, "none")
    assert bird.shelf.component("adapter", ANN) is None
    with pytest.raises(NotFound, match="adapter@1, adapter@2"):
        publish(bird, "adapter", 9, ANN, "?")


def test_what_was_learnt_in_one_scope_serves_no_other(bird: Engine, shift_trainer: type[Trainer]) -> None:
    version = made(shift_trainer(), groups(0.2), setting(bird), bird.shelf, ANN).artifact.version
    with pytest.raises(InvalidInput, match="acme/ann"):
        publish(bird, "adapter", version, Scope("acme", "bob"), "?")
    publish(bird, "adapter", version, ANN, "better")
    seen = {str(scope): bird.shelf.component("adapter", scope) is not None for scope in _scopes()}
    assert seen == {"acme/ann": True, "acme/ann/s1": True, "acme": False, "acme/bob": False, "other": False}


def test_going_back_leads_to_what_served_before_and_not_to_the_parent(bird: Engine, shift_trainer: type[Trainer]) -> None:
    versions = [made(shift_trainer(), groups(label), setting(bird), bird.shelf, ANN).artifact.version for label in (0.2, 0.3, 0.4)]
    for version in versions:  # all of them fitted while none served, so all have the parent none
        publish(bird, "adapter", version, ANN, "better")
    seen = []
    while (serving := bird.shelf.serving("adapter", ANN)) is not None:
        seen.append(serving.version)
        publish(bird, "adapter", before(bird, serving), ANN, ROLLBACK)
    assert seen == versions[::-1]


def test_compare_doubts_and_refuses_as_publishing_does(tmp_path: Path, shift_trainer: type[Trainer]) -> None:
    path, more = tmp_path / "b.bower", tmp_path / "more.jsonl"
    write(more, groups(0.2))
    taught = ("--from", str(more))

    def judge(likes: Sequence[float]) -> int:
        with bowerbird.open(path, "home", encoder=None, llm=None) as bird:
            bird.add([{"key": "boiler", "kind": "passage", "text": "The boiler shows E4."}])
            return [bird.feedback(bird.augment("boiler E4", spec="bm25 >> budget"), like, keys="boiler") for like in likes][-1]

    def told(*args: str, code: int) -> dict[str, Any]:
        result = CliRunner().invoke(app, ["learn", *args, "-b", str(path), "-s", "home", "--json"])
        assert result.exit_code == code, result.output
        loaded: dict[str, Any] = json.loads(result.stdout)
        return loaded

    good = judge([1.0] * 40)
    told("fit", "adapter", *taught, code=0)
    told("compare", "adapter@1", *taught, code=0)
    judge([-1.0] * 10)
    doubted = told("compare", "adapter@1", *taught, code=1)["verdict"]
    assert "the newest outcomes are in doubt" in doubted["why"]
    assert doubted["mean"]["difference"]["value"] > 0.1, "the numbers are told all the same"
    told("compare", "adapter@1", *taught, "--upto", str(good), code=0)
    told("compare", "adapter@1", *taught, "--believe", "1000", code=0)
    refused = told("fit", "adapter", *taught, code=1)["verdict"]["why"]
    said = told("compare", "adapter@2", *taught, "--believe", "1000", code=1)["verdict"]["why"]
    assert said.startswith("Better")
    assert refused in said
    assert refused in told("publish", "adapter@2", code=2)["error"]["message"]


def test_no_query_is_on_two_sides() -> None:
    by_side = sides([*groups(0.1), *[Group(f"QUERY  {i}", "item", "other", ()) for i in range(300)]])
    queries = {side: {group.id for group in found} for side, found in by_side.items()}
    assert all(queries.values())
    assert not queries["train"] & queries["test"]
    assert not queries["dev"] & queries["test"]


def test_gain_by_hand() -> None:
    assert gain_at(10, [0.0, 1.0], [1.0, 0.0]) == pytest.approx(1 / 1.5849625)
    assert gain_at(10, [1.0, -1.0], [1.0, -1.0]) == 1.0
    assert gain_at(10, [], [1.0]) == 0.0
    assert gain_at(1, [0.0, 1.0], [1.0]) == 0.0


def _flat(value: float, n: int = 50) -> Mapping[str, float]:
    return {f"q{i}": value + (i % 5) * 1e-3 for i in range(n)}


def _noisy(seed: int, n: int = 50) -> Mapping[str, float]:
    draw = random.Random(seed)
    return {f"q{i}": draw.random() for i in range(n)}


def _scopes() -> Sequence[Scope]:
    return [ANN, Scope("acme", "ann", "s1"), Scope("acme"), Scope("acme", "bob"), Scope("other")]
