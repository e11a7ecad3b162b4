"""A small household for the quickstart: memories, solved examples, users, items, models and notes, written for this project.

The people, places, works and models are invented. Everything is data in this folder; the code only opens it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from bowerbird.ingest.source import Source, Unit
from bowerbird.ingest.sources.folder import File
from bowerbird.ingest.sources.items import Items

__all__ = ["Question", "questions", "sources"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question for the quickstart. `expect`: keys that should be found; `never`: keys that must stay hidden; `shows`: what
    the answer demonstrates."""

    question: str
    kinds: tuple[str, ...]
    expect: tuple[str, ...]
    never: tuple[str, ...]
    shows: str


class _Shipped:
    """A source of this folder under a name of its own, so that a moved installation is still the same source."""

    def __init__(self, name: str, source: Source) -> None:
        self.id, self._source = f"household:{name}", source

    def units(self) -> Iterator[Unit]:
        return self._source.units()


def sources() -> list[Source]:
    """Everything the household knows, one source a sort of thing: about 100 records of six kinds and a few passages."""
    folder = _folder()
    return [
        _Shipped("memories", File(folder / "memories.jsonl", kind="memory")),
        _Shipped("chat", File(folder / "chat.json", format="chat")),
        _Shipped("examples", File(folder / "examples.jsonl", format="examples")),
        _Shipped("items", Items(folder)),
        _Shipped("models", File(folder / "models.jsonl", format="models")),
        _Shipped("notes", File(folder / "house_notes.md")),
    ]


def questions() -> tuple[Question, ...]:
    """Questions that the household and Python's documentation can answer, at least one for every kind."""
    loaded = json.loads((_folder() / "questions.json").read_text("utf-8"))
    return tuple(Question(row["question"], tuple(row["kinds"]), tuple(row["expect"]), tuple(row["never"]), row["shows"]) for row in loaded)


def _folder() -> Path:
    return Path(str(files("bowerbird.household")))
