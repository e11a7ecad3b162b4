"""Keeps records: upsert, supersede, delete, history, sources. Deterministic; no model ever decides what is deleted.

It knows nothing of vectors: what it changes is listed in `changes`, and an index catches up from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from bowerbird.catalog.rows import COLUMNS, owned, owner_of, record_from, record_of, row_of, valid, visible
from bowerbird.database.database import Database
from bowerbird.database.schema import changes, meta, records, sources, versions
from bowerbird.errors import BowerbirdError, InvalidInput, KindChanged
from bowerbird.kinds import kind
from bowerbird.types import Record, Scope

__all__ = ["Catalog", "Change", "Settled", "Version"]

_MOST = 500  # ids in one IN (...): below every SQLite's limit of variables


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one record that was added. `why` says it in words when it failed."""

    key: str
    status: Literal["added", "updated", "unchanged", "failed"]
    version: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a record. `ended` None = it is the current one; otherwise `why` says what ended it: updated or deleted."""

    record: Record
    ended: float | None
    why: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A unit that was read to its end: its stamp and the records it produced. `keep`: parts of it failed, so nothing is removed."""

    name: str
    stamp: str
    produced: set[int]
    keep: bool = False


_T = TypeVar("_T", int, str)
_Records = list[Record]  # inside the class, `list` is the method
_Versions = list[Version]
_Numbered = list[tuple[int, int]]


