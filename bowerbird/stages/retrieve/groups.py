"""Queries that are searched under one and the same filter, so that a batch costs one store call a filter, not one a query.

Shared by the retrievers; no method of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from bowerbird.ports import Filter
from bowerbird.roles import Query

__all__ = ["by_filter", "distinct"]


def by_filter(queries: Sequence[Query]) -> list[tuple[Filter, list[int]]]:
    """Each distinct filter with the places of its queries, in order of first appearance."""
    if len(queries) == 1:
        return [(queries[0].filter, [0])]
    groups: dict[object, tuple[Filter, list[int]]] = {}
    for place, query in enumerate(queries):
        filter = query.filter
        # As JSON, for True == 1 == 1.0 in Python, and a store tells a boolean from a number.
        where = json.dumps(dict(filter.where), sort_keys=True, default=repr) if filter.where else ""
        groups.setdefault((filter.scope, filter.kinds, filter.at, where), (filter, []))[1].append(place)
    return list(groups.values())


def distinct(texts: Sequence[str]) -> dict[str, int]:
    """Each distinct text and its row, in order of first appearance: what an encoder is asked once."""
    return {text: row for row, text in enumerate(dict.fromkeys(texts))}
