"""The default store: Qdrant Edge, an index inside the process, kept in one folder.

It knows shards, not records. One process holds the folder at a time (`StoreBusy` names it); threads share the store.

    folder/owner.json   who holds it
    folder/shard-1/     the shard; 1 is the payload's layout: another layout starts another shard, and `rebuild` fills it

Young dependency (0.9): everything here is derived from the catalog and can be thrown away.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bowerbird.errors import InvalidInput, StoreBusy, StoreError
from bowerbird.ports import Point, Sparse, Vectors
from bowerbird.stores import owner
from bowerbird.stores.collection import EXACT_BELOW, Collection
from bowerbird.stores.payload import FLOATS, KEYWORDS, LAYOUT, TAGS, Clause, number_paths, payload

__all__ = ["EdgeStore"]

T = TypeVar("T")

FLOATS_AN_UPDATE = 1_000_000  # about 5 MB of log an update: well under a log segment (32 MB)
NUMBER_INDEXES = 64  # comparisons on further fields are answered without an index: right, but some 200 ms at 100,000 points
M, EF_CONSTRUCT = 16, 100
EF = 128


class EdgeStore(Collection):
    """Opens the shard in `path`, or makes one. `dense`: vector name -> width; `sparse`: names; a shard may be given new names later.

    Up to `EXACT_BELOW` points (also: up to that many matches) dense search is exact; above, once `optimize` has built the graph,
    it is HNSW (Malkov and Yashunin 2016) with `ef` candidates, twice as many when kinds or fields are asked for. `put` and `delete`
    return once the change is in the log, which survives the death of the process; `flush` makes it survive a loss of power.

    Term statistics: up to `EXACT_BELOW` points they are counted afresh; above, replaced and deleted points still count until `optimize`
    clears them away (it does once they are a tenth), because a fresh count costs 1.2 ms a query at 100,000 points.

    Raises `StoreBusy` when another process (or this one) holds the folder, `StoreError` when the shard cannot be read or keeps a
    vector of that name with another width.
    """

    def __init__(self, path: str | Path, dense: Mapping[str, int], sparse: Sequence[str] = (), ef: int = EF) -> None:
        if not dense and not sparse:
            raise InvalidInput("A store needs at least one vector name: dense={'name': width} or sparse=['name'].")
        if set(dense) & set(sparse):
            raise InvalidInput(f"Names are dense or sparse, not both: {', '.join(sorted(set(dense) & set(sparse)))}.")
        import qdrant_edge

        self._q = qdrant_edge
        self.path, self._ef = Path(path), ef
        self._folder = self.path / f"shard-{LAYOUT}"
        self._writing = threading.Lock()
        self._known_size: int | None = None
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The index folder {self.path} cannot be made: {error}.") from error
        self._owner = owner.acquire(self.path)
        try:
            if not self._folder.exists():
                self._create(dense, sparse)
            self._shard = self._guard(lambda: self._q.EdgeShard.load(str(self._folder)))
            self.dense, self.sparse = self._extended(dense, sparse)
            self._indexed = set(self._shard.info().payload_schema)
        except BaseException:
            owner.release(self._owner)
            raise

    # --- opening ------------------------------------------------------------------------------------------------------

    def _create(self, dense: Mapping[str, int], sparse: Sequence[str]) -> None:
        q = self._q
        new = self.path / "new"
        shutil.rmtree(new, ignore_errors=True)
        exact_kb = EXACT_BELOW * max(dense.values(), default=1) * 4 // 1024
        config = q.EdgeConfig(
            vectors={name: q.EdgeVectorParams(dim, q.Distance.Dot) for name, dim in dense.items()},
            sparse_vectors={name: q.EdgeSparseVectorParams(modifier=q.Modifier.Idf) for name in sparse},
            hnsw_config=q.HnswIndexConfig(m=M, ef_construct=EF_CONSTRUCT, full_scan_threshold=exact_kb),
            # One segment: each further one costs a search of its own.
            optimizers=q.EdgeOptimizersConfig(
                default_segment_number=1, indexing_threshold=exact_kb, deleted_threshold=0.1, vacuum_min_vector_number=100
            ),
        )
        shard = self._guard(lambda: q.EdgeShard.create(str(new), config))
        # No graph per payload value (enable_hnsw): it nearly doubled the time of `optimize`.
        schemas = {name: q.KeywordIndexParams(enable_hnsw=False) for name in KEYWORDS}
        schemas |= {name: q.FloatIndexParams(enable_hnsw=False) for name in FLOATS}
        schemas |= {TAGS: q.IntegerIndexParams(lookup=True, range=False, enable_hnsw=False)}
        for name, schema in schemas.items():
            self._guard(partial(shard.update, q.UpdateOperation.create_field_index(name, schema)))
        self._guard(shard.flush)
        self._guard(shard.close)
        new.rename(self._folder)  # whole or not at all

    def _extended(self, dense: Mapping[str, int], sparse: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
        """The vectors of the shard, after those that are asked for and missing have been added."""
        q = self._q
        try:
            config = json.loads((self._folder / "edge_config.json").read_text(encoding="utf-8"))
            has_dense = {name: int(params["size"]) for name, params in config.get("vectors", {}).items()}
            has_sparse = list(config.get("sparse_vectors", {}))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"The index at {self.path} is damaged ({error!r}). Run: bowerbird rebuild") from error
        for name, dim in dense.items():
            if has_dense.get(name, dim) != dim or name in has_sparse:
                kept = "as a sparse vector" if name in has_sparse else f"with {has_dense[name]} dimensions"
                raise StoreError(f"The index at {self.path} keeps {name!r} {kept}; {dim} dimensions were asked for. Run: bowerbird rebuild")
            if name not in has_dense:
                self._update(q.UpdateOperation.create_dense_vector(name, dim, q.Distance.Dot))
                has_dense[name] = dim
        for name in sparse:
            if name in has_dense:
                raise StoreError(f"The index at {self.path} keeps {name!r} as a dense vector. Run: bowerbird rebuild")
            if name not in has_sparse:
                self._update(q.UpdateOperation.create_sparse_vector(name, q.Modifier.Idf))
                has_sparse.append(name)
        return has_dense, tuple(has_sparse)

    # --- writing ------------------------------------------------------------------------------------------------------

    def _upsert(self, points: Sequence[Point]) -> None:
        q = self._q
        step = max(1, min(1_000, FLOATS_AN_UPDATE // (sum(self.dense.values()) + 100)))
        with self._writing:
            for start in range(0, len(points), step):
                batch = []
                for point in points[start : start + step]:
                    kept = payload(point)
                    self._index(number_paths(kept))
                    vectors: dict[str, Any] = dict(point.dense)
                    for name, terms in point.sparse.items():
                        vectors[name] = q.SparseVector(terms.indices.tolist(), terms.values.tolist())
                    batch.append(q.Point(point.id, vectors, kept))
                self._update(q.UpdateOperation.upsert_points(batch))

    def _index(self, paths: set[str]) -> None:
        for path in paths - self._indexed:
            if len(self._indexed) < NUMBER_INDEXES:
                self._update(self._q.UpdateOperation.create_field_index(path, self._q.FloatIndexParams(enable_hnsw=False)))
                self._indexed.add(path)

    def _remove(self, ids: Sequence[int]) -> None:
        with self._writing:
            self._update(self._q.UpdateOperation.delete_points(list(ids)))

    def _update(self, operation: Any) -> None:
        try:
            self._guard(lambda: self._shard.update(operation))
        finally:
            self._known_size = None

    # --- reading ------------------------------------------------------------------------------------------------------

    def _nearest(self, name: str, query: Vectors | Sparse, k: int, must: Sequence[Clause]) -> list[tuple[int, float]]:
        q = self._q
        if isinstance(query, Sparse):
            wanted: Any = q.SparseVector(query.indices.tolist(), query.values.tolist())
            fresh = self._size() <= EXACT_BELOW
            params = q.SearchParams(idf=q.IdfParams(q.Filter())) if fresh else None
        else:
            wanted, params = query, q.SearchParams(hnsw_ef=self._candidates(k, must))
        request = q.QueryRequest(limit=k, query=q.Query.Nearest(wanted, using=name), filter=self._filter(must), params=params)
        return [(point.id, point.score) for point in self._guard(lambda: self._shard.query(request))]

    def _candidates(self, k: int, must: Sequence[Clause]) -> int:
        # A filter takes nodes out of the graph, and paths with them: recall@10 fell from 0.996 to 0.928 where kind and field
        # left 38 % of the points. Twice the candidates make up for most of it.
        narrowed = any(clause.path not in ("scope", "valid_from", "valid_to") for clause in must)
        return max(self._ef * (2 if narrowed else 1), 2 * k)

    def _newest(self, k: int, must: Sequence[Clause]) -> list[tuple[int, float]]:
        q = self._q
        order = q.OrderBy("created", q.Direction.Desc)
        return [(p.id, float(p.order_value)) for p in self._scroll(k, must, order_by=order)]

    def _ids(self, k: int, start: int, must: Sequence[Clause]) -> list[int]:
        return [point.id for point in self._scroll(k, must, start=start)]

    def _rows(self, name: str, ids: Sequence[int], must: Sequence[Clause]) -> list[tuple[int, Sequence[float]]]:
        found = self._scroll(len(ids), must, ids=set(ids), with_vector=[name])
        return [(point.id, point.vector[name]) for point in found if point.vector and name in point.vector]

    def _hashes(self, k: int, start: int) -> list[tuple[int, str]]:
        return [(point.id, point.payload["hash"]) for point in self._scroll(k, (), start=start, with_payload=["hash"])]

    def _count(self, must: Sequence[Clause]) -> int:
        if not must:
            return self._size()
        request = self._q.CountRequest(exact=True, filter=self._filter(must))
        return int(self._guard(lambda: self._shard.count(request)))

    def _size(self) -> int:
        """Points, asked of the shard once after each write: each sparse search wants to know."""
        known = self._known_size
        if known is None:
            known = self._known_size = int(self._guard(lambda: self._shard.info().points_count))
        return known

    def _scroll(
        self,
        limit: int,
        must: Sequence[Clause],
        *,
        start: int = 0,
        ids: set[int] | None = None,
        order_by: Any = None,
        with_payload: list[str] | bool = False,
        with_vector: list[str] | bool = False,
    ) -> list[Any]:
        request = self._q.ScrollRequest(
            offset=start or None,
            limit=limit,
            filter=self._filter(must, ids),
            with_payload=with_payload,
            with_vector=with_vector,
            order_by=order_by,
        )
        found, _ = self._guard(lambda: self._shard.scroll(request))
        return list(found)

    def _filter(self, must: Sequence[Clause], ids: set[int] | None = None) -> Any:
        q = self._q
        conditions: list[Any] = [] if ids is None else [q.HasIdCondition(ids)]
        for clause in must:
            if clause.among is not None:
                conditions.append(q.FieldCondition(clause.path, match=q.MatchAny(list(clause.among))))
            else:
                bounds = clause.bounds or {}
                within = q.RangeFloat(gt=bounds.get("gt"), gte=bounds.get("gte"), lt=bounds.get("lt"), lte=bounds.get("lte"))
                conditions.append(q.FieldCondition(clause.path, range=within))
        return q.Filter(must=conditions) if conditions else None

    # --- upkeep -------------------------------------------------------------------------------------------------------

    def optimize(self) -> None:
        """Build the graph, merge segments, clear deleted points away: a minute or two at 100,000 points.

        Qdrant Edge 0.9 keeps Python's global lock meanwhile, so every thread of the process waits: call it after a bulk load,
        not while serving. Below `EXACT_BELOW` points there is next to nothing to do.
        """
        self._guard(lambda: self._shard.optimize())
        self.flush()

    def flush(self) -> None:
        """Write everything through to the disk."""
        self._guard(lambda: self._shard.flush())

    def close(self) -> None:
        """Flush and let go of the folder; closing twice is no error."""
        with self._writing:
            if self._owner.closed:
                return
            try:
                self._guard(self._shard.flush)  # so that the next open has no log to replay
                self._guard(self._shard.close)
            finally:
                owner.release(self._owner)

    def _guard(self, call: Callable[[], T]) -> T:
        """`call`, its errors as ours. The shard raises plain `Exception`s."""
        try:
            return call()
        except Exception as error:
            said = str(error)
            if "WouldBlock" in said:
                raise StoreBusy(f"{owner.busy(self.path)} ({said})") from error
            if "not initialized" in said:
                raise StoreError(f"The index at {self.path} was closed; open it again.") from error
            if "No space left" in said or "os error 28" in said:
                raise StoreError(
                    f"The index at {self.path} could not be written: the disk is full. What was acknowledged is kept; "
                    f"free some space and run the same call again ({said})."
                ) from error
            raise StoreError(f"The index at {self.path} failed: {said}. If this stays, run: bowerbird rebuild") from error
