"""Labelled examples, users and models from any table: JSONL, a JSON array, CSV, TSV or Parquet, by the file's ending.

Nothing but a kind and its usual column names (`rows.USUAL`): input/output or text/label for examples, profile and
history for users, endpoint, prices, latency, window and capabilities for models. They claim no suffix: name the format.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from bowerbird.errors import UnknownName
from bowerbird.ingest.source import Failure
from bowerbird.ingest.sources.csv import csv_rows
from bowerbird.ingest.sources.jsonl import json_rows
from bowerbird.ingest.sources.parquet import parquet_rows
from bowerbird.ingest.sources.rows import Row, Rows

__all__ = ["Examples", "Models", "Table", "Users", "any_rows"]

_READERS = {
    ".jsonl": json_rows,
    ".ndjson": json_rows,
    ".json": json_rows,
    ".csv": csv_rows,
    ".tsv": csv_rows,
    ".tab": csv_rows,
    ".parquet": parquet_rows,
}


def any_rows(path: Path) -> Iterator[Row | Failure]:
    """The rows of a table in any known form; the ending of the name says which. Raises `UnknownName` for another ending."""
    ending = Path(path.name.lower().removesuffix(".gz")).suffix
    if ending not in _READERS:
        raise UnknownName("table ending", ending, _READERS)
    return _READERS[ending](path)


class Table(Rows):
    """A table whose ending says how it is written; rows are of the given kind."""

    def rows(self, path: Path) -> Iterator[Row | Failure]:
        return any_rows(path)


class Examples(Table):
    """Solved cases: `input` with `output`, or `text` with `label`."""

    kind_of_rows: ClassVar[str] = "example"


class Users(Table):
    """People: id, name, what is known of them (`about`), `profile` (an object) and `history` (a list)."""

    kind_of_rows: ClassVar[str] = "user"


class Models(Table):
    """Language models: name, endpoint, price_in and price_out ($ per million tokens), latency_ms, context_window, capabilities."""

    kind_of_rows: ClassVar[str] = "model"
