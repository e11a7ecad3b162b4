"""Records to rows and back, and the conditions that a scope puts on a row."""

from __future__ import annotations

import functools
import json
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, or_

from bowerbird.database.schema import records
from bowerbird.types import Record, Scope, Trust

__all__ = ["COLUMNS", "owned", "record_from", "record_of", "row_of", "valid", "visible"]

COLUMNS = tuple(column for column in records.c if column.name not in ("id", "unit"))


def row_of(record: Record, unit: str | None) -> dict[str, Any]:
    """The columns of a record."""
    return {
        "id": record.id,
        **owner_of(record.scope),
        "key": record.key,
        "version": record.version,
        "kind": record.kind,
        "text": record.text,
        "fields": json.dumps(dict(record.fields), ensure_ascii=False, separators=(",", ":")) if record.fields else "{}",
        "created": record.created,
        "valid_from": record.valid_from,
        "valid_to": record.valid_to,
        "superseded": record.superseded,
        "superseded_by": record.superseded_by,
        "supersedes": json.dumps(list(record.supersedes), ensure_ascii=False) if record.supersedes else "[]",
        "trust": record.trust,
        "source": record.source,
        "unit": unit,
        "hash": record.hash,
    }


def record_of(row: Row[*tuple[Any, ...]]) -> Record:
    """The record of a row that selected `COLUMNS`, and maybe others."""
    values: Any = row._mapping
    return record_from(*(values[column.name] for column in COLUMNS))


def record_from(
    tenant: str,
    user: str,
    session: str,
    key: str,
    version: int,
    kind: str,
    text: str,
    fields: str,
    created: float,
    valid_from: float,
    valid_to: float,
    superseded: float | None,
    superseded_by: str | None,
    supersedes: str,
    trust: Trust,
    source: str | None,
    _hash: str,
) -> Record:
    """The record of the values of `COLUMNS`, in their order."""
    return Record(
        key=key,
        kind=kind,
        text=text,
        fields={} if fields == "{}" else json.loads(fields),
        scope=_scope(tenant, user, session),
        version=version,
        created=created,
        valid_from=valid_from,
        valid_to=valid_to,
        supersedes=() if supersedes == "[]" else tuple(json.loads(supersedes)),
        trust=trust,
        source=source,
        superseded=superseded,
        superseded_by=superseded_by,
    )


@functools.lru_cache(maxsize=4096)
def _scope(tenant: str, user: str, session: str) -> Scope:
    """Kept, since the rows of an answer belong to few scopes and a scope checks its parts."""
    return Scope(tenant, user or None, session or None)


def owner_of(scope: Scope) -> dict[str, str]:
    """The owner columns of a scope."""
    return {"tenant": scope.tenant, "user": scope.user or "", "session": scope.session or ""}


def owned(table: Table, scope: Scope) -> ColumnElement[bool]:
    """Rows of exactly this scope."""
    return and_(*(table.c[name] == value for name, value in owner_of(scope).items()))


def visible(table: Table, scope: Scope) -> ColumnElement[bool]:
    """Rows that a caller of this scope may read."""
    return or_(*(owned(table, owner) for owner in scope.visible()))


def valid(table: Table, at: float) -> ColumnElement[bool]:
    """Rows that are shown at that moment."""
    c = table.c
    started = and_(c.valid_from <= at, or_(c.supersedes == "[]", c.valid_from != 0.0, c.created <= at))  # Record.starts
    return and_(started, c.valid_to > at, or_(c.superseded.is_(None), c.superseded > at))
