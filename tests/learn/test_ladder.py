"""The ladder: rungs in order, what is better serves, what was done is not done again, and every rung says why in words."""

from __future__ import annotations

import pytest

from bowerbird import Engine
from bowerbird.errors import UnknownName
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.ladder import LADDER, climb
from bowerbird.learn.trainer import Setting, Trainer, trainer_of
from bowerbird.types import Scope

ANN = Scope("acme", "ann")


def groups(label: float, n: int = 300) -> list[Group]:
    return [Group(f"query {i}", "tool", "made", (Candidate("a", "text", label),)) for i in range(n)]


def test_what_is_better_serves_and_is_not_made_twice(bird: Engine, shift_trainer: type[Trainer]) -> None:
    def once(given: list[Group], seconds: float = 60.0) -> tuple[str, bool]:
        setting = Setting(bird, None)
        (rung,) = climb(given, setting, bird, ANN, seconds=seconds, rungs=["adapter"])
        return rung.said, rung.published

    said, published = once(groups(0.2))
    assert published
    assert said.startswith("Published. Better: +0.1")
    assert len(bird.shelf.list()) == 1
    said, published = once(groups(0.2))
    assert published
    assert said.startswith("Done before on the same data")
    assert len(bird.shelf.list()) == 1
    said, published = once(groups(0.1))
    assert not published
    assert "Not published" in said
    serving = bird.shelf.serving("adapter", ANN)
    assert serving is not None
    assert serving.version == 1, "the better one still serves"
    assert once(groups(0.4), seconds=0.0) == ("Not begun: the time was over.", False)


def test_too_little_is_a_rung_that_says_so(bird: Engine, shift_trainer: type[Trainer]) -> None:
    (rung,) = climb([], Setting(bird, None), bird, ANN, seconds=9, rungs=["adapter"])
    assert "needs at least 30 training queries" in rung.said
    assert rung.artifact is None


def test_every_rung_has_a_trainer_that_bears_its_name() -> None:
    assert [trainer_of(name).component for name, _ in LADDER] == [name for name, _ in LADDER]
    with pytest.raises(UnknownName, match="adapter"):
        trainer_of("adaptor")