class Catalog:
    """The records of a database. Safe in threads. Every call but those marked "all scopes" takes the caller's scope."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._lookup = f"{database.sql(select(records.c.id, *COLUMNS))} WHERE {records.name}.id IN "

    # --- writing ------------------------------------------------------------------------------------------------------

    def add(self, batch: Sequence[Record], units: Sequence[str | None] | None = None, *, now: float | None = None) -> list[Change]:
        """Keep `batch`, whose scopes are set, in one transaction: on disk when this returns. One change a record, in order.

        `units`: which unit of its source each record came from.

        A record that cannot be kept is `failed`, and the others go in. The same key twice: the later one is the newer version.
        """
        if not batch:
            return []
        at = time.time() if now is None else now
        with self._db.writing() as connection:
            known = self._current(connection, {record.id for record in batch})
            fresh: dict[int, tuple[Record, str | None]] = {}
            ended: list[tuple[Record, str | None]] = []
            done: list[Change] = []
            for record, unit in zip(batch, units or [None] * len(batch), strict=True):
                try:
                    done.append(self._place(connection, record, unit, at, known, fresh, ended))
                except BowerbirdError as error:
                    done.append(Change(record.key, "failed", why=str(error)))
            self._end(connection, ended, at, "updated")
            self._put(connection, fresh.values())
            return done

    def _place(
        self,
        connection: Connection,
        record: Record,
        unit: str | None,
        at: float,
        known: dict[int, tuple[Record, str | None]],
        fresh: dict[int, tuple[Record, str | None]],
        ended: list[tuple[Record, str | None]],
    ) -> Change:
        """Decide what `record` becomes and note it in `known`, `fresh` and `ended`; nothing is written yet."""
        id = record.id
        found = known.get(id)
        for key in record.supersedes:
            if key == record.key:
                raise InvalidInput(f"{record.key!r} supersedes itself; give the replacement a key of its own, or add the same key again.")
        old = None
        if found is not None:
            old, old_unit = found
            if (old.scope, old.key) != (record.scope, record.key):
                raise InvalidInput(f"Keys {old.key!r} and {record.key!r} share the number {id}; rename one of them.")
            if old.kind != record.kind:
                raise KindChanged(
                    f"{record.key!r} is kept as {old.kind!r} and cannot become {record.kind!r}: delete it first, or use another key."
                )
            if record.source and old.source and old.source != record.source:
                raise InvalidInput(
                    f"{record.key!r} is kept from {old.source} already. Give one of the two sources other keys, "
                    f"or first drop the other: bowerbird delete --source {old.source!r}"
                )
            if kind(record.kind).update == "merge":
                record = replace(record, text=record.text or old.text, fields={**old.fields, **record.fields})
            # Adding a superseded record again by hand says that it holds once more; a source that merely repeats it does not.
            revived = old.superseded is not None and record.source is None
            if record.hash == old.hash and not revived:
                if (old.source, old_unit) != (record.source, unit):
                    fresh[id] = known[id] = (replace(old, source=record.source), unit)
                return Change(record.key, "unchanged", old.version)
        self._supersede(connection, record, at, known, fresh)
        new = replace(
            record, version=old.version + 1 if old else self._next_version(connection, id), created=at, superseded=None, superseded_by=None
        )
        if old is not None:
            ended.append((old, found[1] if found else None))
        fresh[id] = known[id] = (new, unit)
        return Change(record.key, "updated" if old else "added", new.version)

    def _supersede(
        self,
        connection: Connection,
        record: Record,
        at: float,
        known: dict[int, tuple[Record, str | None]],
        fresh: dict[int, tuple[Record, str | None]],
    ) -> None:
        wanted = {Record(key, record.kind, "", scope=record.scope).id: key for key in record.supersedes}
        missing = [id for id in wanted if id not in known]
        if missing:
            known.update(self._current(connection, missing))
        for id, key in wanted.items():
            if id not in known:
                raise InvalidInput(f"{record.key!r} supersedes {key!r}, which is no record of scope {record.scope}. Add that one first.")
            old, unit = known[id]
            if old.superseded is None:
                fresh[id] = known[id] = (replace(old, superseded=max(at, record.valid_from), superseded_by=record.key), unit)

    def _next_version(self, connection: Connection, id: int) -> int:
        """1, or one more than the last version of a record that was deleted and comes back."""
        return (connection.scalar(select(func.max(versions.c.version)).where(versions.c.id == id)) or 0) + 1

    def delete(self, keys: Sequence[str], scope: Scope, *, purge: bool = False, now: float | None = None) -> list[str]:
        """Delete records of exactly this scope; the keys that were there. `purge` also erases their history."""
        ids = {Record(key, "passage", "", scope=scope).id: key for key in keys}
        with self._db.writing() as connection:
            gone = self._remove(connection, ids, time.time() if now is None else now)
            erased: set[int] = set()
            if purge:
                for part in _parts(ids):
                    erased.update(connection.scalars(select(versions.c.id).where(versions.c.id.in_(part))))
                    connection.execute(delete(versions).where(versions.c.id.in_(part)))
            return [key for id, key in ids.items() if id in gone or id in erased]

    def _remove(self, connection: Connection, ids: Iterable[int], at: float) -> set[int]:
        found = self._current(connection, ids)
        self._end(connection, found.values(), at, "deleted")
        for part in _parts(found):
            connection.execute(delete(records).where(records.c.id.in_(part)))
        self._changed(connection, found)
        return set(found)

    def _put(self, connection: Connection, fresh: Iterable[tuple[Record, str | None]]) -> None:
        rows = [row_of(record, unit) for record, unit in fresh]
        if rows:
            statement = upsert(records)
            columns = {name: statement.excluded[name] for name in rows[0] if name != "id"}
            connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=columns), rows)
            self._changed(connection, [row["id"] for row in rows])

    @staticmethod
    def _end(connection: Connection, ended: Iterable[tuple[Record, str | None]], at: float, why: str) -> None:
        rows = [{**row_of(record, unit), "ended": at, "why": why} for record, unit in ended]
        if rows:
            connection.execute(insert(versions), rows)

    @staticmethod
    def _changed(connection: Connection, ids: Iterable[int]) -> None:
        rows = [{"id": id} for id in ids]
        if rows:
            connection.execute(insert(changes), rows)

    @staticmethod
    def _current(connection: Connection, ids: Iterable[int]) -> dict[int, tuple[Record, str | None]]:
        """Current records and their units, all scopes."""
        found = {}
        for part in _parts(ids):
            for row in connection.execute(select(records.c.id, records.c.unit, *COLUMNS).where(records.c.id.in_(part))):
                found[row.id] = (record_of(row), row.unit)
        return found

    # --- reading ------------------------------------------------------------------------------------------------------

    def records(self, ids: Sequence[int], scope: Scope, at: float | None) -> dict[int, Record]:
        """Those of `ids` that `scope` sees and that are valid at `at` (None = any time). Looked up by number, then checked."""
        found: dict[int, Record] = {}
        owners = {tuple(owner_of(owner).values()) for owner in scope.visible()}
        for part in _parts(ids):
            for row in self._db.look(f"{self._lookup}({','.join('?' * len(part))})", [int(id) for id in part]):
                if row[1:4] not in owners:
                    continue
                record = record_from(*row[1:])
                if at is None or record.starts <= at < record.ends:
                    found[row[0]] = record
        return found

    def ids(self, keys: Sequence[str], scope: Scope) -> list[int | None]:
        """For each key the number of the narrowest visible record of that name, or None."""
        owners = scope.visible()[::-1]
        candidates = [[Record(key, "passage", "", scope=owner).id for owner in owners] for key in keys]
        known = self.records(sorted({id for ids in candidates for id in ids}), scope, None)
        return [next((id for id in ids if id in known), None) for ids in candidates]

    def get(self, key: str, scope: Scope) -> Record | None:
        """The narrowest visible record of that key, also when it is superseded or expired."""
        id = self.ids([key], scope)[0]
        return None if id is None else self.records([id], scope, None).get(id)

    def list(
        self,
        scope: Scope,
        *,
        kind: str | None = None,
        at: float | None = None,
        after: str | None = None,
        limit: int = 100,
        prefix: str = "",
    ) -> _Records:
        """Visible records by key. `at` None = also superseded and expired; `after`: the last key of the page before."""
        query = select(*COLUMNS).where(visible(records, scope)).order_by(records.c.key, records.c.user, records.c.session).limit(limit)
        if kind is not None:
            query = query.where(records.c.kind == kind)
        if at is not None:
            query = query.where(valid(records, at))
        if after is not None:
            query = query.where(records.c.key > after)
        if prefix:
            query = query.where(records.c.key.startswith(prefix, autoescape=True))
        with self._db.reading() as connection:
            return [record_of(row) for row in connection.execute(query)]

    def count(self, scope: Scope, at: float | None = None) -> dict[str, int]:
        """Visible records by kind."""
        query = select(records.c.kind, func.count()).where(visible(records, scope)).group_by(records.c.kind)
        if at is not None:
            query = query.where(valid(records, at))
        with self._db.reading() as connection:
            return dict(sorted((row[0], row[1]) for row in connection.execute(query)))

    def history(self, key: str, scope: Scope) -> _Versions:
        """All versions of the narrowest visible record of that key, oldest first."""
        with self._db.reading() as connection:
            for owner in scope.visible()[::-1]:
                id = Record(key, "passage", "", scope=owner).id
                past = connection.execute(
                    select(*(versions.c[column.name] for column in COLUMNS), versions.c.ended, versions.c.why)
                    .where(versions.c.id == id)
                    .order_by(versions.c.version)
                )
                found = [Version(record_of(row), row.ended, row.why) for row in past]
                found += [Version(record, None, "current") for record, _ in self._current(connection, [id]).values()]
                if found:
                    return found
        return []

    # --- sources ------------------------------------------------------------------------------------------------------

    def units(self, scope: Scope, source: str) -> dict[str, str]:
        """Stamp of every unit of a source at its last complete run."""
        with self._db.reading() as connection:
            rows = connection.execute(select(sources.c.unit, sources.c.stamp).where(owned(sources, scope), sources.c.source == source))
            return {row.unit: row.stamp for row in rows}

    def sources(self, scope: Scope) -> dict[str, int]:
        """The sources of exactly this scope and how many units each has."""
        query = select(sources.c.source, func.count()).where(owned(sources, scope)).group_by(sources.c.source)
        with self._db.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def settle(self, scope: Scope, source: str, units: Sequence[Settled]) -> int:
        """Units that were read to their end: remove what they no longer produce and remember their stamps. How many were removed."""
        at = time.time()
        removed = 0
        with self._db.writing() as connection:
            held: dict[str, set[int]] = {unit.name: set() for unit in units}
            for part in _parts(held):
                of = (owned(records, scope), records.c.source == source, records.c.unit.in_(part))
                for row in connection.execute(select(records.c.unit, records.c.id).where(*of)):
                    held[row.unit].add(row.id)
            gone = {id for unit in units if not unit.keep for id in held[unit.name] - unit.produced}
            removed = len(self._remove(connection, gone, at))
            statement = upsert(sources)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["tenant", "user", "session", "source", "unit"],
                    set_={"stamp": statement.excluded.stamp, "seen": statement.excluded.seen},
                ),
                [{**owner_of(scope), "source": source, "unit": unit.name, "stamp": unit.stamp, "seen": at} for unit in units],
            )
        return removed

    def forget(self, scope: Scope, source: str, units: Sequence[str]) -> int:
        """Units that are no longer there: remove their records. How many were removed."""
        removed = 0
        with self._db.writing() as connection:
            for part in _parts(units):
                of = (owned(records, scope), records.c.source == source, records.c.unit.in_(part))
                removed += len(self._remove(connection, set(connection.scalars(select(records.c.id).where(*of))), time.time()))
                connection.execute(delete(sources).where(owned(sources, scope), sources.c.source == source, sources.c.unit.in_(part)))
        return removed

    # --- for the index, all scopes ------------------------------------------------------------------------------------

    def newest_change(self) -> int:
        """Number of the last change, 0 when there was none; all scopes."""
        return self._db.look("SELECT max(seq) FROM changes")[0][0] or 0

    def changed(self, after: int, limit: int) -> _Numbered:
        """The next changes as (number, record id); all scopes."""
        with self._db.reading() as connection:
            query = select(changes.c.seq, changes.c.id).where(changes.c.seq > after).order_by(changes.c.seq).limit(limit)
            return [(row.seq, row.id) for row in connection.execute(query)]

    def current(self, ids: Sequence[int]) -> dict[int, Record]:
        """The current records of `ids`, all scopes."""
        with self._db.reading() as connection:
            return {id: record for id, (record, _) in self._current(connection, ids).items()}

    def scan(self, after: int = -1, limit: int = 1000) -> dict[int, Record]:
        """The next current records by number, all scopes."""
        with self._db.reading() as connection:
            query = select(records.c.id, *COLUMNS).where(records.c.id > after).order_by(records.c.id).limit(limit)
            return {row.id: record_of(row) for row in connection.execute(query)}

    def pruned(self) -> int:
        """Changes up to this number are no longer listed."""
        with self._db.reading() as connection:
            return self._pruned(connection)

    def prune(self, upto: int) -> None:
        """Forget changes before `upto`; the newest one stays, so that numbers only ever grow. What is forgotten stays forgotten."""
        if upto - 1 <= self.pruned():
            return
        with self._db.writing() as connection:
            connection.execute(delete(changes).where(changes.c.seq < upto))
            connection.execute(
                upsert(meta)
                .values(name="pruned", value=str(upto - 1))
                .on_conflict_do_update(index_elements=["name"], set_={"value": str(upto - 1)})
            )

    @staticmethod
    def _pruned(connection: Connection) -> int:
        return int(connection.scalar(select(meta.c.value).where(meta.c.name == "pruned")) or 0)

    # --- small facts --------------------------------------------------------------------------------------------------

    def fact(self, name: str) -> str | None:
        """A small setting that belongs to this catalog."""
        with self._db.reading() as connection:
            return connection.scalar(select(meta.c.value).where(meta.c.name == f"fact:{name}"))

    def set_fact(self, name: str, value: str, *, keep: bool = False) -> None:
        """Remember a small setting; `keep` leaves one that is there already as it is."""
        with self._db.writing() as connection:
            row = {"name": f"fact:{name}", "value": value}
            statement = upsert(meta).values(row)
            if keep:
                connection.execute(statement.on_conflict_do_nothing())
            else:
                connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    def set_facts(self, facts: Mapping[str, str], also: Callable[[Connection], None] | None = None) -> None:
        """Remember several settings in one transaction, with what `also` writes: all of it or, if it is stopped, nothing."""
        with self._db.writing() as connection:
            statement = upsert(meta)
            rows = [{"name": f"fact:{name}", "value": value} for name, value in facts.items()]
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value}), rows)
            if also is not None:
                also(connection)

    def tenants(self) -> Sequence[str]:
        """Tenants that own a record, for upkeep alone."""
        with self._db.reading() as connection:
            return connection.scalars(select(records.c.tenant).distinct().order_by(records.c.tenant)).all()

    def totals(self) -> Mapping[str, int]:
        """Rows of each table, all scopes."""
        with self._db.reading() as connection:
            return {t.name: connection.scalar(select(func.count()).select_from(t)) or 0 for t in (records, versions, changes, sources)}


def _parts(ids: Iterable[_T]) -> Iterable[list[_T]]:
    listed = list(ids)
    for start in range(0, len(listed), _MOST):
        yield listed[start : start + _MOST]
