"""What can be read into records, and how to open it. Knows nothing of the catalog: whoever reads compares stamps and removes.

A `Source` lists `Unit`s (a file, a table, a conversation); a unit parses only when its `read` is called, so that an
unchanged unit costs one stamp. A row of the table `bowerbird.sources` (name -> "module:Class") is a class of one of two sorts:

- a **format**: `Class(*, kind=None, mapping=None)` with `suffixes` and `read(path, name)`. Files and folders, their
  stamps, names and failures are handled here and in `sources/folder.py`; a format only turns one file into records.
  A format that also has `records(value, name)` accepts values in memory (a list of messages, a dict of schemas).
- a **source class**: `Class(thing, *, kind=None, mapping=None)` with `id` and `units()`, for what is no file.

Modules named in the table must be cheap to import: heavy libraries are imported when a file is read.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Protocol, runtime_checkable

from bowerbird import table
from bowerbird.errors import InvalidInput
from bowerbird.kinds import kind as kind_row
from bowerbird.types import FOREVER, TRUSTS, Record, Trust, when

__all__ = ["Failure", "Format", "FromValues", "Source", "Unit", "Values", "as_record", "format_of", "open_source"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A part of a unit that could not be read (a line, a row, a message) while the rest could. `name` says which, `why` what to do."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Unit:
    """One re-runnable piece of a source: a file, a table, a conversation.

    `name` is stable within the source (for a file: its relative path). `stamp` is a cheap fingerprint: an equal stamp
    means that there is nothing to do; an empty one means that the unit must be read every time. `read` parses only
    when called and raises `InvalidInput` (naming the file and what to do) or `OSError`. Between its records it may
    yield a `Failure` for a part that could not be read; the records after it are good. A name that ends in "/" stands for
    a folder that could not be listed: its `read` raises, and units whose names begin so are to be kept, not removed.
    """

    name: str
    stamp: str
    read: Callable[[], Iterator[Record | Failure]]


@runtime_checkable
class Source(Protocol):
    """A set of units that can be listed again and again.

    `id` is a stable identity such as `folder:/abs/path`. An empty id means that the source cannot be recognised when
    it comes again: its records are added and nothing is ever removed on its account. Records carry a placeholder scope.
    """

    @property
    def id(self) -> str: ...

    def units(self) -> Iterator[Unit]: ...


class Format(Protocol):
    """Turns one file into records. Made with `Class(*, kind=None, mapping=None)`; keeps no state between files.

    `suffixes`: lower-case endings such as ".md" that this format claims when nobody names a format; claim only what can
    be read without a mapping. `name` is what keys should start with, errors should name `path`.
    """

    suffixes: ClassVar[tuple[str, ...]]

    def read(self, path: Path, name: str) -> Iterator[Record | Failure]: ...


@runtime_checkable
class FromValues(Protocol):
    """A format that also reads values in memory."""

    def records(self, value: Any, name: str) -> Iterator[Record | Failure]: ...


class Values:
    """Records in memory as a source without identity: added or updated by key, never removed."""

    def __init__(self, read: Callable[[], Iterator[Record | Failure]]) -> None:
        self._read = read

    @property
    def id(self) -> str:
        return ""

    def units(self) -> Iterator[Unit]:
        yield Unit("", "", self._read)


@functools.cache
def _suffixes() -> Mapping[str, str]:
    claimed: dict[str, str] = {}
    for name in table.names("sources"):
        for suffix in getattr(table.load("sources", name), "suffixes", ()):
            if claimed.setdefault(suffix, name) != name:
                raise InvalidInput(f"Two formats claim {suffix!r}: {claimed[suffix]!r} and {name!r}.")
    return claimed


def format_of(name: str) -> str | None:
    """The format (a name of the table) that claims the file called `name` by its suffix; None when none does."""
    return _suffixes().get(Path(name).suffix.lower())


def open_source(thing: Any, *, kind: str | None = None, format: str | None = None, mapping: Mapping[str, str] | None = None) -> Source:
    """The source that reads `thing`.

    `thing`: a path to a file or folder; a `Record`, a mapping or an iterable of them; a callable or a module (tools);
    or a `Source`, which is returned as it is. `format` is a name of the table; without it a file's suffix decides.
    `kind` is the kind of records that name none; `mapping` maps record attributes and fields to column names.
    Raises `InvalidInput` for what cannot be opened; nothing is parsed yet.
    """
    if isinstance(thing, Source) and not isinstance(thing, (type, ModuleType)):
        if kind is not None or format is not None or mapping is not None:
            raise InvalidInput(f"{type(thing).__name__} is a source already: give kind, format and mapping to it instead.")
        return thing
    if isinstance(thing, (str, Path)):
        return _from_path(thing, kind, format, mapping)
    if format is not None:
        return _from_value(thing, kind, format, mapping)
    if isinstance(thing, ModuleType) or callable(thing):
        return _from_value(thing, kind, "callables", mapping)
    if isinstance(thing, (Record, Mapping)):
        if mapping is not None:
            raise InvalidInput("A mapping of columns needs a format, for example format='jsonl' for a list of rows.")
        return Values(lambda: iter((as_record(thing, kind),)))
    if isinstance(thing, Iterable) and not isinstance(thing, (bytes, bytearray)):
        if mapping is not None:
            raise InvalidInput("A mapping of columns needs a format, for example format='jsonl' for a list of rows.")
        items = list(thing)
        if items and all(callable(item) and not isinstance(item, Record) for item in items):
            return _from_value(items, kind, "callables", None)
        return Values(lambda: _each(items, kind))
    raise InvalidInput(
        f"{type(thing).__name__} {thing!r:.80} cannot be read into records. Give a path, a Record, a mapping with 'text' and 'kind', "
        "a list of those, a callable or a module."
    )


def _each(items: Iterable[Any], kind: str | None) -> Iterator[Record | Failure]:
    for number, item in enumerate(items):
        try:
            yield as_record(item, kind)
        except InvalidInput as error:
            yield Failure(f"item {number}", str(error))


def _from_path(thing: str | Path, kind: str | None, format: str | None, mapping: Mapping[str, str] | None) -> Source:
    from bowerbird.ingest.sources.folder import File, Folder

    text = str(thing)
    if not text or "\n" in text or "\x00" in text:
        raise InvalidInput(f"{text!r:.80} is no path. To add a text itself, give {{'key': ..., 'kind': 'passage', 'text': ...}}.")
    path = Path(text).expanduser()
    try:
        folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        raise InvalidInput(f"{text!r:.200} cannot be looked at: {error.strerror or error}.") from error
    if not exists:
        raise InvalidInput(
            f"No file or folder at {text!r} (looked in {Path.cwd()}). "
            "To add a text itself, give {'key': ..., 'kind': 'passage', 'text': ...}."
        )
    if format is not None:
        row = table.load("sources", format)
        if not hasattr(row, "suffixes") and row not in (Folder, File):
            made: Source = row(thing, kind=kind, mapping=mapping)
            return made
    named = None if format in ("folder", "file") else format
    return (Folder if folder else File)(path, kind=kind, format=named, mapping=mapping)


def _from_value(thing: Any, kind: str | None, format: str, mapping: Mapping[str, str] | None) -> Source:
    row = table.load("sources", format)
    if not hasattr(row, "suffixes"):
        made: Source = row(thing, kind=kind, mapping=mapping)
        return made
    reader = row(kind=kind, mapping=mapping)
    if not isinstance(reader, FromValues):
        raise InvalidInput(f"Format {format!r} reads files, not {type(thing).__name__} in memory: give it a path.")
    return Values(lambda: reader.records(thing, format))


_ATTRIBUTES = {item.name for item in fields(Record)} - {"scope", "version", "created", "source"}


def as_record(value: Any, kind: str | None = None, place: str = "this") -> Record:
    """A `Record` from a mapping: `text`, `kind`, `key` and so on are its attributes, `fields` and every other name its fields.

    `kind` is used when the mapping names none. Without a key, one is made of kind and content, so that the same value
    makes the same key. `place` (such as "line 7") is named in errors. A `Record` is returned as it is.
    """
    if isinstance(value, Record):
        return value
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{place}: {type(value).__name__} {value!r:.80} is no record; give a mapping with 'text' and 'kind'.")
    given = {str(name): item for name, item in value.items() if item is not None}
    named = given.pop("kind", kind)
    if named is None:
        raise InvalidInput(
            f"{place}: no kind. Give it as 'kind' or with kind=..., for example kind='passage'. Given: {', '.join(given) or 'nothing'}."
        )
    text = given.pop("text", "")
    extra = given.pop("fields", {})
    if not isinstance(text, str) or not isinstance(named, str):
        raise InvalidInput(f"{place}: 'text' and 'kind' are strings; got {text!r:.80} and {named!r:.80}.")
    if not isinstance(extra, Mapping):
        raise InvalidInput(f"{place}: 'fields' is a mapping; got {type(extra).__name__} {extra!r:.80}.")
    known = {name: given.pop(name) for name in list(given) if name in _ATTRIBUTES}
    content = {**given, **extra}
    if not text and not content:
        raise InvalidInput(f"{place}: neither 'text' nor fields: there is nothing to keep.")
    key = known.get("key")
    if key is None:
        digest = hashlib.blake2b(
            repr((named, text, sorted(content.items(), key=lambda pair: pair[0]))).encode("utf-8", "surrogatepass"), digest_size=8
        )
        key = f"{named}:{digest.hexdigest()}"
    if isinstance(key, bool) or not isinstance(key, (str, int)) or key == "":
        raise InvalidInput(f"{place}: a key is a non-empty string; got {key!r:.80}.")
    supersedes = known.get("supersedes", ())
    return Record(
        key=str(key),
        kind=named,
        text=text,
        fields=content,
        valid_from=when(known.get("valid_from"), 0.0),
        valid_to=when(known.get("valid_to"), FOREVER),
        supersedes=(supersedes,) if isinstance(supersedes, str) else tuple(supersedes),
        trust=_trust(known.get("trust"), named),
    )


def _trust(value: Any, kind: str) -> Trust:
    if value is None:
        return kind_row(kind).trust
    for level in TRUSTS:
        if level == value:
            return level
    raise InvalidInput(f"Trust {value!r} is unknown; one of {', '.join(TRUSTS)}.")
