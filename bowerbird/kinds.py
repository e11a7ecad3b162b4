"""The table of kinds: what can be retrieved, how each is rendered for an encoder and for a prompt, and how it is updated.

Adding a kind is one row: `Kind(...)` in `TABLE`, or an entry point in the group `bowerbird.kinds` that names one.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import Any, Literal

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.types import TRUSTS, Record, Scope, Trust, when

__all__ = ["TABLE", "Kind", "checked", "checked_fields", "instructed_kinds", "kind", "kinds"]

FieldType = Literal["str", "int", "float", "bool", "list", "dict", "time", "any"]


def _plain(record: Record) -> str:
    return record.text


def _alone(record: Record) -> tuple[str, int | None] | None:
    return None


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of thing to retrieve.

    `query_instruction` and `key_instruction` are put in front of a query and of a record for encoders that were
    trained with them (LLM-Embedder, arXiv 2310.07554, section 3). `encode` gives the text that encoders and
    BM25 see, `show` the text that a prompt shows. `fields` are the typed fields; other fields are free.
    `place` gives what a record is a part of and its number there (None = in no order), None for what stands alone. `update`:
    adding a known key again replaces the record's fields or merges the new ones into them.
    """

    name: str
    about: str
    query_instruction: str
    key_instruction: str
    fields: Mapping[str, FieldType] = field(default_factory=dict)
    encode: Callable[[Record], str] = _plain
    show: Callable[[Record], str] = _plain
    place: Callable[[Record], tuple[str, int | None] | None] = _alone
    update: Literal["replace", "merge"] = "replace"
    trust: Trust = "untrusted"

    def asked(self, query: str, instructed: Collection[str]) -> str:
        """A query for this kind as an encoder reads it that was trained with the instructions of the kinds `instructed`."""
        return self.query_instruction + query if self.name in instructed else query

    def keyed(self, text: str, instructed: Collection[str]) -> str:
        """The text of a record of this kind as such an encoder reads it."""
        return self.key_instruction + text if self.name in instructed else text


def _titled(record: Record) -> str:
    parts = [record.fields.get("title"), record.fields.get("heading"), record.text]
    return "\n".join(dict.fromkeys(str(part) for part in parts if part))


def _day(seconds: Any) -> str:
    return datetime.fromtimestamp(when(seconds), UTC).strftime("%Y-%m-%d %H:%M")


def _memory(record: Record) -> str:
    said = record.fields.get("role")
    at = record.fields.get("time")
    head = " ".join(part for part in (f"[{_day(at)}]" if at is not None else "", f"{said}:" if said else "") if part)
    return f"{head} {record.text}" if head else record.text


def _said_at(record: Record) -> tuple[str, int | None] | None:
    session, turn = record.fields.get("session"), record.fields.get("turn")
    return None if session is None or turn is None else (str(session), int(turn))


def _served_by(record: Record) -> tuple[str, int | None] | None:
    server = record.fields.get("server")
    return None if server is None else (str(server), None)


def _example(record: Record) -> str:
    output = record.fields.get("output")
    return record.text if output is None else f"Input: {record.text}\nOutput: {output}"


def _tool_key(record: Record) -> str:
    name = str(record.fields.get("name", record.key))
    usages = record.fields.get("usages") or []
    return "\n".join([name.replace("_", " ").replace(".", " "), record.text, *map(str, usages)])


def _tool(record: Record) -> str:
    name = record.fields.get("name", record.key)
    schema = record.fields.get("parameters")
    signature = record.fields.get("signature")
    lines = [f"{name}{signature or ''}: {record.text}"]
    if schema:
        lines.append("parameters: " + json.dumps(schema, ensure_ascii=False, separators=(",", ":"), sort_keys=True))
    return "\n".join(lines)


def _user(record: Record) -> str:
    lines = [line for line in (record.fields.get("name"), record.text) if line and (line == record.text or line not in record.text)]
    for name, value in (record.fields.get("profile") or {}).items():
        lines.append(f"{name}: {value}")
    history = record.fields.get("history") or []
    if history:
        lines.append("recently: " + "; ".join(map(str, history[-10:])))
    return "\n".join(lines)


