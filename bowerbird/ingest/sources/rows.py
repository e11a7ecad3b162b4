"""Rows of a table to records: which column becomes the key, the text and each field. JSONL, CSV and Parquet share this.

It knows nothing of files: a format gives it rows with their place ("line 7"), and it gives records back, or a `Failure`
for a row that makes none. A mapping says `{"text": "body", "key": "doc:{id}", "fields.lang": "language"}`: record
attribute or field -> column, a template of columns, or None to leave the field out. What it does not name is found under
the usual names (`USUAL`); every other column becomes a field of its own name.

Memory: one row, and about 160 bytes a row (measured) to notice keys that come twice.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bowerbird.errors import BowerbirdError, InvalidInput, UnknownName
from bowerbird.ingest.source import Failure, as_record
from bowerbird.kinds import Kind, checked_fields, kind, kinds
from bowerbird.types import Record, record_id

__all__ = ["SLOT", "USUAL", "Row", "Rows", "filled", "places"]

ATTRIBUTES = ("key", "text", "kind", "valid_from", "valid_to", "supersedes", "trust")
HOPELESS = 100  # after this many bad rows and no good one, the mapping is wrong, not the rows

_KEYS = ("key", "id", "_id", "doc_id", "docid", "uid", "uuid")
_TEXTS = ("text", "content", "body", "passage", "document", "contents", "abstract", "description")
_INPUTS = ("text", "input", "question", "query", "prompt", "utterance", "instruction", "sentence", "content")

# kind -> record attribute or field -> the column names it is usually found under, best first
USUAL: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "passage": {"text": _TEXTS, "fields.title": ("title", "headline"), "fields.url": ("url", "link")},
    "memory": {
        "text": ("text", "content", "message", "memory", "fact"),
        "fields.time": ("time", "timestamp", "created_at", "date"),
        "fields.role": ("role", "speaker", "author"),
    },
    "example": {
        "text": _INPUTS,
        # a label is the output of a labelled example: that is what a prompt shows
        "fields.output": ("output", "answer", "completion", "response", "target", "solution", "label", "intent", "category", "class"),
        "fields.label": ("label", "intent", "category", "class"),
    },
    "tool": {"key": (*_KEYS, "name"), "text": ("text", "description", "summary"), "fields.parameters": ("parameters", "inputSchema")},
    "user": {"key": (*_KEYS, "user", "user_id", "name"), "text": ("text", "about", "bio", "description")},
    "item": {
        "key": (*_KEYS, "item", "item_id", "asin"),
        "text": ("text", "description", "plot", "overview", "summary"),
        "fields.title": ("title", "name"),
        "fields.tags": ("tags", "genres", "categories"),
    },
    "model": {"key": (*_KEYS, "name", "model"), "text": ("text", "description", "about"), "fields.name": ("name", "model")},
}
_TEXTLESS = ("user", "item", "model")  # their fields alone say enough

SLOT = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True, slots=True)
class Row:
    """One row and where it stands ("line 7")."""

    place: str
    cells: Mapping[str, Any]


def places(values: Iterable[Any], what: str = "row") -> Iterator[Row | Failure]:
    """Rows of mappings in memory; what is no mapping becomes a `Failure`."""
    for number, value in enumerate(values, 1):
        if isinstance(value, Mapping):
            yield Row(f"{what} {number}", value)
        else:
            yield Failure(f"{what} {number}", f"is {type(value).__name__} {value!r:.60}, not an object with named columns.")


class Rows:
    """Base of the formats that are tables. A subclass gives `suffixes` and `rows(path)`; `kind_of_rows` is used when no kind is given."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    kind_of_rows: ClassVar[str] = "passage"

    def __init__(self, *, kind: str | None = None, mapping: Mapping[str, str | None] | None = None) -> None:
        self._fixed = kind is not None
        self._kind = _row_of(kind or self.kind_of_rows)
        self._mapping = _checked_mapping(mapping or {}, self._kind)

    def rows(self, path: Path) -> Iterator[Row | Failure]:
        """The rows of the file; a malformed one as a `Failure`."""
        raise NotImplementedError

    def read(self, path: Path, name: str) -> Iterator[Record | Failure]:
        """The records of the file. Raises `InvalidInput` when no row fits the mapping."""
        try:
            yield from self._records(self.rows(path), name, str(path))
        except (EOFError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path} cannot be read to its end: {error}.") from error

    def records(self, value: Any, name: str) -> Iterator[Record | Failure]:
        """The records of a list of mappings."""
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            raise InvalidInput(f"Rows in memory are a list of mappings; got {type(value).__name__} {value!r:.80}.")
        yield from self._records(places(value), name, name)

    def _records(self, rows: Iterable[Row | Failure], name: str, shown: str) -> Iterator[Record | Failure]:
        seen: dict[int, str] = {}
        good = bad = 0
        for row in rows:
            made = row if isinstance(row, Failure) else self._made(row, name, seen)
            if made is None:
                continue
            yield made
            if not isinstance(made, Failure):
                good += 1
            elif not isinstance(row, Failure):
                bad += 1
                if bad == HOPELESS and not good:
                    raise InvalidInput(f"{shown}: none of the first {bad} rows makes a {self._kind.name}. {made.name}: {made.why}")

    def _made(self, row: Row, name: str, seen: dict[int, str]) -> Record | Failure | None:
        try:
            record, own_key = self._record(row, name)
        except BowerbirdError as error:
            return Failure(row.place, str(error))
        number = record_id(record.scope, record.key)
        if number not in seen:
            seen[number] = row.place
            return record
        if not own_key:
            return None  # the very same content twice: the first is kept, nothing is lost
        return Failure(row.place, f"has the key {record.key!r} of {seen[number]}, which is kept. Keys must differ within a source.")

    def _record(self, row: Row, name: str) -> tuple[Record, bool]:
        # NaN is how data frames write "no value"; an empty cell of a CSV file says the same.
        cells = {str(column): cell for column, cell in row.cells.items() if cell is not None and cell == cell and cell != ""}
        named = self._take(cells, "kind", self._kind)[0] if not self._fixed else None
        rowkind = self._kind if named is None else _row_of(named)
        usual = USUAL.get(rowkind.name, {"text": _TEXTS})
        given: dict[str, Any] = {}
        used: set[str] = {"kind"} if named is not None else set()
        for target in dict.fromkeys((*ATTRIBUTES, *self._mapping, *usual)):
            if target != "kind":
                value, columns = self._take(cells, target, rowkind)
                used.update(columns)
                if value is not None:
                    given[target] = value
        fields = {target.removeprefix("fields."): given.pop(target) for target in list(given) if target.startswith("fields.")}
        nested = cells.get("fields")
        if isinstance(nested, Mapping) and "fields" not in used:
            fields = {**nested, **fields}
            used.add("fields")
        for column, cell in cells.items():
            if column not in used and self._mapping.get(f"fields.{column}", "") is not None:
                fields.setdefault(column, cell)
        fields = checked_fields(rowkind, {field: _typed(rowkind, field, value) for field, value in fields.items()})
        text = given.get("text", "")
        if isinstance(text, (int, float)) and not isinstance(text, bool):
            text = str(text)
        if not isinstance(text, str):
            raise InvalidInput(f"the text is {type(text).__name__} {text!r:.60}, not a string.")
        if not text.strip() and not (rowkind.name in _TEXTLESS and fields):
            raise self._no_text(cells, rowkind)
        _encodable("text", text)
        _encodable("fields", json.dumps(fields, ensure_ascii=False))
        key = given.get("key")
        if isinstance(key, float) and key.is_integer():
            key = int(key)  # how data frames hold integers beside missing values
        if key is None:
            key = f"{name}#{_digest(rowkind.name, text, fields)}"
        made: dict[str, Any] = {
            "key": key,
            "kind": rowkind.name,
            "text": text,
            "fields": fields,
            **{part: given[part] for part in ("valid_from", "valid_to", "trust") if part in given},
        }
        if "supersedes" in given:
            made["supersedes"] = [str(old) for old in _as_list(given["supersedes"])]
        return as_record(made, place=row.place), "key" in given

    def _take(self, cells: Mapping[str, Any], target: str, rowkind: Kind) -> tuple[Any, tuple[str, ...]]:
        """The value for `target` and the columns it came from; (None, ()) when the row has none."""
        if target in self._mapping:
            column = self._mapping[target]
            if column is None:
                return None, ()
            slots = tuple(SLOT.findall(column)) if column not in cells else ()
            needed = slots or (column,)
            if target not in ("key", "text") and any(name not in cells for name in needed):
                return None, ()
            if slots:
                return filled(column, cells), slots if target != "key" else ()
            if column not in cells:
                raise UnknownName("column", column, cells)
            return cells[column], (column,)
        usual = USUAL.get(rowkind.name, {})
        names = usual.get(target) or (_KEYS if target == "key" else (target.removeprefix("fields."),))
        for column in names:
            if column in cells:
                # A name that is both key and field (a model's name) is wanted in both places.
                return cells[column], () if target == "key" and column in rowkind.fields else (column,)
        return None, ()

    def _no_text(self, cells: Mapping[str, Any], rowkind: Kind) -> InvalidInput:
        usual = ", ".join(USUAL.get(rowkind.name, {"text": _TEXTS})["text"])
        return InvalidInput(
            f"no text for a {rowkind.name}: none of the columns {usual} holds any. "
            f"The row has {', '.join(sorted(cells)) or 'no cells'}. Say which one it is with a mapping: {{'text': 'COLUMN'}}."
        )


