"""Python functions to tools: signature, docstring and type hints become name, description and a JSON schema.

Given in memory only: `open_source(my_function)`, a list of functions, a mapping of names to functions, or a module (its
public functions). Nothing is called or imported. What a docstring says of a parameter (Google's `Args:` and Sphinx's
`:param x:`) becomes its description. It does not know what a function does when it has no docstring.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from bowerbird.errors import BowerbirdError, InvalidInput
from bowerbird.ingest.source import Failure, as_record
from bowerbird.ingest.sources.json_schema import of_type
from bowerbird.kinds import checked_fields, kind
from bowerbird.types import Record

__all__ = ["Callables"]

_SPHINX = re.compile(r"^\s*:param(?:\s+[\w\[\], .|]+?)?\s+(\w+)\s*:\s*(.+)$")
_ARGS = re.compile(r"^(?:Args|Arguments|Parameters):\s*$")
_ARG = re.compile(r"^\s+\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.+)$")


class Callables:
    """Functions as tools; key = module.name."""

    suffixes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, kind: str | None = None, mapping: Mapping[str, str] | None = None) -> None:
        if mapping:
            raise InvalidInput(f"A function names its own parts, so it takes no mapping ({', '.join(mapping)}).")
        self._kind = kind or "tool"

    def read(self, path: Path, name: str) -> Iterator[Record | Failure]:
        """Refused: a file would have to be run."""
        raise InvalidInput(f"{path}: functions are given in memory, since reading them from a file would run it. As text: format='code'.")

    def records(self, value: Any, name: str) -> Iterator[Record | Failure]:
        """The tools of a function, a module, a list of functions or a mapping of names to functions."""
        seen: set[str] = set()
        for called, function in _named(value):
            try:
                record = self._tool(called, function)
            except BowerbirdError as error:
                yield Failure(called or repr(function)[:80], str(error))
                continue
            if record.key in seen:
                yield Failure(record.key, "comes twice; the first is kept. Give names with a mapping {'name': function}.")
                continue
            seen.add(record.key)
            yield record

    def _tool(self, called: str | None, function: Any) -> Record:
        if not callable(function):
            raise InvalidInput(f"{type(function).__name__} {function!r:.60} cannot be called.")
        name = called or _name(function)
        about, words = _docstring(function)
        try:
            signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):
            signature = None  # some functions written in C tell nothing of their arguments
        fields = {
            "name": name.rpartition(".")[2] if called is None else called,
            "signature": _shown(signature),
            "parameters": _parameters(function, signature, words),
        }
        text = about or name.rpartition(".")[2].replace("_", " ").strip()
        fields = checked_fields(kind(self._kind), fields)
        return as_record({"key": name, "kind": self._kind, "text": text, "fields": fields})


def _named(value: Any) -> Iterator[tuple[str | None, Any]]:
    if isinstance(value, ModuleType):
        public = getattr(value, "__all__", None) or [name for name in vars(value) if not name.startswith("_")]
        for name in sorted(map(str, public)):
            found = getattr(value, name, None)
            if inspect.isroutine(found) and (hasattr(value, "__all__") or getattr(found, "__module__", None) == value.__name__):
                yield f"{value.__name__}.{name}", found
    elif isinstance(value, Mapping):
        yield from ((str(name), function) for name, function in value.items())
    elif callable(value):
        yield None, value
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        for item in value:
            yield from _named(item) if isinstance(item, (ModuleType, Mapping)) else ((None, item),)
    else:
        raise InvalidInput(
            f"{type(value).__name__} {value!r:.60} is no function, module, list of functions or mapping of names to functions."
        )


def _name(function: Callable[..., Any]) -> str:
    inner = function.func if isinstance(function, functools.partial) else function
    name = getattr(inner, "__qualname__", None)
    if isinstance(function, functools.partial) or not isinstance(name, str) or "<lambda>" in name:
        raise InvalidInput(f"{function!r:.80} has no name of its own: give it one with a mapping {{'name': function}}.")
    module = getattr(inner, "__module__", None)
    return f"{module}.{name.rpartition('<locals>.')[2]}" if module else name


def _shown(signature: inspect.Signature | None) -> str | None:
    """The signature without `self` values that change from run to run (addresses of default objects)."""
    return None if signature is None else re.sub(r"<([\w.]+)(?: object)? at 0x[0-9a-f]+>", r"<\1>", str(signature))


def _parameters(function: Any, signature: inspect.Signature | None, words: Mapping[str, str]) -> dict[str, Any] | None:
    if signature is None:
        return None
    hinted = inspect.getattr_static(function, "__init__") if isinstance(function, type) else function
    try:
        hints = typing.get_type_hints(hinted, include_extras=True)
    except (NameError, TypeError, AttributeError):
        hints = {}  # names that exist for type checkers only: the parameters go in untyped
    properties: dict[str, Any] = {}
    required: list[str] = []
    more = False
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            more = True
            continue
        schema = of_type(hints[name]) if name in hints else {}
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            schema = {"type": "array", **({"items": schema} if schema else {})}
        elif parameter.default is inspect.Parameter.empty:
            required.append(name)
        elif parameter.default is not None and _is_json(parameter.default):
            schema["default"] = parameter.default
        if name in words:
            schema.setdefault("description", words[name])
        properties[name] = schema
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        **({"additionalProperties": True} if more else {}),
    }


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _docstring(function: Any) -> tuple[str, dict[str, str]]:
    """The docstring up to its list of parameters, and what it says of each of them."""
    doc = inspect.getdoc(function) or ""
    about: list[str] = []
    words: dict[str, str] = {}
    in_args = False
    for line in doc.splitlines():
        sphinx = _SPHINX.match(line)
        if sphinx:
            words[sphinx[1]] = sphinx[2].strip()
        elif _ARGS.match(line):
            in_args = True
        elif in_args and (argument := _ARG.match(line)):
            words[argument[1]] = argument[2].strip()
        elif in_args and line.strip() and not line.startswith(" "):
            in_args = False
            about.append(line)
        elif not in_args and not line.lstrip().startswith((":return", ":rtype", ":raise", ":type")):
            about.append(line)
    return "\n".join(about).strip(), words
