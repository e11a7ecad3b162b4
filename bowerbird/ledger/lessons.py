"""What outcomes said of earlier turns' hits, ready to be looked up: the queries of a scope and how each of their records fared.

Read from the ledger as it grows, one position at a time, and only what exactly that scope made. What was said of one version of a
record says nothing of another. It knows no encoder: who compares queries brings vectors, which are kept here beside them.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bowerbird.ledger.ledger import Event, Ledger
from bowerbird.ports import Vectors
from bowerbird.types import Scope

__all__ = ["Lesson", "Lessons", "Named"]

_MOST = 5_000  # queries a scope that are remembered, those that were spoken of last
_SCOPES = 1_000  # scopes that are remembered
_WHOLE = 0.5  # what an outcome of the turn as a whole says of each record that was shown, against one that names it

Named = tuple[int, int]  # a record's id and its version


@dataclass(frozen=True, slots=True)
class Lesson:
    """A query that outcomes speak of. `values`: (record id, version) -> (sum of values in [-1, 1], how many); `seq`: the last position."""

    query: str
    values: Mapping[Named, tuple[float, float]] = field(default_factory=dict)
    seq: int = 0


@dataclass(slots=True)
class _Known:
    upto: int = 0
    lessons: dict[str, Lesson] = field(default_factory=dict)  # by query, oldest first
    about: dict[Named, set[str]] = field(default_factory=dict)  # the queries whose lessons name it
    vectors: dict[str, dict[str, Vectors]] = field(default_factory=dict)  # encoder id -> query -> (dim,)


class Lessons:
    """The lessons of each scope, read at the first need and kept in step. Safe in threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[Scope, _Known] = {}
        self._lock = threading.Lock()

    def of(self, scope: Scope, among: Iterable[Named] | None = None) -> Sequence[Lesson]:
        """The lessons of exactly this scope that name one of `among` (None = all lessons), the query that was spoken of last at the end.

        Costs one look at the ledger where nothing is new.
        """
        with self._lock:
            known = self._known.get(scope)
            if known is None:
                if len(self._known) >= _SCOPES:
                    self._known.pop(next(iter(self._known)))
                known = self._known.setdefault(scope, _Known())
            newest, outcomes = self._ledger.since(known.upto, scope)
            if outcomes:
                self._read(known, scope, newest)
            else:
                known.upto = newest
            if among is None:
                return list(known.lessons.values())
            queries = {query for named in among for query in known.about.get(named, ())}
            return sorted((known.lessons[query] for query in queries), key=lambda lesson: lesson.seq)

    def vectors(
        self, scope: Scope, queries: Collection[str], encoder: str, encode: Callable[[Sequence[str]], Vectors]
    ) -> Mapping[str, Vectors]:
        """query -> (dim,) vector of lessons' queries; `encode` is called at most once, for those that are not known yet."""
        with self._lock:
            known = self._known.get(scope, _Known())
            kept = known.vectors.setdefault(encoder, {})
            found = {query: kept[query] for query in queries if query in kept}
        missing = [query for query in queries if query not in found]
        if missing:
            found.update(zip(missing, encode(missing), strict=True))
            with self._lock:
                kept.update((query, found[query]) for query in missing if query in known.lessons)
        return found

    def _read(self, known: _Known, scope: Scope, newest: int) -> None:
        after = known.upto
        while after < newest:
            page = list(self._ledger.events(scope, type="outcome", after=after))
            served = self._ledger.turns({event.turn for event in page if event.turn}, scope)
            for event in page:
                if event.body["protocol"] in ("scalar", "pairwise") and event.turn in served:
                    _add(known, served[event.turn], event)
            after = page[-1].seq if page else newest
        known.upto = after  # what was written meanwhile may have been read with the rest, and counts once
        while len(known.lessons) > _MOST:
            _forget(known, next(iter(known.lessons)))


def _add(known: _Known, served: Event, outcome: Event) -> None:
    query, said = served.body["query"], _said(served, outcome)
    lesson = known.lessons.pop(query, Lesson(query))
    values = dict(lesson.values)
    for hit in served.body["hits"]:
        if hit["key"] in said:
            named, (value, weight) = (hit["id"], hit["version"]), said[hit["key"]]
            total, count = values.get(named, (0.0, 0.0))
            values[named] = (total + value, count + weight)
            known.about.setdefault(named, set()).add(query)
    known.lessons[query] = replace(lesson, values=values, seq=outcome.seq)  # the last one now


def _said(served: Event, outcome: Event) -> dict[str, tuple[float, float]]:
    """Key -> (value, weight) of one outcome."""
    body = outcome.body
    if body["protocol"] == "pairwise":
        return {body["value"][0]: (1.0, 1.0), body["value"][1]: (-1.0, 1.0)}
    value = max(-1.0, min(1.0, float(body["value"])))
    shown = [block["key"] for block in served.body["shown"] if block["key"]]
    weight = 1.0 if body["keys"] else _WHOLE / max(1.0, math.sqrt(len(shown)))
    return dict.fromkeys(body["keys"] or shown, (value * weight, weight))


def _forget(known: _Known, query: str) -> None:
    for named in known.lessons.pop(query).values:
        known.about[named].discard(query)
        if not known.about[named]:
            del known.about[named]
    for kept in known.vectors.values():
        kept.pop(query, None)
