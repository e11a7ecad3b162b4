"""What outcomes said of earlier turns' hits, ready to be looked up: the queries of a scope and how each of their records fared.

Read from the ledger as it grows, one position at a time, and only what exactly that scope made. It knows no encoder: who compares
queries brings vectors, which are kept here beside them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bowerbird.ledger.ledger import Event, Ledger
from bowerbird.ports import Vectors
from bowerbird.types import Scope

__all__ = ["Lesson", "Lessons"]

_MOST = 5_000  # queries a scope that are remembered, the newest
_SCOPES = 1_000  # scopes that are remembered
_WHOLE = 0.5  # what an outcome of the turn as a whole says of each record that was shown, against one that names it


@dataclass(frozen=True, slots=True)
class Lesson:
    """A query that outcomes speak of. `values`: record id -> (sum of values in [-1, 1], how many)."""

    query: str
    values: Mapping[int, tuple[float, float]]


@dataclass(slots=True)
class _Known:
    upto: int = 0
    lessons: dict[str, dict[int, tuple[float, float]]] = field(default_factory=dict)
    vectors: dict[str, dict[str, Vectors]] = field(default_factory=dict)  # encoder id -> query -> (dim,)


class Lessons:
    """The lessons of each scope, read at the first need and kept in step. Safe in threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[Scope, _Known] = {}
        self._lock = threading.Lock()

    def of(self, scope: Scope) -> Sequence[Lesson]:
        """Every lesson of exactly this scope, oldest query first. Costs one look at the ledger where nothing is new."""
        with self._lock:
            known = self._known.get(scope)
            if known is None:
                if len(self._known) >= _SCOPES:
                    self._known.pop(next(iter(self._known)))
                known = self._known.setdefault(scope, _Known())
            newest, outcomes = self._ledger.since(known.upto)
            if outcomes:
                self._read(known, scope, newest)
            else:
                known.upto = newest
            return [Lesson(query, dict(values)) for query, values in known.lessons.items()]

    def vectors(self, scope: Scope, queries: Sequence[str], encoder: str, encode: Callable[[Sequence[str]], Vectors]) -> Vectors:
        """(n, dim) vectors of lessons' queries; `encode` is called once, for those that are not known yet."""
        with self._lock:
            kept = self._known[scope].vectors.setdefault(encoder, {}) if scope in self._known else {}
            missing = [query for query in queries if query not in kept]
        if missing:
            made = encode(missing)
            with self._lock:
                kept.update(zip(missing, made, strict=True))
        return np.stack([kept[query] for query in queries])

    def _read(self, known: _Known, scope: Scope, newest: int) -> None:
        after = known.upto
        while after < newest:
            page = list(self._ledger.events(scope, type="outcome", after=after))
            for event in page:
                if event.body["protocol"] in ("scalar", "pairwise") and event.turn:
                    served = self._ledger.turn(event.turn, scope)
                    if served is not None:
                        _add(known.lessons, served, event)
            after = page[-1].seq if page else newest
        known.upto = after  # what was written meanwhile may have been read with the rest, and counts once
        while len(known.lessons) > _MOST:
            gone = next(iter(known.lessons))
            del known.lessons[gone]
            for kept in known.vectors.values():
                kept.pop(gone, None)


def _add(lessons: dict[str, dict[int, tuple[float, float]]], served: Event, outcome: Event) -> None:
    ids = {hit["key"]: hit["id"] for hit in served.body["hits"] if hit["key"]}
    body = outcome.body
    said: dict[str, tuple[float, float]] = {}
    if body["protocol"] == "pairwise":
        said = {body["value"][0]: (1.0, 1.0), body["value"][1]: (-1.0, 1.0)}
    else:
        value = max(-1.0, min(1.0, float(body["value"])))
        shown = [block["key"] for block in served.body["shown"] if block["key"]]
        weight = 1.0 if body["keys"] else _WHOLE / max(1.0, math.sqrt(len(shown)))
        said = dict.fromkeys(body["keys"] or shown, (value * weight, weight))
    values = lessons.setdefault(served.body["query"], {})
    for key, (value, weight) in said.items():
        if key in ids:
            total, count = values.get(ids[key], (0.0, 0.0))
            values[ids[key]] = (total + value, count + weight)
