"""From documents to records: the base of every format that yields running text, and the keys of its passages.

A key is `name#place`: for the first chunk of a section its headings (`guide.md#install/linux`, `paper.pdf#p3`), for a
later one the same and a checksum of how it begins (`guide.md#install~9f2c41aa`). No running number goes in, so that text
put in or taken out at one place leaves the keys of all other places alone; a second chunk that would get the same key
gets `-2`. What an edit does re-key: a chunk whose first words changed and, at most, the chunks up to the next border that
stays put. `start` and `end` do move with the text.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.ingest.chunk import Chunk, Chunker
from bowerbird.ingest.chunk.sections import Sections
from bowerbird.ingest.document import Document
from bowerbird.kinds import kind as kind_row
from bowerbird.types import Record

__all__ = ["LIMIT", "DocumentFormat", "passages"]

LIMIT = 64_000_000  # bytes of one file


class DocumentFormat(ABC):
    """A format that extracts a `Document` from a file; this base checks the file, cuts the document and makes the records."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1
    """Part of the stamp: raised when the same file gives other records than before."""
    may_be_empty: ClassVar[bool] = False
    """Whether a file without text is normal, and gives no records, or is an error."""

    def __init__(
        self,
        *,
        kind: str | None = None,
        mapping: Mapping[str, str] | None = None,
        chunker: Chunker | None = None,
        limit: int = LIMIT,
    ) -> None:
        if mapping is not None:
            raise InvalidInput(f"{type(self).__name__} files have no columns: a mapping fits formats such as csv or jsonl, leave it out.")
        if limit < 1:
            raise InvalidInput(f"limit is a number of bytes above 0; got {limit}.")
        self.kind, self.chunker, self.limit = kind_row(kind or "passage"), chunker or Sections(), limit

    def __repr__(self) -> str:
        return f"{type(self).__name__}(version={self.version}, kind={self.kind.name!r}, chunker={self.chunker!r})"

    @abstractmethod
    def extract(self, path: Path, data: bytes) -> Document:
        """The document in `data`, the content of `path`. Raises `InvalidInput` that names the path and says what to do."""

    def read(self, path: Path, name: str) -> Iterator[Record]:
        """The records of one file; raises `InvalidInput` when it is too large, empty or not of this format, or `OSError`."""
        length = path.stat().st_size
        if length > self.limit:
            raise InvalidInput(
                f"{str(path)!r} has {length:,} bytes, more than the limit of {self.limit:,}. Split it, leave it out "
                "(.bowerignore), or raise the limit: Folder(path, limit=...)."
            )
        document = self.extract(path, path.read_bytes())
        if not document.text or document.text.isspace():
            if self.may_be_empty:
                return
            raise InvalidInput(f"{str(path)!r} is empty: there is no text to keep. Fill it or leave it out (.bowerignore).")
        yield from passages(document, name, self.chunker, kind=self.kind.name)


def passages(document: Document, name: str, chunker: Chunker, *, kind: str = "passage") -> Iterator[Record]:
    """The records of a document called `name`, each with its parent (`name`) and the keys of its neighbours."""
    title = document.title or Path(name).name
    trust = kind_row(kind).trust
    used: dict[str, int] = {}
    before: str | None = None
    held: tuple[Chunk, str] | None = None

    def record(chunk: Chunk, key: str, following: str | None) -> Record:
        found: dict[str, Any] = {
            "title": title,
            "heading": _heading(chunk.section.path, title),
            "path": name,
            "page": chunk.section.page,
            "start": chunk.start,
            "end": chunk.end,
            "parent": name,
            "previous": before,
            "next": following,
            **document.fields,
        }
        fields = {field: value for field, value in found.items() if value is not None and value != ""}
        return Record(key=key, kind=kind, text=document.text[chunk.start : chunk.end], fields=fields, trust=trust)

    for chunk in chunker.cut(document):
        key = _key(document.text, chunk, name, title)
        used[key] = count = used.get(key, 0) + 1
        while count > 1 and f"{key}-{count}" in used:  # "a-2" may be a heading's own name
            count += 1
        if count > 1:
            used[key], key = count, f"{key}-{count}"
            used[key] = 1
        if held is not None:
            yield record(held[0], held[1], key)
            before = held[1]
        held = (chunk, key)
    if held is not None:
        yield record(held[0], held[1], None)


def _heading(path: tuple[str, ...], title: str) -> str:
    return " > ".join(path[1:] if path and path[0] == title else path)


_APART = re.compile(r"[^\w.]+")


def _slug(heading: str) -> str:
    return _APART.sub("-", heading.lower()).strip("-")[:48]


def _key(text: str, chunk: Chunk, name: str, title: str) -> str:
    section = chunk.section
    path = section.path[1:] if section.path and section.path[0] == title else section.path
    place = "/".join(slug for slug in map(_slug, path[-4:]) if slug)
    if section.page is not None:
        place = f"p{section.page}" + (f"/{place}" if place else "")
    if chunk.first:
        return f"{name}#{place or 'start'}"
    begins = " ".join(text[chunk.fresh : min(chunk.end, chunk.fresh + 64)].split())
    return f"{name}#{place}~{hashlib.blake2b(begins.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}"
