"""`extractive`: an answer without a model: the sentences of the best blocks that share most with the question, word for word.

Every sentence is quoted from its record and carries its mark, so each citation holds by construction. It knows words, not
meaning: it finds the place to read, it does not reason, join or shorten.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.roles import Read
from bowerbird.sentences import sentences as split
from bowerbird.stages.compose.delimiters import harmless
from bowerbird.stages.read.llm import abstained
from bowerbird.stages.words import words
from bowerbird.types import Answer, Block, Citation, Turn

__all__ = ["NO_MODEL", "Extractive"]

NO_MODEL = "I can only quote what I keep, and there is nothing to quote here: no language model is set up to talk with."
_MOST_CHARACTERS = 20_000
_LONGEST_SENTENCE = 600


@dataclass(frozen=True)
class Extractive(Read):
    """Up to `sentences` sentences from the first `blocks` blocks, in the order of the context.

    A sentence scores the sum of the rareness (among these sentences) of the question's words it has, its place breaks ties, and one
    that scores below half of the best is not quoted; where none shares a word, the first sentence of the first block is. Costs no
    model call.
    """

    name: ClassVar[str] = "extractive"
    sentences: int = 3
    blocks: int = 5

    def __post_init__(self) -> None:
        for name, value in (("sentences", self.sentences), ("blocks", self.blocks)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidInput(f"extractive: {name}={value!r} must be a whole number, at least 1.")

    def read(self, turns: Sequence[Turn]) -> list[tuple[Answer, Mapping[str, Any]]]:
        return [abstained(turn) or self._quoted(turn) for turn in turns]

    def _quoted(self, turn: Turn) -> tuple[Answer, Mapping[str, Any]]:
        if turn.context is None or not turn.context.blocks:
            return Answer(NO_MODEL, abstained=True), {"abstained": "there is no context to quote from"}
        found = [place for block in turn.context.blocks[: self.blocks] for place in _places(block)]
        if not found:
            return Answer("", abstained=True), {"abstained": "the records have no text to quote from"}
        asked = words(turn.query)
        each = [words(_text(block)[low:high]) for block, low, high in found]
        common = Counter(stem for one in each for stem in one.stems | one.numbers)
        wanted = asked.stems | asked.numbers
        scores = [sum(math.log(1 + len(each) / common[stem]) for stem in wanted & (one.stems | one.numbers)) for one in each]
        order = sorted(range(len(found)), key=lambda i: (-scores[i], i))
        worth = [i for i in order if 0 < scores[i] >= scores[order[0]] / 2]  # one that says half as much adds noise
        best = sorted(worth[: self.sentences] or [0])
        return _joined([found[i] for i in best]), {"sentences": len(best), "from": len(found)}


def _text(block: Block) -> str:
    assert block.hit.record is not None
    return block.hit.record.text


def _places(block: Block) -> list[tuple[Block, int, int]]:
    text = _text(block)
    start, end = block.hit.span or (0, len(text))
    return [(block, low, min(high, low + _LONGEST_SENTENCE)) for low, high, _ in split(text, start, min(end, start + _MOST_CHARACTERS))]


def _joined(places: Sequence[tuple[Block, int, int]]) -> Answer:
    text, citations = "", []
    for block, low, high in places:
        start = len(text) + (1 if text else 0)
        record = block.hit.record
        assert record is not None
        text = f"{text}{' ' if text else ''}{harmless(record.text[low:high])} {block.mark}"
        citations.append(Citation(block.mark, start, len(text), record.key, record.kind, record.version, (low, high), 1.0))
    return Answer(text, tuple(citations))
