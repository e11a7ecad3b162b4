"""Numbered steps from one schema version to the next. A fresh database gets the newest schema at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, insert, inspect, select, update

from bowerbird.database.schema import VERSION, artifacts, events_scope, meta, metadata
from bowerbird.errors import CatalogError, CatalogTooNew

__all__ = ["STEPS", "migrate"]


def _owned_artifacts(connection: Connection) -> None:
    """Artifacts got an owner. Nothing wrote any before."""
    artifacts.drop(connection)
    artifacts.create(connection)


def _events_by_scope(connection: Connection) -> None:
    """Events got an index by scope. Reads every event once."""
    events_scope.create(connection)


STEPS: Mapping[int, Callable[[Connection], None]] = {1: _owned_artifacts, 2: _events_by_scope}  # STEPS[n] leads from version n to n + 1


def migrate(connection: Connection, where: str, newest: int = VERSION, steps: Mapping[int, Callable[[Connection], None]] = STEPS) -> None:
    """Bring the database to `newest`, inside the caller's transaction. Raises `CatalogTooNew` rather than touch a newer one."""
    if not inspect(connection).has_table(meta.name):
        metadata.create_all(connection)
        connection.execute(insert(meta).values(name="schema", value=str(newest)))
        return
    found = connection.scalar(select(meta.c.value).where(meta.c.name == "schema"))
    if found is None or not found.isdigit():
        raise CatalogError(f"{where} is a database, but not a Bowerbird catalog (its schema version reads {found!r}).")
    version = int(found)
    if version > newest:
        raise CatalogTooNew(
            f"{where} was written by a newer Bowerbird (schema {version}; this one knows up to {newest}). "
            "Nothing was changed. Run: pip install -U bowerbird"
        )
    for number in range(version, newest):
        steps[number](connection)
    if version < newest:
        connection.execute(update(meta).where(meta.c.name == "schema").values(value=str(newest)))
