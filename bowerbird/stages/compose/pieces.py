"""What of a record is shown and how many tokens that takes, rendered and counted once a turn and only where it may fit.

Knows kinds, delimiters and the counter; nothing of what is worth showing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bowerbird.kinds import kind as kind_named
from bowerbird.ports import TokenCounter
from bowerbird.stages.compose.counting import counts_of
from bowerbird.stages.compose.delimiters import framed, harmless
from bowerbird.types import Block, Hit, Record, replace

__all__ = ["Contents", "Piece", "content_of", "record_of"]

_CHARACTERS_A_TOKEN = 12  # no tokenizer packs more of a real text into a token on average: a longer text cannot fit
_LOOK_AHEAD = 6  # characters a token of the budget whose records are counted in one call before anything is chosen


@dataclass(frozen=True, slots=True)
class Piece:
    """A record that is in: what of it is shown, its tokens with delimiters, and why. `kept`: its block in the last context."""

    hit: Hit
    content: str
    tokens: int
    why: str
    rank: int = 0
    kept: Block | None = None
    pinned: bool = False
    must: bool = False


def record_of(hit: Hit) -> Record:
    """The hit's record, which the role's base has looked up."""
    assert hit.record is not None
    return hit.record


def content_of(record: Record, span: tuple[int, int] | None) -> str:
    """The record as its kind shows it, made harmless; of its text only `span`, with dots where something is cut off."""
    if span is not None and span != (0, len(record.text)):
        low, high = span
        text = f"{'… ' if low > 0 else ''}{record.text[low:high]}{' …' if high < len(record.text) else ''}"
        record = replace(record, text=text)
    return harmless(kind_named(record.kind).show(record)).strip()


class Contents:
    """Contents and sizes of one turn's records. Made, used and dropped within the turn."""

    def __init__(self, counter: TokenCounter, tag: str, budget: int) -> None:
        self._counter, self._counts = counter, counts_of(counter)
        self._tag, self._budget = tag, budget
        self._texts: dict[tuple[int, tuple[int, int] | None], str] = {}
        self._frames: dict[tuple[str, str], int] = {}

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, remembered."""
        return self._counts.of(self._counter, texts)

    def total(self, text: str) -> int:
        """Tokens of a text that will not come again."""
        return self._counter.count([text])[0] if text else 0

    def text(self, hit: Hit) -> str:
        """What of the hit would be shown."""
        name = (hit.id, hit.span)
        if name not in self._texts:
            self._texts[name] = content_of(record_of(hit), hit.span)
        return self._texts[name]

    def key(self, hit: Hit) -> str:
        """Equal for hits that would show the same text; a text too long to fit stands for itself unrendered."""
        return f"\x00{record_of(hit).kind}\x00{hit.text}" if self.long(hit, self._budget) else self.text(hit)

    def long(self, hit: Hit, room: int) -> bool:
        """Whether the hit's text alone is certainly more than `room` tokens."""
        low, high = hit.span or (0, len(record_of(hit).text))
        return high - low > _CHARACTERS_A_TOKEN * max(room, 0)

    def size(self, hit: Hit, room: int) -> int | None:
        """Tokens of the hit's content; None when it is certainly more than `room`."""
        if self.long(hit, room):
            return None
        text = self.text(hit)
        return None if len(text) > _CHARACTERS_A_TOKEN * max(room, 0) else self.count([text])[0]

    def frame(self, record: Record) -> int:
        """Tokens of a block's delimiters and joiner."""
        name = (record.kind, record.trust)
        if name not in self._frames:
            self._frames[name] = sum(self.count([framed(self._tag, "[99]", *name, ""), "\n"]))
        return self._frames[name]

    def look_ahead(self, hits: Iterable[Hit]) -> None:
        """Count the first hits in one call: those that can get in, and some more."""
        texts: list[str] = []
        characters = 0
        for hit in hits:
            if self.long(hit, self._budget):
                continue
            texts.append(self.text(hit))
            characters += len(texts[-1]) + 60
            if characters > _LOOK_AHEAD * self._budget:
                break
        self.count(texts)

    def characters_a_token(self, hit: Hit) -> float:
        """How many characters of this record go into a token, from its size where that is known."""
        if self.long(hit, self._budget):
            start = record_of(hit).text[:2000]
            return len(start) / max(1, self.count([start])[0])
        text = self.text(hit)
        return len(text) / max(1, self.count([text])[0])
