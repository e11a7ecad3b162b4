"""Records to points: what is encoded, what can be filtered by, and the fingerprint that tells whether a point is of today.

It knows encoders and kinds, no store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from bowerbird.kinds import kind
from bowerbird.ports import Encoder, Point, SparseEncoder
from bowerbird.types import Record

__all__ = ["fingerprint", "points"]

_LONGEST_FILTER = 256  # longer strings are text, not something to filter by


def points(records: Sequence[Record], encoder: Encoder | None, sparse: SparseEncoder) -> list[Point]:
    """One point a record, in order; without `encoder` they have no dense vector."""
    if not records:
        return []
    texts = [kind(record.kind).encode(record) for record in records]
    terms = sparse.encode_keys(texts)
    vectors: Any = [None] * len(records)
    if encoder is not None:
        of = encoder.instructed
        vectors = encoder.encode([kind(record.kind).keyed(text, of) for record, text in zip(records, texts, strict=True)])
    return [
        Point(
            id=record.id,
            scope=record.scope,
            kind=record.kind,
            hash=fingerprint(record),
            created=record.created,
            valid_from=record.starts,
            valid_to=record.ends,
            dense={encoder.id: vector} if encoder is not None else {},
            sparse={sparse.id: term},
            fields=_filterable(record),
        )
        for record, vector, term in zip(records, vectors, terms, strict=True)
    ]


def fingerprint(record: Record) -> str:
    """What a store keeps to tell whether its point is of this version and this validity. The source of a record is no part of it."""
    content = f"{record.hash}:{record.version}:{record.starts}:{record.ends}"
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def _filterable(record: Record) -> dict[str, Any]:
    """Fields that a search can filter by: numbers, booleans, short strings and lists of those; and source and trust."""
    fields: dict[str, Any] = {"trust": record.trust}
    if record.source:
        fields["source"] = record.source
    for name, value in record.fields.items():
        if _plain(value) or (isinstance(value, list) and value and all(map(_plain, value))):
            fields[name] = value
    return fields


def _plain(value: Any) -> bool:
    return isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= _LONGEST_FILTER)
