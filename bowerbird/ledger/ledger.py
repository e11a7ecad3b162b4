"""Append-only events in the catalog's database. It knows nothing of records beyond the keys and versions that it notes.

`served`: a turn, its spec, every candidate with the scores of every stage, what was shown and where. `outcome`: what
became of a turn or of single hits of it. `published`: a trained component took over. Each event carries the hash of its
content, so that `verify` finds what was altered.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, insert, select

from bowerbird.database.database import Database
from bowerbird.database.schema import events
from bowerbird.errors import InvalidInput, NotFound, UnknownName
from bowerbird.types import Outcome, Scope, Turn

__all__ = ["Event", "Ledger"]

_SOURCES = ("llm", "user", "click", "metric", "simulated")
_PROTOCOLS = ("likelihood", "scalar", "pairwise", "verbal")
_LONGEST_NOTE = 10_000
_COLUMNS = [column.name for column in events.c if column is not events.c.seq]
_NOTE = f"INSERT INTO {events.name} ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"
_SINCE = f"SELECT max(seq), sum(type = 'outcome') FROM {events.name} WHERE tenant = ? AND user = ? AND session = ? AND seq > ?"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the ledger. `seq` is its position, `at` its time, `body` plain JSON."""

    seq: int
    type: Literal["served", "outcome", "published"]
    turn: str | None
    scope: Scope
    at: float
    body: Mapping[str, Any]


class Ledger:
    """The events of a database. Safe in threads. Reads take the caller's scope and show it exactly its own events."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def served(self, turn: Turn, spec: str) -> None:
        """Note a turn that was given to a caller. Survives the death of the process; a power cut may take the last ones."""
        self._db.note(_NOTE, _row("served", turn.id, turn.scope, _served(turn, spec)))

    def outcome(self, outcome: Outcome, scope: Scope) -> int:
        """Note what became of a turn of exactly this scope; its position. On disk when this returns.

        An unknown turn is `NotFound`; a key that was no candidate of it, an impossible value, source or protocol `InvalidInput`.
        """
        served = self.turn(outcome.turn, scope)
        if served is None:
            raise NotFound(f"No turn {outcome.turn!r} in scope {scope}. Turn ids come with every augment and ask.")
        candidates = {hit["key"] for hit in served.body["hits"] if hit["key"]}
        value = _checked(outcome)
        named = (*outcome.keys, *(outcome.value if isinstance(outcome.value, tuple) else ()))
        for key in named:
            if key not in candidates:
                raise UnknownName(f"hit of turn {outcome.turn}", key, candidates)
        body = {
            "source": outcome.source,
            "protocol": outcome.protocol,
            "value": value,
            "keys": list(outcome.keys),
            "note": outcome.note[:_LONGEST_NOTE],
            "model": outcome.model,
            "template": outcome.template,
        }
        with self._db.writing() as connection:
            return int(connection.execute(insert(events).returning(events.c.seq), _row("outcome", outcome.turn, scope, body)).scalar_one())

    def published(self, body: Mapping[str, Any], scope: Scope) -> int:
        """Note that a trained component took over; its position. On disk when this returns."""
        with self._db.writing() as connection:
            return int(connection.execute(insert(events).returning(events.c.seq), _row("published", None, scope, body)).scalar_one())

    def turn(self, id: str, scope: Scope) -> Event | None:
        """The served event of a turn of this scope."""
        return self.turns([id], scope).get(id)

    def turns(self, ids: Collection[str], scope: Scope) -> dict[str, Event]:
        """Turn id -> served event, for those of `ids` (some thousand at most) that are turns of exactly this scope.

        The scope is no term of the query: SQLite would take the index of scopes for it, and read all that this scope has.
        """
        query = select(events).where(events.c.turn.in_(ids), events.c.type == "served").order_by(events.c.seq.desc())
        with self._db.reading() as connection:
            rows = connection.execute(query).all()
        return {row.turn: _event(row, scope) for row in rows if (row.tenant, row.user, row.session) == _owner(scope)}

    def last(self, scope: Scope) -> Event | None:
        """The newest served event of exactly this scope."""
        query = select(events).where(*_of(scope), events.c.type == "served").order_by(events.c.seq.desc()).limit(1)
        with self._db.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else _event(row, scope)

    def since(self, after: int, scope: Scope) -> tuple[int, int]:
        """The newest position of exactly this scope, and how many of its outcomes came after position `after`: that something happened,
        not what.

        Every turn is an event of its own, so the newest position alone would always say that something is new.
        """
        newest, outcomes = self._db.look(_SINCE, [*_owner(scope), after])[0]
        return newest or after, outcomes or 0

    def events(self, scope: Scope, *, type: str | None = None, after: int = 0, limit: int = 1000) -> Iterator[Event]:
        """Events of exactly this scope by position, beginning after position `after`."""
        query = select(events).where(*_of(scope), events.c.seq > after).order_by(events.c.seq).limit(limit)
        if type is not None:
            query = query.where(events.c.type == type)
        with self._db.reading() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            yield _event(row, scope)

    def count(self, scope: Scope) -> dict[str, int]:
        """Events of exactly this scope by type."""
        totals: dict[str, int] = {}
        with self._db.reading() as connection:
            for row in connection.execute(select(events.c.type).where(*_of(scope))):
                totals[row.type] = totals.get(row.type, 0) + 1
        return totals

    def verify(self) -> list[int]:
        """Positions of events, all scopes, whose content does not match its hash."""
        altered = []
        with self._db.reading() as connection:
            for row in connection.execute(select(events).execution_options(yield_per=1000)):
                if row.hash != _hash(row.type, row.turn, (row.tenant, row.user, row.session), row.at, row.body):
                    altered.append(row.seq)
        return altered


def _owner(scope: Scope) -> tuple[str, str, str]:
    return scope.tenant, scope.user or "", scope.session or ""


def _of(scope: Scope) -> list[ColumnElement[bool]]:
    """The terms of a query for exactly this scope's events."""
    return [column == value for column, value in zip((events.c.tenant, events.c.user, events.c.session), _owner(scope), strict=True)]