def _item(record: Record) -> str:
    name = record.fields.get("title")
    tags = record.fields.get("tags") or []
    head = [str(name)] if name else []
    return " · ".join([*head, *([record.text] if record.text else []), *([", ".join(map(str, tags))] if tags else [])])


def _model(record: Record) -> str:
    facts = [
        f"{label} {record.fields[name]}{unit}"
        for name, label, unit in (
            ("context_window", "window", " tokens"),
            ("price_in", "in", " $/M tokens"),
            ("price_out", "out", " $/M tokens"),
            ("latency_ms", "latency", " ms"),
        )
        if record.fields.get(name) is not None
    ]
    able = record.fields.get("capabilities") or []
    if able:
        facts.append("can " + ", ".join(map(str, able)))
    name = record.fields.get("name", record.key)
    return f"{name}: {record.text}" + (f" ({'; '.join(facts)})" if facts else "")


TABLE: tuple[Kind, ...] = (
    Kind(
        "passage",
        "a piece of a document",
        "Represent this question to find passages that answer it: ",
        "Represent this passage so that questions find it: ",
        {
            "title": "str",
            "heading": "str",
            "path": "str",
            "page": "int",
            "start": "int",
            "end": "int",
            "parent": "str",
            "previous": "str",
            "next": "str",
            "lang": "str",
            "url": "str",
        },
        encode=_titled,
        show=_titled,
    ),
    Kind(
        "memory",
        "something said or learnt in an earlier conversation",
        "Represent this message to find earlier memories that matter to it: ",
        "Represent this memory so that later messages find it: ",
        {"role": "str", "time": "time", "session": "str", "turn": "int", "topic": "str"},
        encode=_memory,
        show=_memory,
        place=_said_at,
        trust="user",
    ),
    Kind(
        "example",
        "a solved case: an input with its output or label",
        "example: ",  # short, since examples often are; both sides are the same sort of text
        "example: ",
        {"output": "any", "label": "str", "task": "str"},
        encode=_plain,
        show=_example,
    ),
    Kind(
        "tool",
        "something callable, with the schema of its arguments",
        "Represent this request to find the tools that fulfil it: ",
        "Represent this tool so that requests for it find it: ",
        {
            "name": "str",
            "parameters": "dict",
            "signature": "str",
            "returns": "any",
            "usages": "list",
            "server": "str",
            "method": "str",
            "path": "str",
        },
        encode=_tool_key,
        show=_tool,
        place=_served_by,
    ),
    Kind(
        "user",
        "a person: profile and history",
        "Represent this request to find people it is about: ",
        "Represent this person so that requests about them find them: ",
        {"name": "str", "profile": "dict", "history": "list"},
        encode=_user,
        show=_user,
        update="merge",
        trust="user",
    ),
    Kind(
        "item",
        "something that can be recommended",
        "Represent this wish to find items that fulfil it: ",
        "Represent this item so that wishes find it: ",
        {"title": "str", "tags": "list", "popularity": "float", "price": "float", "url": "str"},
        encode=_item,
        show=_item,
    ),
    Kind(
        "model",
        "a language model that a request can be sent to",
        "Represent this request to find the model that answers it best: ",
        "Represent this model so that requests that suit it find it: ",
        {
            "name": "str",
            "endpoint": "str",
            "price_in": "float",
            "price_out": "float",
            "latency_ms": "float",
            "context_window": "int",
            "capabilities": "list",
        },
        encode=_model,
        show=_model,
        update="merge",
        trust="trusted",
    ),
)


@functools.cache
def kinds() -> Mapping[str, Kind]:
    """All kinds by name: the table's rows, then those of installed packages (entry point group `bowerbird.kinds`)."""
    rows = {row.name: row for row in TABLE}
    for point in entry_points(group="bowerbird.kinds"):
        row = point.load()
        if not isinstance(row, Kind):
            raise InvalidInput(f"Entry point {point.name!r} ({point.value}) gives {type(row).__name__}, not a bowerbird.kinds.Kind.")
        if row.name in rows:
            raise InvalidInput(f"Entry point {point.name!r} ({point.value}) adds the kind {row.name!r}, which exists already.")
        rows[row.name] = row
    return rows