def filled(template: str, cells: Mapping[str, Any]) -> str:
    """The template with each `{column}` replaced by its cell. Raises `UnknownName` for a column that the row does not have."""
    for name in SLOT.findall(template):
        if cells.get(name) is None:
            raise UnknownName("column", name, cells)
    return SLOT.sub(lambda slot: str(cells[slot[1]]), template)


def _row_of(name: Any) -> Kind:
    if not isinstance(name, str):
        raise InvalidInput(f"a kind is a name such as 'passage'; got {type(name).__name__} {name!r:.60}. Known: {', '.join(kinds())}.")
    return kind(name)


def _checked_mapping(mapping: Mapping[str, str | None], rowkind: Kind) -> dict[str, str | None]:
    """`mapping` with bare field names written out; an unknown target raises `UnknownName`."""
    checked: dict[str, str | None] = {}
    for target, column in mapping.items():
        if column is not None and not isinstance(column, str):
            raise InvalidInput(
                f"The mapping says {target!r}: {column!r}. A column is a name, a template such as '{{title}}. {{body}}', or None."
            )
        if target in ATTRIBUTES or (target.startswith("fields.") and target != "fields."):
            checked[target] = column
        elif target in rowkind.fields:
            checked[f"fields.{target}"] = column
        else:
            raise UnknownName("mapping target", target, [*ATTRIBUTES, *(f"fields.{name}" for name in rowkind.fields)])
    return checked


