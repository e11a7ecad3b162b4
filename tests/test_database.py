"""The database: migrations, a newer catalog, damage, and readers beside a writer."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from bowerbird.database.database import Database
from bowerbird.database.migrations import migrate
from bowerbird.database.schema import VERSION
from bowerbird.errors import CatalogError, CatalogTooNew


def test_a_newer_catalog_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(CatalogTooNew, match="newer Bowerbird"):
        Database(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [1, 2])
def test_an_old_catalog_gets_the_index_of_scopes_and_keeps_its_events(tmp_path: Path, version: int) -> None:
    path = tmp_path / "c.db"
    Database(path).close()
    with sqlite3.connect(path) as connection:
        newest = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'events_scope'").fetchall()
        connection.execute("DROP INDEX events_scope")
        connection.execute("UPDATE meta SET value = ? WHERE name = 'schema'", [str(version)])
        for place in range(3):
            row = ("served", f"t{place}", "acme", "ann", 0.0, "{}", "hash")
            connection.execute("INSERT INTO events (type, turn, tenant, user, at, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()
    for _ in range(2):
        database = Database(path)
        assert database.look("SELECT value FROM meta WHERE name = 'schema'") == [(str(VERSION),)]
        assert database.look("SELECT sql FROM sqlite_master WHERE name = 'events_scope'") == newest
        assert database.look("SELECT seq, turn FROM events ORDER BY seq") == [(1, "t0"), (2, "t1"), (3, "t2")]
        database.close()


def test_steps_run_in_order_and_once(tmp_path: Path) -> None:
    database = Database(tmp_path / "c.db")
    ran: list[int] = []

    def step(number: int) -> object:
        def run(connection: Connection) -> None:
            ran.append(number)
            connection.execute(text(f"CREATE TABLE step_{number} (a INTEGER)"))

        return run

    steps = {VERSION: step(VERSION), VERSION + 1: step(VERSION + 1)}
    for _ in range(2):
        with database.writing() as connection:
            migrate(connection, "here", VERSION + 2, steps)  # type: ignore[arg-type]
    assert ran == [VERSION, VERSION + 1]
    with database.reading() as connection:
        assert connection.execute(text("SELECT value FROM meta WHERE name = 'schema'")).scalar() == str(VERSION + 2)
    database.close()


def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "c.db")

    def broken(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (a INTEGER)"))
        raise RuntimeError("no")

    with pytest.raises(RuntimeError), database.writing() as connection:
        migrate(connection, "here", VERSION + 1, {VERSION: broken})
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM sqlite_master WHERE name = 'half'")).scalar() == 0
    database.close()


@pytest.mark.parametrize("content", [b"this is no database, but somebody's text" * 40, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.db"
    path.write_bytes(content)
    with pytest.raises(CatalogError, match=str(path)):
        Database(path)
    assert path.read_bytes() == content


def test_a_foreign_database_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE meta (name TEXT, value TEXT)")
    connection.close()
    with pytest.raises(CatalogError, match="not a Bowerbird catalog"):
        Database(path)


def test_a_missing_folder_says_what_to_check(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="Check that its folder exists"):
        Database(tmp_path / "nowhere" / "c.db")


def test_readers_go_on_while_a_writer_writes(tmp_path: Path) -> None:
    database = Database(tmp_path / "c.db")
    with database.writing() as writer:
        writer.execute(text("INSERT INTO meta VALUES ('a', 'b')"))
        seen: list[object] = []

        def read() -> None:
            with database.reading() as connection:
                seen.append(connection.execute(text("SELECT count(*) FROM meta WHERE name = 'a'")).scalar())

        thread = threading.Thread(target=read)
        thread.start()
        thread.join(5)
        assert seen == [0]
    read()
    assert seen == [0, 1]
    database.close()


def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "c.db")
    with database.writing() as connection:
        connection.execute(text("INSERT INTO meta VALUES ('kept', 'yes')"))
    with database.writing() as connection:
        connection.execute(text(f"PRAGMA max_page_count = {connection.execute(text('PRAGMA page_count')).scalar()}"))
    with pytest.raises(CatalogError, match="disk is full"), database.writing() as connection:
        connection.execute(text("INSERT INTO meta VALUES ('big', :value)"), {"value": "x" * 1_000_000})
    with database.reading() as connection:
        assert connection.execute(text("SELECT group_concat(name) FROM meta WHERE name IN ('kept', 'big')")).scalar() == "kept"
    database.close()
