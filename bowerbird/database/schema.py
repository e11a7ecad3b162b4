"""The one schema, in SQLAlchemy Core. A change here goes with a numbered step in `migrations.py`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text

__all__ = ["VERSION", "artifacts", "changes", "events", "events_scope", "meta", "metadata", "records", "sources", "versions"]

VERSION = 3

metadata = MetaData()
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only in an INTEGER PRIMARY KEY


def _owner() -> tuple[Column[str], Column[str], Column[str]]:
    """Whom a row belongs to. The empty string stands for "no user" and "no session", so that unique keys hold."""
    return (
        Column("tenant", String(200), nullable=False),
        Column("user", String(200), nullable=False, server_default=""),
        Column("session", String(200), nullable=False, server_default=""),
    )


def _content() -> tuple[Column[object], ...]:
    """What a record says; the same columns now and in the history."""
    return (
        Column("version", Integer, nullable=False),
        Column("kind", String(100), nullable=False),
        Column("text", Text, nullable=False),
        Column("fields", Text, nullable=False),  # JSON
        Column("created", Float(53), nullable=False),
        Column("valid_from", Float(53), nullable=False),
        Column("valid_to", Float(53), nullable=False),
        Column("superseded", Float(53)),  # when another record took its place
        Column("superseded_by", Text),  # key of that record
        Column("supersedes", Text, nullable=False),  # JSON list of keys
        Column("trust", String(20), nullable=False),
        Column("source", Text),
        Column("unit", Text),
        Column("hash", String(32), nullable=False),
    )


meta = Table("meta", metadata, Column("name", String(200), primary_key=True), Column("value", Text, nullable=False))

# The current version of every record.
records = Table(
    "records",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    *_owner(),
    Column("key", Text, nullable=False),
    *_content(),
    Index("records_source", "source", "unit"),
    Index("records_kind", "tenant", "kind"),
)

# Every version that is no longer current. `why`: updated or deleted.
versions = Table(
    "versions",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    *_owner(),
    Column("key", Text, nullable=False),
    *[column if column.name != "version" else Column("version", Integer, primary_key=True) for column in _content()],
    Column("ended", Float(53), nullable=False),
    Column("why", String(20), nullable=False),
)

# What an index has yet to hear of: a row a changed record, in order.
changes = Table(
    "changes", metadata, Column("seq", _SEQUENCE, primary_key=True, autoincrement=True), Column("id", BigInteger, nullable=False)
)

sources = Table(
    "sources",
    metadata,
    Column("tenant", String(200), primary_key=True),
    Column("user", String(200), primary_key=True),
    Column("session", String(200), primary_key=True),
    Column("source", String(700), primary_key=True),
    Column("unit", String(700), primary_key=True),
    Column("stamp", Text, nullable=False),
    Column("seen", Float(53), nullable=False),
)

# The ledger: append-only.
events = Table(
    "events",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("type", String(20), nullable=False),
    Column("turn", String(64)),
    *_owner(),
    Column("at", Float(53), nullable=False),
    Column("body", Text, nullable=False),  # JSON
    Column("hash", String(32), nullable=False),
    Index("events_turn", "turn", "type"),
)
# One scope's events after a position, in order; with the type, so that counting and filtering read no event.
events_scope = Index("events_scope", *(events.c[name] for name in ("tenant", "user", "session", "seq", "type")))

# Trained components: every version, whose they are, and since when one serves.
artifacts = Table(
    "artifacts",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("version", Integer, primary_key=True),
    *_owner(),
    Column("created", Float(53), nullable=False),
    Column("published", Float(53)),
    Column("path", Text, nullable=False),
    Column("card", Text, nullable=False),  # JSON
)
