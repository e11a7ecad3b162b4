"""Fixed windows of words with overlap: the baseline that every other way of chunking is compared with.

Knows no sentences, headings or code blocks; a window begins and ends where its words do.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from bowerbird.errors import InvalidInput
from bowerbird.ingest.chunk import Chunk
from bowerbird.ingest.document import Document

__all__ = ["Fixed"]

# An ideograph or kana counts as a word; a run of more than 24 characters without space counts as several.
_WORD = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\\s\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]{1,24}")


@dataclass(frozen=True, slots=True)
class Fixed:
    """Windows of `words` words, each repeating the last `overlap` words of the one before. Linear time, one window held."""

    words: int = 200
    overlap: int = 40

    def __post_init__(self) -> None:
        if self.words < 1 or not 0 <= self.overlap < self.words:
            raise InvalidInput(f"{self}: takes 1 <= words and 0 <= overlap < words.")

    def cut(self, document: Document) -> Iterator[Chunk]:
        """The windows of a document, in order."""
        parts = document.parts
        starts = [part.start for part in parts]
        held: deque[tuple[int, int]] = deque()
        fresh, seen = -1, -1
        for word in _WORD.finditer(document.text):
            if len(held) == self.words:
                part = max(0, bisect_right(starts, fresh) - 1)
                yield Chunk(held[0][0], held[-1][1], fresh, parts[part], part != seen)
                fresh, seen = -1, part
                for _ in range(self.words - self.overlap):
                    held.popleft()
            held.append(word.span())
            if fresh < 0:
                fresh = word.start()
        if held:
            part = max(0, bisect_right(starts, fresh) - 1)
            yield Chunk(held[0][0], held[-1][1], fresh, parts[part], part != seen)
