"""Connections to the catalog database, and its errors in words.

Three ways in: `reading()` (autocommit, never blocks a writer), `writing()` (one transaction, on disk when it ends, even
if the power fails) and, straight from the driver for what every search pays, `look` and `note` (one statement that survives
the death of the process, at a hundredth of the cost; for the ledger's served events).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, create_engine, event
from sqlalchemy.exc import DBAPIError

from bowerbird.database.migrations import migrate
from bowerbird.errors import CatalogError

__all__ = ["Database"]

_BUSY_SECONDS = 30
_ARGUMENTS: Mapping[str, Any] = {"check_same_thread": False, "timeout": _BUSY_SECONDS}


class Database:
    """A SQLite file in WAL mode. Safe in threads; writers in one process take turns, other processes wait up to 30 s."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.RLock()
        self._engines: list[Engine] = []
        self._looking: list[sqlite3.Connection] = []  # idle connections of `look`; append and pop are atomic
        try:
            self._safe, self._quick = (_engine(path, level) for level in ("FULL", "NORMAL"))
            self._engines = [self._safe, self._quick]
            self._reader = self._quick.execution_options(isolation_level="AUTOCOMMIT")
            with self.writing() as connection:
                migrate(connection, str(path))
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose statements each see the newest committed state."""
        with self._worded(), self._reader.connect() as connection:
            yield connection

    def look(self, sql: str, given: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a statement, straight from the driver: a quarter of `reading`'s time, which every search pays. `given`: its parameters.

        The driver keeps prepared statements by their text, so what changes from call to call belongs in `given`.
        """
        with self._worded():
            try:
                connection = self._looking.pop()
            except IndexError:
                connection = _connected(sqlite3.connect(self.path, **_ARGUMENTS), "NORMAL")
            try:
                return connection.execute(sql, given).fetchall()
            finally:
                self._looking.append(connection)

    def sql(self, statement: Select[Any]) -> str:
        """The text of a statement without parameters, for `look`."""
        return str(statement.compile(self._quick))

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: committed and on disk when the block ends, undone when it raises."""
        with self._turn, self._worded(), self._safe.begin() as connection:
            yield connection

    def note(self, sql: str, given: Mapping[str, Any]) -> None:
        """Write by one statement: a transaction that a killed process does not lose; a power cut may take the last ones, whole."""
        with self._turn:
            self.look(sql, given)

    def close(self) -> None:
        """Give all connections back."""
        for engine in self._engines:
            engine.dispose()
        while self._looking:
            self._looking.pop().close()

    @contextmanager
    def _worded(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise CatalogError(_words(self.path, str(error.orig))) from error
        except sqlite3.Error as error:  # from `look`
            raise CatalogError(_words(self.path, str(error))) from error


def _words(path: Path, said: str) -> str:
    if "disk is full" in said or "disk I/O error" in said:
        advice = "the disk is full or failing. What was acknowledged is kept; free some space and run the same call again"
    elif "locked" in said:
        advice = f"another process has been writing for over {_BUSY_SECONDS} s. Wait for it or stop it, then run the same call again"
    elif "not a database" in said or "malformed" in said:
        advice = "it is damaged or no SQLite database. Put back a copy, or move it away and add your sources again"
    elif "readonly" in said or "unable to open" in said:
        advice = "it cannot be opened for writing. Check that its folder exists and belongs to you"
    else:
        advice = "the database refused"
    return f"Catalog {path}: {advice} ({said})."


def _connected(connection: sqlite3.Connection, synchronous: str) -> sqlite3.Connection:
    connection.isolation_level = None  # transactions begin where `begun` says, not where sqlite3 guesses
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("PRAGMA cache_size=-65536")
    connection.execute("PRAGMA mmap_size=268435456")
    return connection


def _engine(path: Path, synchronous: str) -> Engine:
    engine = create_engine(f"sqlite:///{path}", connect_args=_ARGUMENTS, pool_size=8)
    event.listen(engine, "connect", lambda connection, _record: _connected(connection, synchronous))

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
