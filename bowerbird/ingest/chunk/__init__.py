"""Ways to cut a document into chunks: name -> "module:Class"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from bowerbird.ingest.document import Document, Section

__all__ = ["TABLE", "Chunk", "Chunker"]

TABLE: dict[str, str] = {
    "sections": "bowerbird.ingest.chunk.sections:Sections",
    "fixed": "bowerbird.ingest.chunk.fixed:Fixed",
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """text[start:end] of a document. What stands before `fresh` repeats the end of the chunk before it (overlap).

    `section` is the one in which the chunk begins to be fresh; `first` says whether it is that section's first chunk.
    """

    start: int
    end: int
    fresh: int
    section: Section
    first: bool


class Chunker(Protocol):
    """Cuts one document. Its repr names every setting: it is part of the stamp by which files are found unchanged."""

    def cut(self, document: Document) -> Iterator[Chunk]:
        """Chunks in order. Every character that is no white space is in one; none begins or ends with white space."""
        ...
