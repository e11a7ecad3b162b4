"""From a mark to the place in the record that it most likely means. Words only; shared by the readers and the check."""

from __future__ import annotations

from collections.abc import Collection

from bowerbird.stages.read.marks import Cited, without
from bowerbird.stages.words import best_window, words
from bowerbird.types import Block, Citation

__all__ = ["bare", "citation", "nowhere"]


def citation(cited: Cited, answer: str, block: Block, known: Collection[str]) -> Citation:
    """The citation of a sentence: its record, the window of up to two sentences that shares most words, and that share."""
    record = block.hit.record
    assert record is not None
    start, end = block.hit.span or (0, len(record.text))
    window = best_window(words(bare(answer[cited.start : cited.end], known)), record.text, start, end)
    return Citation(
        cited.mark, cited.start, cited.end, record.key, record.kind, record.version, (window.start, window.end), max(0.0, window.share)
    )


def nowhere(cited: Cited) -> Citation:
    """A mark that no record of the context has."""
    return Citation(cited.mark, cited.start, cited.end, "", "", 0, (0, 0), 0.0)


def bare(sentence: str, known: Collection[str]) -> str:
    """The sentence without its marks."""
    return without(sentence, lambda mark, start: True, known)[0]
