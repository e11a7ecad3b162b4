"""CSV and TSV to records, row by row (RFC 4180; the first row names the columns).

The separator is a tab in .tsv and .tab files, otherwise whichever of comma, semicolon, tab and | is most frequent in the
first row. UTF-8 with or without a byte order mark, or UTF-16 with one. A row with more or fewer cells than there are
columns, or with bytes that are no UTF-8, becomes a `Failure` with its line number. It does not know types: a cell is
text, and only the typed fields of a kind are turned into numbers, lists and times (`rows.py`).
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.ingest.source import Failure
from bowerbird.ingest.sources.jsonl import opened
from bowerbird.ingest.sources.rows import Row, Rows

__all__ = ["Csv", "csv_rows"]


class Csv(Rows):
    """Comma-, semicolon- or tab-separated values with a header."""

    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".tsv", ".tab")

    def rows(self, path: Path) -> Iterator[Row | Failure]:
        return csv_rows(path)


def csv_rows(path: Path) -> Iterator[Row | Failure]:
    """The rows of `path`. Raises `InvalidInput` for an empty file or a header that names a column twice or not at all."""
    try:
        with opened(path) as raw:
            start = raw.read(2)
            raw.seek(0)
            utf16 = start in (b"\xff\xfe", b"\xfe\xff")
            # surrogateescape: a bad byte must cost its own row, not the file
            encoding, errors = ("utf-16", "strict") if utf16 else ("utf-8-sig", "surrogateescape")
            with io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline="") as file:
                header_line = file.readline()
                if not header_line.strip():
                    raise InvalidInput(f"{path} is empty: the first line must name the columns.")
                file.seek(0)
                yield from _rows(path, csv.reader(file, delimiter=_delimiter(path, header_line)))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidInput(f"{path} is a damaged gzip file: {error}.") from error


def _delimiter(path: Path, header: str) -> str:
    if path.name.lower().removesuffix(".gz").endswith((".tsv", ".tab")):
        return "\t"
    return max(",;\t|", key=header.count)


def _rows(path: Path, reader: Iterator[list[str]]) -> Iterator[Row | Failure]:
    try:
        header = [name.strip() for name in next(reader)]
    except csv.Error as error:
        raise InvalidInput(f"{path}: the header cannot be parsed: {error}.") from error
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice or not all(header):
        wrong = f"names {', '.join(map(repr, twice))} more than once" if any(twice) else "has a column without a name"
        raise InvalidInput(f"{path}: the header {wrong}. Columns: {', '.join(header)}.")
    while True:
        line = getattr(reader, "line_num", 0) + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Failure(
                f"line {line}", f"cannot be parsed: {error}. For texts beyond {csv.field_size_limit()} characters use JSON Lines."
            )
            continue
        if not cells:
            continue
        if len(cells) != len(header):
            yield Failure(f"line {line}", f"has {len(cells)} cells where the header names {len(header)} columns ({', '.join(header)}).")
        elif any(not cell.isascii() and not _valid(cell) for cell in cells):
            yield Failure(f"line {line}", "holds bytes that are not UTF-8: convert the file to UTF-8.")
        else:
            yield Row(f"line {line}", dict(zip(header, cells, strict=True)))


def _valid(cell: str) -> bool:
    return not any("\udc80" <= character <= "\udcff" for character in cell)
