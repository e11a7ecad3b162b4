"""JSON Lines to records, line by line; a `.json` file that is one array of objects is read whole.

A line that is no JSON object, is too long or is no UTF-8 becomes a `Failure` with its number, and the rest goes in.
`NaN` counts as a missing value, as data frames write it; `Infinity` is refused. `.gz` files are unpacked on the way.
It does not know what the columns mean: see `rows.py`.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, cast

from bowerbird.errors import InvalidInput
from bowerbird.ingest.source import Failure
from bowerbird.ingest.sources.rows import Row, Rows, places

__all__ = ["Jsonl", "json_rows", "load_json", "opened"]

LONGEST_LINE = 16 * 2**20  # bytes; a longer one is reported and skipped without being held in memory
LARGEST_DOCUMENT = 256 * 2**20  # bytes of a JSON document that is read whole


class Jsonl(Rows):
    """JSON Lines, one object a line."""

    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def rows(self, path: Path) -> Iterator[Row | Failure]:
        return json_rows(path)


def opened(path: Path) -> BinaryIO:
    """The bytes of the file, unpacked when its name ends in .gz. Raises `OSError`."""
    return cast(BinaryIO, gzip.open(path, "rb")) if path.name.lower().endswith(".gz") else path.open("rb")


def parsed(text: str | bytes) -> Any:
    """JSON with NaN as null; Infinity raises ValueError."""
    return json.loads(text, parse_constant=_constant)


def _constant(name: str) -> None:
    if name != "NaN":
        raise ValueError(f"{name} is no JSON number")


def load_json(path: Path) -> Any:
    """The document in `path`, read whole. Raises `InvalidInput` with line and column, or when it is too large or empty."""
    try:
        with opened(path) as file:
            data = file.read(LARGEST_DOCUMENT + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidInput(f"{path} is a damaged gzip file: {error}.") from error
    if len(data) > LARGEST_DOCUMENT:
        raise InvalidInput(
            f"{path} is larger than {LARGEST_DOCUMENT >> 20} MiB and would be read whole: write one object a line (.jsonl) instead."
        )
    _refuse_utf16(path, data)
    if not data.strip():
        raise InvalidInput(f"{path} is empty.")
    try:
        return parsed(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is no JSON: {error}.") from error


def json_rows(path: Path) -> Iterator[Row | Failure]:
    """The objects of a JSONL file, or of a JSON array (also `{"data": [...]}`: an object with one list of objects)."""
    if path.name.lower().removesuffix(".gz").endswith(".json"):
        with opened(path) as file:
            head = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
            first = file.seek(0) == 0 and file.readline(LONGEST_LINE)
        if head == b"[" or not _is_object(first or b""):
            yield from places(_listed(load_json(path), path), "element")
            return
    try:
        with opened(path) as file:
            yield from _lines(path, file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidInput(f"{path} is a damaged gzip file: {error}. The lines before the damage went in.") from error


def _lines(path: Path, file: BinaryIO) -> Iterator[Row | Failure]:
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        place = f"line {number}"
        if len(line) > LONGEST_LINE:
            while line and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE)
            yield Failure(place, f"is longer than {LONGEST_LINE >> 20} MiB: split it, or keep the text in a file of its own.")
            continue
        if number == 1:
            _refuse_utf16(path, line)
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            value = parsed(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            yield Failure(place, f"is not UTF-8 (byte {error.start}): convert the file to UTF-8.")
        except (ValueError, RecursionError) as error:
            yield Failure(place, f"is no JSON: {error}.")
        else:
            if isinstance(value, dict):
                yield Row(place, value)
            else:
                yield Failure(place, f"is {type(value).__name__} {value!r:.60}, not an object with named columns.")


def _listed(value: Any, path: Path) -> list[Any]:
    if isinstance(value, dict):
        lists = [name for name, inner in value.items() if isinstance(inner, list)]
        if len(lists) != 1:
            raise InvalidInput(
                f"{path} is one JSON object with {len(lists)} lists; rows are an array of objects, or an object with one such array."
            )
        value = value[lists[0]]
    if not isinstance(value, list):
        raise InvalidInput(f"{path} is JSON {type(value).__name__}, not an array of objects.")
    return value


def _is_object(line: bytes) -> bool:
    """Whether the first line is an object by itself: then the file is JSON Lines whatever its name says."""
    try:
        return isinstance(json.loads(line.decode("utf-8-sig")), dict)
    except ValueError:
        return False


def _refuse_utf16(path: Path, head: bytes) -> None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidInput(f"{path} is UTF-16: JSON is written in UTF-8. Convert it, for example: iconv -f UTF-16 -t UTF-8.")
