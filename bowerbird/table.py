"""Tables of parts: name -> "module:Class". Built-in parts and anybody's enter by the same door, entry points.

A package adds parts with an entry point in a group (`bowerbird.stages`, `bowerbird.encoders`, `bowerbird.stores`,
`bowerbird.llms`, `bowerbird.sources`) whose value is a mapping of names to "module:Class" strings. Nothing is imported
before it is asked for.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from bowerbird.errors import InvalidInput, UnknownName

__all__ = ["load", "names"]


@functools.cache
def names(group: str) -> Mapping[str, tuple[str, str]]:
    """All parts of `group` (such as "stages"): name -> ("module:Class", name of the table that lists it)."""
    found: dict[str, tuple[str, str]] = {}
    for point in sorted(entry_points(group=f"bowerbird.{group}"), key=lambda p: (not p.value.startswith("bowerbird."), p.name)):
        for name, target in point.load().items():
            if name in found:
                raise InvalidInput(
                    f"{name!r} is listed twice in bowerbird.{group}: {found[name][0]} and {target} (entry point {point.name!r})."
                )
            found[name] = (target, point.name)
    if not found:
        raise InvalidInput(f"No entry points in 'bowerbird.{group}': the package is not installed. Run: pip install -e .")
    return found


@functools.cache
def load(group: str, name: str) -> Any:
    """The class called `name` in `group`; an unknown one raises `UnknownName` with the nearest."""
    known = names(group)
    if name not in known:
        raise UnknownName(group.rstrip("s"), name, known)
    module, _, attribute = known[name][0].partition(":")
    return getattr(importlib.import_module(module), attribute)
