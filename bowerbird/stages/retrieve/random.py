"""Random records: the floor under every other retriever."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.ports import Store
from bowerbird.roles import Query, Retrieve
from bowerbird.stage import part

__all__ = ["Random"]


@dataclass(frozen=True)
class Random(Retrieve):
    """`k` records drawn evenly from those that match; the baseline of in-context example selection (Liu et al., arXiv 2101.06804).

    The draw depends on `seed`, the query's text and the kinds asked for, and on nothing else: not on the batch, the
    process or the order of the store. Scores, in [0, 1), are hashes as well, so that cutting the list stays a fair draw.
    Cost: one store call a query, no model.
    """

    name: ClassVar[str] = "random"
    seed: int = 0
    store: Store = part("store")

    def search(self, queries: Sequence[Query]) -> list[Sequence[tuple[int, float]]]:
        found: list[Sequence[tuple[int, float]]] = []
        for query in queries:
            base = "\x00".join((str(self.seed), query.text, *query.filter.kinds))
            drawn = self.store.sample(self.k, _number(base), query.filter)
            found.append([(id, _number(f"{base}\x00{id}") / 2**53) for id in drawn])
        return found


def _number(text: str) -> int:
    """53 bits, so that it is the same number as a float."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 11