def kind(name: str) -> Kind:
    """The row of that name; an unknown one raises `UnknownName` with the nearest."""
    if not isinstance(name, str) or name not in kinds():
        raise UnknownName("kind", name, kinds())
    return kinds()[name]


def instructed_kinds(given: bool | Iterable[str]) -> frozenset[str]:
    """The kinds whose instructions an encoder reads: True = all there are, False = none; an unknown name raises `UnknownName`."""
    if isinstance(given, bool):
        return frozenset(kinds() if given else ())
    return frozenset(kind(name).name for name in ([given] if isinstance(given, str) else given))


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and value == value,
    "bool": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, (list, tuple)),
    "dict": lambda value: isinstance(value, Mapping),
    "any": lambda value: True,
}


@functools.lru_cache(maxsize=4096)
def _near(name: str, known: tuple[str, ...]) -> str | None:
    """Kept, since every row of a table has the same columns: comparing them anew took half of the time of reading a row."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    # "pages" beside "page" is a name of its own; "titel" beside "title" is a slip.
    return near[0] if near and near[0] not in name and name not in near[0] else None


def checked_fields(row: Kind, fields: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` as plain JSON values, typed as `row` says; None values are left out.

    A wrong type, a value that JSON cannot hold, or a name that is a near miss of a typed field raises `InvalidInput`.
    """
    checked: dict[str, Any] = {}
    for name, value in fields.items():
        if not isinstance(name, str) or not name:
            raise InvalidInput(f"Field names are non-empty strings; got {name!r}.")
        if value is None:
            continue
        wanted = row.fields.get(name)
        if wanted is None:
            near = _near(name, tuple(row.fields))
            if near:
                raise InvalidInput(
                    f"Kind {row.name!r} has no field {name!r}. Did you mean {near!r}? (For a field of your own, call it 'x_{name}'.)"
                )
        elif wanted == "time":
            value = when(value)
        elif not _CHECKS[wanted](value):
            raise InvalidInput(f"Field {name!r} of kind {row.name!r} takes {wanted}; got {type(value).__name__} {value!r:.80}.")
        checked[name] = value
    try:
        return dict(json.loads(json.dumps(checked, ensure_ascii=False, allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"Fields of {row.name!r} must be plain JSON values (strings, numbers, lists, objects): {error}.") from error


_LONGEST_KEY = 1000


def checked(record: Record, scope: Scope) -> Record:
    """`record` as `scope` may keep it: known kind, typed fields, sane key, text, times and trust. Raises `InvalidInput`."""
    row = kind(record.kind)
    for what, value in (("key", record.key), ("text", record.text)):
        if not isinstance(value, str):
            raise InvalidInput(f"The {what} of a record is a string; got {type(value).__name__} {value!r:.80}.")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"The {what} of {record.key!r:.80} holds half a character at {error.start}: it is not valid Unicode."
            ) from error
    if not record.key.strip() or len(record.key) > _LONGEST_KEY or not record.key.isprintable():
        raise InvalidInput(f"Key {record.key!r:.80} cannot be used: 1 to {_LONGEST_KEY} printable characters.")
    if record.trust not in TRUSTS:
        raise InvalidInput(f"{record.key!r}: trust {record.trust!r} is unknown; one of {', '.join(TRUSTS)}.")
    starts, ends = when(record.valid_from), when(record.valid_to)
    if not starts < ends:
        raise InvalidInput(f"{record.key!r}: valid_from {starts} is not before valid_to {ends}, so it would never be shown.")
    if isinstance(record.supersedes, str) or not all(isinstance(key, str) and key for key in record.supersedes):
        raise InvalidInput(f"{record.key!r}: supersedes is a list of keys; got {record.supersedes!r:.80}.")
    made = replace(
        record,
        fields=checked_fields(row, record.fields),
        scope=scope,
        valid_from=starts,
        valid_to=ends,
        supersedes=tuple(record.supersedes),
    )
    if not row.encode(made).strip():
        raise InvalidInput(f"{record.key!r} ({record.kind}) has no text and no fields to be found by.")
    return made
