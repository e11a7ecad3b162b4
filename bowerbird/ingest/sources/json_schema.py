"""JSON Schema for tools: local `$ref`s written out, and types of Python as schemas. It validates nothing."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

from bowerbird.errors import InvalidInput

__all__ = ["LARGEST", "of_type", "resolved"]

LARGEST = 4000  # nodes of one written-out schema: references that double at every level would fill the memory


def resolved(schema: Any, document: Mapping[str, Any], problems: list[str]) -> Any:
    """`schema` as plain JSON with the `$ref`s into `document` written out.

    A reference that contains itself, leads out of the document or to nothing is replaced by a description of it; the last
    two, and a schema beyond `LARGEST` nodes, are told in `problems`.
    """
    count = iter(range(LARGEST))
    return _resolved(schema, document, problems, (), count)


def _resolved(value: Any, document: Mapping[str, Any], problems: list[str], inside: tuple[str, ...], count: Iterator[int]) -> Any:
    if next(count, None) is None or len(inside) > 50:
        cut = f"the schema is larger than {LARGEST} nodes and is cut"
        if cut not in problems:
            problems.append(cut)
        return {"description": "(left out: the schema is too large)"}
    if isinstance(value, Mapping):
        reference = value.get("$ref")
        if isinstance(reference, str):
            name = reference.rsplit("/", 1)[-1]
            if reference in inside:
                return {"type": "object", "description": f"(a {name} again)"}
            target = _target(reference, document)
            if target is None:
                problem = f"reference {reference!r} leads {'to nothing' if reference.startswith('#') else 'out of the document'}"
                if problem not in problems:
                    problems.append(problem)
                return {"description": f"(see {reference})"}
            beside = {part: inner for part, inner in value.items() if part != "$ref"}
            if isinstance(target, Mapping):
                target = {**target, **beside}
            return _resolved(target, document, problems, (*inside, reference), count)
        return {str(part): _resolved(inner, document, problems, inside, count) for part, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_resolved(inner, document, problems, inside, count) for inner in value]
    if isinstance(value, (date, time)):
        return value.isoformat()  # YAML reads 2026-05-01 as a date
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)


def _target(reference: str, document: Mapping[str, Any]) -> Any:
    if reference == "#":
        return document
    if not reference.startswith("#/"):
        return None
    found: Any = document
    for part in reference[2:].split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, Mapping) and part in found:
            found = found[part]
        else:
            return None
    return found


_PLAIN: Mapping[Any, Mapping[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    bytes: {"type": "string", "contentEncoding": "base64"},
    dict: {"type": "object"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array", "uniqueItems": True},
    frozenset: {"type": "array", "uniqueItems": True},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
    Path: {"type": "string", "format": "path"},
    UUID: {"type": "string", "format": "uuid"},
}


def of_type(hint: Any, inside: tuple[Any, ...] = ()) -> dict[str, Any]:
    """The JSON schema of a Python type; `{}` (anything) where JSON has no word for it. `inside`: the types around this one."""
    plain = _PLAIN.get(hint) if isinstance(hint, (type, types.NoneType)) else None
    if plain is not None:
        return dict(plain)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        words = [word for word in arguments[1:] if isinstance(word, str)]
        return of_type(arguments[0], inside) | ({"description": " ".join(words)} if words else {})
    if origin in (typing.Required, typing.NotRequired):
        return of_type(arguments[0], inside)
    if origin is typing.Literal:
        return {"enum": [value.value if isinstance(value, enum.Enum) else value for value in arguments]}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [of_type(part, inside) for part in arguments]}
    if origin is not None:
        return _of_generic(origin, arguments, inside)
    if not isinstance(hint, type) or hint in inside:
        return of_type(hint.__supertype__, inside) if hasattr(hint, "__supertype__") else {}
    if issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint if isinstance(member.value, (str, int, float, bool))]}
    if hasattr(hint, "model_json_schema"):  # pydantic
        schema = hint.model_json_schema()
        if not isinstance(schema, Mapping):
            raise InvalidInput(f"{hint.__name__}.model_json_schema() gives {type(schema).__name__}, not a schema.")
        return dict(resolved(schema, schema, []))
    if dataclasses.is_dataclass(hint) or typing.is_typeddict(hint):
        return _of_fields(hint, inside)
    return {}


def _of_generic(origin: Any, arguments: tuple[Any, ...], inside: tuple[Any, ...]) -> dict[str, Any]:
    if not isinstance(origin, type):
        return {}
    if issubclass(origin, Mapping):
        return {"type": "object"} | ({"additionalProperties": of_type(arguments[1], inside)} if len(arguments) == 2 else {})
    if issubclass(origin, tuple) and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return {"type": "array", "prefixItems": [of_type(part, inside) for part in arguments], "maxItems": len(arguments)}
    if issubclass(origin, Collection) or origin.__name__ in ("Iterable", "Iterator"):
        unique = {"uniqueItems": True} if issubclass(origin, (set, frozenset)) else {}
        return {"type": "array", "items": of_type(arguments[0], inside), **unique} if arguments else {"type": "array"}
    return {}


def _of_fields(hint: type, inside: tuple[Any, ...]) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(hint, include_extras=True)
    except (NameError, TypeError):
        return {"type": "object"}  # names that exist for type checkers only
    if dataclasses.is_dataclass(hint):
        wanted = dataclasses.fields(hint)
        hints = {item.name: hints[item.name] for item in wanted}
        required = [item.name for item in wanted if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING]
    else:
        required = sorted(getattr(hint, "__required_keys__", ()))
    return {
        "type": "object",
        "properties": {name: of_type(part, (*inside, hint)) for name, part in hints.items()},
        **({"required": required} if required else {}),
    }
