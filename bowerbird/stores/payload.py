"""How a point is laid out in Qdrant's data model, embedded or served: its payload, and filters as clauses over it.

Layout 1. `scope`, `kind` and `hash` are strings; `created`, `valid_from` and `valid_to` numbers. Every filterable value of
every field becomes one 63-bit number in `tags`, so one index answers all equality conditions, and neither odd field names
(dots, quotes, emoji) nor long values meet Qdrant's path syntax. Numbers are kept once more under `numbers` for comparisons, by a
hash of the field's name. It knows neither client nor shard.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bowerbird.ports import Filter, Point
from bowerbird.stores.points import Among, Atom, atoms, conditions, number

__all__ = ["FLOATS", "KEYWORDS", "LAYOUT", "TAGS", "Clause", "clauses", "number_path", "number_paths", "payload"]

LAYOUT = 1
KEYWORDS = ("scope", "kind")
FLOATS = ("created", "valid_from", "valid_to")
TAGS = "tags"


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on a payload path: any of `among`, or, when that is None, a number within `bounds`."""

    path: str
    among: tuple[str, ...] | tuple[int, ...] | None = None
    bounds: Mapping[str, float] | None = None


def payload(point: Point) -> dict[str, Any]:
    """The payload of a point: plain JSON."""
    tags: set[int] = set()
    numbers: dict[str, list[float]] = {}
    for name, value in point.fields.items():
        found = atoms(value)
        tags.update(_tag(name, atom) for atom in found)
        comparable = [x for x in map(number, found) if x is not None]
        if comparable:
            numbers[_key(name)] = comparable
    kept: dict[str, Any] = {
        "scope": str(point.scope),
        "kind": point.kind,
        "hash": point.hash,
        "created": float(point.created),
        "valid_from": float(point.valid_from),
        "valid_to": float(point.valid_to),
    }
    if tags:
        kept[TAGS] = sorted(tags)
    if numbers:
        kept["numbers"] = numbers
    return kept


def clauses(filter: Filter) -> list[Clause]:
    """`filter` as clauses that must all hold; the first is the scope and is always there.

    Measured at 100,000 points: one keyword with any-of beats an OR over scopes (1.5 ms against 1.8 a dense search, filter on),
    and two plain ranges for validity cost 0.1 to 0.4 ms, no more than a shortcut for "always valid" does.
    """
    must = [Clause("scope", tuple(str(scope) for scope in filter.scope.visible()))]
    if filter.kinds:
        must.append(Clause("kind", tuple(dict.fromkeys(filter.kinds))))
    if filter.at is not None:
        must.append(Clause("valid_from", bounds={"lte": filter.at}))
        must.append(Clause("valid_to", bounds={"gt": filter.at}))
    for condition in conditions(filter.where):
        if isinstance(condition, Among):
            # 0 is nobody's tag: a condition without values matches nothing.
            must.append(Clause(TAGS, tuple(_tag(condition.name, value) for value in condition.values) or (0,)))
        else:
            must.append(Clause(number_path(condition.name), bounds=condition.bounds))
    return must


def number_path(name: str) -> str:
    """Where the numbers of the field `name` are."""
    return f"numbers.{_key(name)}"


def number_paths(kept: Mapping[str, Any]) -> set[str]:
    """The number paths that occur in a payload."""
    return {f"numbers.{key}" for key in kept.get("numbers", ())}


def _key(name: str) -> str:
    return "n" + hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


@functools.lru_cache(maxsize=4096, typed=True)
def _tag(name: str, value: Atom) -> int:
    """63-bit number of (name, value), never 0. 1 and 1.0 are the same, 1 and True are not, nor are 1 and "1"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    digest = hashlib.blake2b(json.dumps([name, value]).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1
