"""Marks for an answer that has none, as small models write them: each sentence gets the record that bears it out best, if one does.

After the fact, by words alone: the record may not be where the model took it from. The trace says that it was done.
"""

from __future__ import annotations

from collections.abc import Sequence

from bowerbird.sentences import sentences
from bowerbird.stages.words import best_window, words
from bowerbird.types import Block

__all__ = ["attributed"]

_ENOUGH = 0.5  # share of a sentence's words that must stand in the record: the default of the check that comes after


def attributed(text: str, blocks: Sequence[Block]) -> tuple[str, int]:
    """`text` with a mark after each sentence that some block bears out (of equals the first block), and how many were given."""
    pieces: list[str] = []
    at = given = 0
    for low, high, _ in sentences(text, 0, len(text)):
        said = words(text[low:high])
        best, mark = 0.0, ""
        for block in blocks if said else ():
            record = block.hit.record
            assert record is not None
            start, end = block.hit.span or (0, len(record.text))
            share = best_window(said, record.text, start, end).share
            if share > best and said.numbers <= words(record.text[start:end]).numbers:
                best, mark = share, block.mark
        if best >= _ENOUGH:
            pieces += [text[at:high], f" {mark}"]
            at = high
            given += 1
    return "".join([*pieces, text[at:]]), given
