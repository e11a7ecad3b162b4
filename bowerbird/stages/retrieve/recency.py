"""Recency: the newest records, whatever is asked. The baseline that memory methods must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.ports import Store
from bowerbird.roles import Query, Retrieve
from bowerbird.stage import part
from bowerbird.stages.retrieve.groups import by_filter

__all__ = ["Recency"]


@dataclass(frozen=True)
class Recency(Retrieve):
    """The last `k` records by the time they were added; the score is that time (seconds since 1970).

    This is the "most recent turns" baseline of conversation memory (Maharana et al., LoCoMo, arXiv 2402.17753).
    Cost: one store call a distinct filter, no model.
    """

    name: ClassVar[str] = "recency"
    store: Store = part("store")

    def search(self, queries: Sequence[Query]) -> list[Sequence[tuple[int, float]]]:
        found: list[Sequence[tuple[int, float]]] = [() for _ in queries]
        for filter, places in by_filter(queries):
            latest = self.store.latest(self.k, filter)
            for place in places:
                found[place] = latest
        return found
