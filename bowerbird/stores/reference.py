"""The reference store: everything in memory, every search exact, every filter evaluated plainly. Slow; the authority.

Other stores are compared with it. It knows no index and keeps nothing on disk.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bowerbird.errors import StoreError
from bowerbird.ports import Filter, Point, Sparse, Vectors
from bowerbird.stores.points import Among, Atom, Within, atoms, checked, conditions, dense_queries, drawn, number, weights

__all__ = ["ReferenceStore"]


class ReferenceStore:
    """Points in a dict. `dense`: vector name -> width; `sparse`: names. Each search costs O(points)."""

    def __init__(self, dense: Mapping[str, int], sparse: Sequence[str] = ()) -> None:
        self.dense, self.sparse = dict(dense), tuple(sparse)
        self._points: dict[int, Point] = {}
        self._lock = threading.RLock()
        self._closed = False

    def put(self, points: Sequence[Point]) -> None:
        """Keep `points`; a known id is replaced as a whole. All of them or, on bad input, none."""
        kept = checked(points, self.dense, self.sparse)
        with self._lock:
            self._open()
            self._points.update((point.id, point) for point in kept)

    def delete(self, ids: Sequence[int]) -> None:
        """Forget `ids`; unknown ones are no error."""
        with self._lock:
            self._open()
            for id in ids:
                self._points.pop(id, None)

    def search_dense(self, name: str, vectors: Vectors, k: int, filter: Filter) -> list[list[tuple[int, float]]]:
        """Inner products with every matching point."""
        if name not in self.dense:
            return [[] for _ in range(len(vectors))]
        queries = dense_queries(name, vectors, self.dense[name])
        points = [point for point in self._matching(filter) if name in point.dense]
        if not points:
            return [[] for _ in queries]
        keys = np.stack([point.dense[name] for point in points])
        ids = [point.id for point in points]
        return [_best(list(zip(ids, (keys @ query).tolist(), strict=True)), k) for query in queries]

    def search_sparse(self, name: str, vectors: Sequence[Sparse], k: int, filter: Filter) -> list[list[tuple[int, float]]]:
        """Sums over shared terms. The frequencies are those of the whole store, whatever the filter."""
        with self._lock:
            self._open()
            everything = [point.sparse[name] for point in self._points.values() if name in point.sparse]
            points = [point for point in self._matching(filter) if name in point.sparse]
        results = []
        for query in map(weights, vectors):
            terms = {
                int(term): float(weight) * _idf(len(everything), sum(term in kept.indices for kept in everything))
                for term, weight in zip(query.indices, query.values, strict=True)
            }
            scored = []
            for point in points:
                kept = point.sparse[name]
                shared = [(int(t), float(w)) for t, w in zip(kept.indices, kept.values, strict=True) if int(t) in terms]
                if shared:
                    scored.append((point.id, sum(terms[term] * weight for term, weight in shared)))
            results.append(_best(scored, k))
        return results

    def latest(self, k: int, filter: Filter) -> list[tuple[int, float]]:
        """By `created`, newest first."""
        return _best([(point.id, point.created) for point in self._matching(filter)], k)

    def sample(self, k: int, seed: int, filter: Filter) -> list[int]:
        """The first by a hash of seed and id."""
        return drawn([point.id for point in self._matching(filter)], k, seed)

    def vectors(self, name: str, ids: Sequence[int], filter: Filter) -> dict[int, Vectors]:
        """Those of `ids` that match and have the vector."""
        wanted = set(ids)
        return {p.id: p.dense[name] for p in self._matching(filter) if p.id in wanted and name in p.dense}

    def count(self, filter: Filter) -> int:
        """How many points match."""
        return len(self._matching(filter))

    def scan(self) -> Iterator[tuple[int, str]]:
        """(id, hash) of every point, by id."""
        with self._lock:
            self._open()
            everything = sorted((point.id, point.hash) for point in self._points.values())
        yield from everything

    def optimize(self) -> None:
        """Nothing to build."""

    def flush(self) -> None:
        """Nothing to write."""

    def close(self) -> None:
        """Forget everything; closing twice is no error."""
        with self._lock:
            self._points, self._closed = {}, True

    def _open(self) -> None:
        if self._closed:
            raise StoreError("The reference store was closed; open a new one.")

    def _matching(self, filter: Filter) -> list[Point]:
        with self._lock:
            self._open()
            points = list(self._points.values())
        wanted = conditions(filter.where)
        return [point for point in points if _matches(point, filter) and all(_holds(point, condition) for condition in wanted)]


def _matches(point: Point, filter: Filter) -> bool:
    return (
        filter.scope.sees(point.scope)
        and (not filter.kinds or point.kind in filter.kinds)
        and (filter.at is None or point.valid_from <= filter.at < point.valid_to)
    )


def _holds(point: Point, condition: Among | Within) -> bool:
    if condition.name not in point.fields:
        return False
    found = atoms(point.fields[condition.name])
    if isinstance(condition, Among):
        return any(_same(value, wanted) for value in found for wanted in condition.values)
    return any(_inside(value, condition.bounds) for value in found)


def _same(one: Atom, other: Atom) -> bool:
    # In Python True == 1; as a condition it is not.
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _inside(value: Atom, bounds: Mapping[str, float]) -> bool:
    x = number(value)
    if x is None:
        return False
    return (
        x > bounds.get("gt", -math.inf)
        and x >= bounds.get("gte", -math.inf)
        and x < bounds.get("lt", math.inf)
        and x <= bounds.get("lte", math.inf)
    )


def _idf(points: int, having: int) -> float:
    return math.log(1 + (points - having + 0.5) / (having + 0.5))


def _best(scored: list[tuple[int, float]], k: int) -> list[tuple[int, float]]:
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))[: max(k, 0)]
