"""Parquet to records, a thousand rows at a time (pyarrow, extra `files`). Does not know what the columns mean: see `rows.py`."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from bowerbird.errors import InvalidInput
from bowerbird.ingest.source import Failure
from bowerbird.ingest.sources.rows import Row, Rows
from bowerbird.need import need

__all__ = ["Parquet", "parquet_rows"]

BATCH = 1000  # rows held at once


class Parquet(Rows):
    """Parquet files; times become ISO 8601 text, decimals numbers, bytes base64."""

    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)

    def rows(self, path: Path) -> Iterator[Row | Failure]:
        return parquet_rows(path)


def parquet_rows(path: Path) -> Iterator[Row | Failure]:
    """The rows of `path`. Raises `MissingExtra` without pyarrow and `InvalidInput` for a file that is no Parquet."""
    arrow = need("pyarrow", "files")
    parquet = need("pyarrow.parquet", "files")
    if path.stat().st_size == 0:
        raise InvalidInput(f"{path} is empty.")
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=BATCH):
                for cells in batch.to_pylist():
                    number += 1
                    yield Row(f"row {number}", {name: _plain(cell) for name, cell in cells.items()})
    except arrow.ArrowException as error:
        raise InvalidInput(f"{path} cannot be read as Parquet after row {number}: {error}") from error


def _plain(value: Any) -> Any:
    """The value as JSON holds it."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if isinstance(value, UUID):
        return str(value)
    return str(value)
