"""The short way to read: straight from the driver, with the same errors in words and the newest committed state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from bowerbird.database.database import Database
from bowerbird.database.schema import meta
from bowerbird.errors import CatalogError


def test_look_sees_what_is_committed_and_only_that(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalog.db")
    sql = database.sql(select(meta.c.value)) + " WHERE name = 'x'"
    with database.writing() as connection:
        connection.execute(insert(meta).values(name="x", value="1"))
        assert database.look(sql) == []
    assert database.look(sql) == [("1",)]
    database.close()


def test_what_is_noted_is_there_for_everybody(tmp_path: Path) -> None:
    database, other = Database(tmp_path / "catalog.db"), Database(tmp_path / "catalog.db")
    database.note("INSERT INTO meta (name, value) VALUES (:name, :value)", {"name": "x", "value": "1"})
    assert other.look("SELECT value FROM meta WHERE name = ?", ["x"]) == [("1",)]
    database.close()
    other.close()


def test_threads_look_side_by_side(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalog.db")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: database.look("SELECT ?", [number]), range(200)))
    assert found == [[(number,)] for number in range(200)]
    database.close()


def test_a_refusal_of_the_driver_is_worded(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalog.db")
    with pytest.raises(CatalogError, match=r"catalog\.db: .*no such table"):
        database.look("SELECT 1 FROM nowhere")
    assert database.look("SELECT 1") == [(1,)]
    database.close()
