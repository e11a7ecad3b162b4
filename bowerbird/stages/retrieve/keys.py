"""The records that a turn asks for by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.ports import Library
from bowerbird.roles import Query, Retrieve
from bowerbird.stage import part

__all__ = ["Keys"]


@dataclass(frozen=True)
class Keys(Retrieve):
    """The first `k` of `Turn.keys`, in their order: the score is 1 / its place, 1.0 for the first. A key that two visible scopes share
    means the narrower one's.

    A name is stronger than a description: kinds and field conditions do not apply. Scope and validity do, when the
    record is looked up; a key that is unknown or not visible gives nothing.
    Cost: one catalog call a distinct (scope, keys), no model.
    """

    name: ClassVar[str] = "keys"
    library: Library = part("library")

    def search(self, queries: Sequence[Query]) -> list[Sequence[tuple[int, float]]]:
        asked = {(query.filter.scope, query.keys) for query in queries if query.keys}
        ids = {(scope, keys): self.library.ids(keys[: self.k], scope) for scope, keys in asked}
        named = [ids.get((query.filter.scope, query.keys), ()) for query in queries]
        return [[(id, 1 / place) for place, id in enumerate(found, 1) if id is not None] for found in named]
