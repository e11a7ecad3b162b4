"""Word documents by python-docx: headings, paragraphs, lists and tables in order. Headers, footnotes and comments are left out."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path

from bowerbird.errors import InvalidInput
from bowerbird.ingest.document import Document, Draft
from bowerbird.ingest.passages import DocumentFormat

__all__ = ["Docx"]

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_UNPACKED = 8  # times the limit: what a file may grow to when unpacked

_DAMAGED = (  # what zipfile and python-docx raise for a damaged file, beside errors of their own
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, OSError, RuntimeError,
    KeyError, ValueError, AttributeError, TypeError, IndexError, AssertionError,
)  # fmt: skip


class Docx(DocumentFormat):
    """DOCX. Paragraphs styled Title or Heading 1 to 9 open sections; a table is a block, one line a row."""

    suffixes = (".docx",)

    def extract(self, path: Path, data: bytes) -> Document:
        """The text in reading order; what is no readable package raises `InvalidInput`."""
        from docx.opc.exceptions import OpcError
        from lxml.etree import LxmlError

        damaged = f"{str(path)!r} is no readable DOCX file"
        advice = "Open it in a word processor and save it again as .docx, or leave it out (.bowerignore)."
        if data[:4] == b"\xd0\xcf\x11\xe0":
            raise InvalidInput(f"{damaged}: it is an old .doc file or encrypted. {advice}")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as package:
                unpacked = sum(part.file_size for part in package.infolist())
            if unpacked <= self.limit * _UNPACKED:
                return _read(data)
        except (OpcError, LxmlError, *_DAMAGED) as error:
            raise InvalidInput(f"{damaged} ({type(error).__name__}: {error}). {advice}") from error
        raise InvalidInput(
            f"{str(path)!r} unpacks to {unpacked:,} bytes, more than {_UNPACKED} times the limit of {self.limit:,}. Split it."
        )


def _read(data: bytes) -> Document:
    import docx
    from docx.table import Table

    draft = Draft()
    opened = docx.Document(io.BytesIO(data))
    for part in opened.iter_inner_content():
        if isinstance(part, Table):
            draft.block(_table(part))
            continue
        style = (part.style.name or "") if part.style is not None else ""
        level = _HEADING.match(style)
        if level or style == "Title":
            draft.heading(int(level[1]) if level else 1, part.text)
            if style == "Title" and not draft.title:
                draft.title = " ".join(part.text.split())
        elif style.startswith("List"):
            draft.item(part.text)
        else:
            draft.paragraph(part.text)
    draft.title = draft.title or (opened.core_properties.title or "").strip()
    return draft.document()


def _table(table: object) -> str:
    rows = []
    for row in table.rows:  # type: ignore[attr-defined]
        cells: list[str] = []
        seen: set[object] = set()
        for cell in row.cells:
            if cell._tc not in seen:  # a merged cell is listed once for every column it spans
                seen.add(cell._tc)
                cells.append(" ".join(cell.text.split()))
        if any(cells):
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)