def _typed(rowkind: Kind, field: str, value: Any) -> Any:
    """A cell as the kind's field wants it: tables hold "3.5" and "a|b" where JSON holds 3.5 and ["a", "b"]."""
    wanted = rowkind.fields.get(field)
    if wanted == "str" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if wanted == "list":
        return _as_list(value)
    if wanted == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str) or wanted not in ("int", "float", "bool", "dict", "time"):
        return value
    try:
        if wanted in ("int", "float"):
            return int(value) if wanted == "int" else float(value)
        if wanted == "bool":
            return {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}[value.strip().lower()]
        if wanted == "dict":
            return json.loads(value)
        return float(value) if value.strip().replace(".", "", 1).isdigit() else value
    except (ValueError, KeyError) as error:
        raise InvalidInput(f"field {field!r} of kind {rowkind.name!r} takes {wanted}; got {value!r:.60}.") from error


def _as_list(value: Any) -> list[Any]:
    """A list from a list, a JSON list or values with | between them."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                loaded = json.loads(value)
            except ValueError as error:
                raise InvalidInput(f"{value!r:.60} begins like a JSON list and is none: {error}.") from error
            return list(loaded)
        return [part.strip() for part in value.split("|") if part.strip()]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _encodable(what: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        near = text[max(0, error.start - 20) : error.start]
        raise InvalidInput(f"the {what} hold half a surrogate pair after {near!r}, which UTF-8 cannot write.") from error


def _digest(kind_name: str, text: str, fields: Mapping[str, Any]) -> str:
    content = json.dumps([kind_name, text, fields], sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
