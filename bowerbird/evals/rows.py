"""Reading a dataset's files as rows: plain or gzip-compressed, JSON, JSON lines, CSV; and a stable split where a dataset has none.

Knows nothing of tasks.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from bowerbird.errors import InvalidInput

__all__ = ["github", "json_lines", "json_value", "opened", "share", "table_rows"]


def opened(path: Path, encoding: str = "utf-8") -> TextIO:
    """The file as text, line ends untouched; one that ends in .gz is decompressed on the way."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open(encoding=encoding, newline="")


def json_value(path: Path, encoding: str = "utf-8") -> Any:
    """The one JSON value that the file holds."""
    with opened(path, encoding) as text:
        return json.load(text)


def json_lines(path: Path, encoding: str = "utf-8") -> Iterator[Any]:
    """One JSON value a line; empty lines are passed over. A line that does not parse raises `InvalidInput` with its number."""
    with opened(path, encoding) as text:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InvalidInput(f"{path}, line {number} is no JSON: {error}.") from error


def table_rows(
    path: Path, delimiter: str = ",", encoding: str = "utf-8", header: Sequence[str] | None = None, quoted: bool = True
) -> Iterator[dict[str, str]]:
    """CSV or TSV rows by column name; `header` gives the names where the file has no header line.

    A row with fewer or more cells than the header raises `InvalidInput`: it would be read shifted.
    """
    with opened(path, encoding) as text:
        rows = csv.reader(text, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
        names = list(header) if header is not None else next(rows, [])
        for row in rows:
            if len(row) != len(names):
                raise InvalidInput(f"{path}, line {rows.line_num}: {len(row)} cells for the {len(names)} columns {', '.join(names[:8])}.")
            yield dict(zip(names, row, strict=True))


def share(key: str) -> float:
    """A number in [0, 1) that depends on `key` alone: the same on every machine, evenly spread. `share(key) < 0.2` is a fifth."""
    return int.from_bytes(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") / 2**64


def github(repository: str, revision: str, path: str) -> str:
    """Where GitHub serves the bytes of a file at a revision."""
    return f"https://raw.githubusercontent.com/{repository}/{revision}/{path}"
