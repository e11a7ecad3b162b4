"""Doubles for learning: a component that is one number, and its trainer."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bowerbird import table
from bowerbird.learn.groups import Group
from bowerbird.learn.trainer import Fit, Scores, Setting, Trainer


class Shift:
    """A component that is one number."""

    def __init__(self, by: float) -> None:
        self.by = by

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "shift.json").write_text(json.dumps(self.by))

    @classmethod
    def load(cls, folder: Path) -> Shift:
        return cls(json.loads((folder / "shift.json").read_text()))


class ShiftTrainer(Trainer):
    """Learns the mean label; a query's score is 0.5, a little noise, and the shift."""

    component: ClassVar[str] = "adapter"

    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        labels = [candidate.label for group in train for candidate in group.candidates]
        return Fit(Shift(sum(labels) / len(labels)), ({"step": 1.0, "loss": 0.1},))

    def scores(self, groups: Sequence[Group], component: Any | None, setting: Setting) -> Scores:
        found: dict[str, dict[str, float]] = {}
        for group in groups:
            noise = random.Random(group.id + str(component is not None)).gauss(0, 0.1)
            found.setdefault(group.kind, {})[group.id] = 0.5 + noise + (component.by if component else 0.0)
        return found


@pytest.fixture
def shift_trainer(monkeypatch: pytest.MonkeyPatch) -> type[Trainer]:
    """That trainer, listed with its component as `adapter`."""
    whole = table.load

    def load(group: str, name: str) -> Any:
        mine = {("components", "adapter"): Shift, ("trainers", "adapter"): ShiftTrainer}
        return mine.get((group, name)) or whole(group, name)

    monkeypatch.setattr(table, "load", load)
    return ShiftTrainer