def _event(row: Row[Any], scope: Scope) -> Event:
    return Event(row.seq, row.type, row.turn, scope, row.at, json.loads(row.body))


def _row(type: str, turn: str | None, scope: Scope, body: Mapping[str, Any]) -> dict[str, Any]:
    dumped = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    at = time.time()
    owner = _owner(scope)
    names = ("tenant", "user", "session")
    return {
        "type": type,
        "turn": turn,
        **dict(zip(names, owner, strict=True)),
        "at": at,
        "body": dumped,
        "hash": _hash(type, turn, owner, at, dumped),
    }


def _hash(type: str, turn: str | None, owner: tuple[str, str, str], at: float, body: str) -> str:
    content = "\x00".join((type, turn or "", *owner, repr(at), body))
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _served(turn: Turn, spec: str) -> dict[str, Any]:
    context = turn.context
    return {
        "spec": spec,
        "query": turn.query,
        "queries": list(turn.queries),
        "kinds": list(turn.kinds),
        "conversation": turn.conversation,
        "retrieved": turn.retrieves,
        "why": turn.decision.why if turn.decision else "",
        "hits": [
            {
                "id": hit.id,
                "key": hit.record.key if hit.record else None,
                "version": hit.record.version if hit.record else None,
                "kind": hit.record.kind if hit.record else None,
                "scores": {name: round(score, 6) for name, score in hit.scores.items()},
            }
            for hit in turn.hits
        ],
        "shown": [
            {
                "mark": block.mark,
                "id": block.hit.id,
                "key": block.hit.record.key if block.hit.record else None,
                "span": list(block.hit.span) if block.hit.span else None,
                "tokens": block.tokens,
                "pinned": block.pinned,
            }
            for block in (context.blocks if context else ())
        ],
        "tokens": context.tokens if context else 0,
        "budget": context.budget if context else None,
        "answer": turn.answer.text if turn.answer else None,
        "steps": [{"stage": s.stage, "seconds": round(s.seconds, 6), "info": dict(s.info)} for s in turn.trace],
    }


def _checked(outcome: Outcome) -> float | str | list[str]:
    if outcome.source not in _SOURCES:
        raise UnknownName("outcome source", outcome.source, _SOURCES)
    if outcome.protocol not in _PROTOCOLS:
        raise UnknownName("outcome protocol", outcome.protocol, _PROTOCOLS)
    value = outcome.value
    if outcome.protocol in ("likelihood", "scalar"):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise InvalidInput(f"A {outcome.protocol} outcome is a finite number; got {value!r:.80}.")
        return float(value)
    if outcome.protocol == "verbal":
        if not isinstance(value, str) or not value.strip():
            raise InvalidInput(f"A verbal outcome is a sentence; got {value!r:.80}.")
        return value[:_LONGEST_NOTE]
    if not (isinstance(value, tuple) and len(value) == 2 and all(isinstance(key, str) for key in value) and value[0] != value[1]):
        raise InvalidInput(f"A pairwise outcome is (preferred key, other key); got {value!r:.80}.")
    return list(value)
