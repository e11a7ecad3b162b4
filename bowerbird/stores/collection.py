"""A store over Qdrant's data model: the port written once, on a few primitives that the embedded shard and the server give.

It knows the layout of `payload.py`, no client and no shard.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

import numpy as np

from bowerbird.ports import Filter, Point, Sparse, Vectors
from bowerbird.stores.payload import Clause, clauses
from bowerbird.stores.points import checked, dense_queries, drawn, weights

__all__ = ["EXACT_BELOW", "Collection"]

EXACT_BELOW = 10_000
"""Up to this many points a store answers exactly: no graph, fresh term statistics, an even sample over all matches."""

PAGE = 20_000  # points a page of `scan`: each page costs a pass over the ids, so small pages are slow
SPARE = 16  # fetched beyond k, so that up to as many ties at the k-th place are broken by id
WINDOW = 32  # a sample of k is drawn from a window of at least WINDOW x k neighbours in id order


class Collection(ABC):
    """`dense` (name -> width) and `sparse` (names) are what the collection keeps."""

    dense: Mapping[str, int]
    sparse: Sequence[str]

    # --- primitives ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def _upsert(self, points: Sequence[Point]) -> None: ...

    @abstractmethod
    def _remove(self, ids: Sequence[int]) -> None: ...

    @abstractmethod
    def _nearest(self, name: str, query: Vectors | Sparse, k: int, must: Sequence[Clause]) -> list[tuple[int, float]]:
        """The k best by inner product (dense) or by weights x IDF (sparse), in any order."""

    @abstractmethod
    def _newest(self, k: int, must: Sequence[Clause]) -> list[tuple[int, float]]:
        """The k greatest `created`, descending, ties in any order."""

    @abstractmethod
    def _ids(self, k: int, start: int, must: Sequence[Clause]) -> list[int]:
        """The k smallest ids from `start` on."""

    @abstractmethod
    def _rows(self, name: str, ids: Sequence[int], must: Sequence[Clause]) -> list[tuple[int, Sequence[float]]]:
        """Dense vectors of those of `ids` that match and have one."""

    @abstractmethod
    def _hashes(self, k: int, start: int) -> list[tuple[int, str]]:
        """(id, hash) of the k smallest ids from `start` on, ascending."""

    @abstractmethod
    def _count(self, must: Sequence[Clause]) -> int:
        """Points that match; no clauses = all."""

    # --- the port -----------------------------------------------------------------------------------------------------

    def put(self, points: Sequence[Point]) -> None:
        """Keep `points`; a known id is replaced as a whole. Bad input is refused before anything is written."""
        kept = checked(points, self.dense, self.sparse)
        if kept:
            self._upsert(kept)

    def delete(self, ids: Sequence[int]) -> None:
        """Forget `ids`; unknown ones are no error."""
        if len(ids):
            self._remove([int(id) for id in ids])

    def search_dense(self, name: str, vectors: Vectors, k: int, filter: Filter) -> list[list[tuple[int, float]]]:
        """By inner product. Where more than `SPARE` points tie for the k-th place, any of them may be given."""
        must = clauses(filter)
        if name not in self.dense:
            return [[] for _ in range(len(vectors))]
        queries = dense_queries(name, vectors, self.dense[name])
        # One request a query: batches of the shard measured 2.8 times slower than single requests with filters on.
        return [self._best(name, query, k, must) if k > 0 else [] for query in queries]

    def search_sparse(self, name: str, vectors: Sequence[Sparse], k: int, filter: Filter) -> list[list[tuple[int, float]]]:
        """By weights x IDF over the whole collection, whatever the filter; ties as in `search_dense`."""
        must = clauses(filter)
        results = []
        for query in map(weights, vectors):
            found = k > 0 and name in self.sparse and query.indices.size
            results.append(self._best(name, query, k, must) if found else [])
        return results

    def _best(self, name: str, query: Vectors | Sparse, k: int, must: Sequence[Clause]) -> list[tuple[int, float]]:
        return _ordered(self._nearest(name, query, k + SPARE, must))[:k]

    def latest(self, k: int, filter: Filter) -> list[tuple[int, float]]:
        """By `created`, newest first, exactly: those that tie for the last place are looked up by id."""
        if k <= 0:
            return []
        must = clauses(filter)
        found = self._newest(k, must)
        if len(found) < k:
            return _ordered(found)
        last = found[-1][1]
        newer = [pair for pair in found if pair[1] > last]
        tied = self._ids(k - len(newer), 0, [*must, Clause("created", bounds={"gte": last, "lte": last})])
        return _ordered(newer) + [(id, last) for id in tied]

    def sample(self, k: int, seed: int, filter: Filter) -> list[int]:
        """Up to `EXACT_BELOW` points: an even draw over all matches. Above, over a window in id order that starts at a random
        place; ids are hashes, so chances stay even to within a few percent, and the cost does not grow with the store."""
        if k <= 0:
            return []
        must = clauses(filter)
        if self._count([]) <= EXACT_BELOW:
            return drawn(self._ids(EXACT_BELOW, 0, must), k, seed)
        window = max(512, WINDOW * k)
        start = random.Random(seed).randrange(1, 2**63)
        ids = self._ids(window, start, must)
        if len(ids) < window:
            ids += self._ids(window - len(ids), 0, must)
        return drawn(ids, k, seed)

    def vectors(self, name: str, ids: Sequence[int], filter: Filter) -> dict[int, Vectors]:
        """Those of `ids` that match and have the vector."""
        must = clauses(filter)
        if name not in self.dense or not len(ids):
            return {}
        return {id: np.asarray(row, dtype=np.float32) for id, row in self._rows(name, [int(id) for id in ids], must)}

    def count(self, filter: Filter) -> int:
        """How many points match, exactly."""
        return self._count(clauses(filter))

    def scan(self) -> Iterator[tuple[int, str]]:
        """(id, hash) of every point by id, a page at a time; points written meanwhile may or may not be among them."""
        start, size = 0, 1  # the first page is small: an opening only asks whether there is anything
        while page := self._hashes(size, start):
            yield from page
            start, size = page[-1][0] + 1, PAGE


def _ordered(found: list[tuple[int, float]]) -> list[tuple[int, float]]:
    found = sorted(found)
    found.sort(key=itemgetter(1), reverse=True)  # a stable sort, so ties stay by id; half the time of a key that says both
    return found
