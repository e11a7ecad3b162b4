"""A Qdrant server or cluster (or the client's own local mode) as the store: the layout of `payload.py`, over `qdrant-client`.

It knows collections, not records. Shards, replicas and snapshots are the server's affair. Term statistics are those of each of
the server's shards; with several shards, sparse scores are close to, not equal to, those of one collection.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from bowerbird.errors import InvalidInput, StoreBusy, StoreError
from bowerbird.need import need
from bowerbird.ports import Point, Sparse, Vectors
from bowerbird.stores.collection import Collection
from bowerbird.stores.payload import FLOATS, KEYWORDS, TAGS, Clause, number_paths, payload

__all__ = ["QdrantStore"]

T = TypeVar("T")

BATCH = 256  # points an upsert: under the server's default limit of 32 MB a request up to 8,000 dimensions
NUMBER_INDEXES = 64


class QdrantStore(Collection):
    """Opens `collection`, or makes one. `location`: an URL, a folder, ":memory:", or a `QdrantClient` (which then stays open on `close`).

    `dense`: vector name -> width; `sparse`: names. Local mode (folder or ":memory:") searches exactly, with numpy; it is meant for
    tests and small collections. Raises `StoreBusy` when another process holds the folder, `StoreError` when the server cannot
    be reached or keeps other vectors.
    """

    def __init__(
        self, location: Any, collection: str = "bowerbird", dense: Mapping[str, int] | None = None, sparse: Sequence[str] = ()
    ) -> None:
        if not dense and not sparse:
            raise InvalidInput("A store needs at least one vector name: dense={'name': width} or sparse=['name'].")
        self._client_module = need("qdrant_client", "qdrant")
        self._m = need("qdrant_client.models", "qdrant")
        self.dense, self.sparse, self.collection = dict(dense or {}), tuple(sparse), collection
        self._closed, self._own, self._where = False, isinstance(location, str), str(location)
        # The client's local mode is not safe in threads; a server is.
        self._lock: Any = contextlib.nullcontext()
        self._client = self._connect(location) if isinstance(location, str) else location
        options = self._client.init_options
        if options.get("location") == ":memory:" or options.get("path"):
            self._lock = threading.RLock()
        self._indexed: set[str] = set()
        try:
            self._prepare()
        except BaseException:
            if self._own:
                self._client.close()
            raise

    def _connect(self, location: str) -> Any:
        client = self._client_module.QdrantClient
        if location == ":memory:":
            return client(":memory:")
        if "://" in location:
            # The client's check of versions runs in a thread of its own and fails there, seen by nobody.
            return self._guard(lambda: client(url=location, check_compatibility=False))
        return self._guard(lambda: client(path=location, force_disable_check_same_thread=True))

    def _prepare(self) -> None:
        m = self._m
        if not self._guard(lambda: self._client.collection_exists(self.collection)):
            self._guard(
                lambda: self._client.create_collection(
                    self.collection,
                    vectors_config={name: m.VectorParams(size=dim, distance=m.Distance.DOT) for name, dim in self.dense.items()},
                    sparse_vectors_config={name: m.SparseVectorParams(modifier=m.Modifier.IDF) for name in self.sparse},
                )
            )
            keyword = m.KeywordIndexParams(type="keyword", enable_hnsw=False)
            for name in KEYWORDS:
                self._index(name, keyword)
            for name in FLOATS:
                self._index(name, m.FloatIndexParams(type="float", enable_hnsw=False))
            self._index(TAGS, m.IntegerIndexParams(type="integer", lookup=True, range=False, enable_hnsw=False))
        info = self._guard(lambda: self._client.get_collection(self.collection))
        vectors = info.config.params.vectors or {}
        has_dense = {name: params.size for name, params in vectors.items()} if isinstance(vectors, dict) else {"": vectors.size}
        has_sparse = set(info.config.params.sparse_vectors or {})
        wrong = {name: dim for name, dim in self.dense.items() if has_dense.get(name) != dim}
        missing = [name for name in self.sparse if name not in has_sparse]
        if wrong or missing:
            raise StoreError(
                f"The collection {self.collection!r} keeps dense {has_dense} and sparse {sorted(has_sparse)}; asked for were "
                f"dense {self.dense} and sparse {sorted(self.sparse)}. Use another collection name and run: bowerbird rebuild"
            )
        self.dense, self.sparse = has_dense, tuple(sorted(has_sparse))
        self._indexed |= set(info.payload_schema or {})

    def _index(self, path: str, schema: Any) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Payload indexes have no effect")  # local mode says so each time
            self._guard(lambda: self._client.create_payload_index(self.collection, path, field_schema=schema, wait=True))
        self._indexed.add(path)

    # --- writing ------------------------------------------------------------------------------------------------------

    def _upsert(self, points: Sequence[Point]) -> None:
        m = self._m
        for start in range(0, len(points), BATCH):
            batch = []
            for point in points[start : start + BATCH]:
                kept = payload(point)
                for path in number_paths(kept) - self._indexed:
                    if len(self._indexed) < NUMBER_INDEXES:
                        self._index(path, m.FloatIndexParams(type="float", enable_hnsw=False))
                vectors: dict[str, Any] = {name: row.tolist() for name, row in point.dense.items()}
                for name, terms in point.sparse.items():
                    vectors[name] = m.SparseVector(indices=terms.indices.tolist(), values=terms.values.tolist())
                batch.append(m.PointStruct(id=point.id, vector=vectors, payload=kept))
            self._guard(partial(self._client.upsert, self.collection, batch, wait=True))

    def _remove(self, ids: Sequence[int]) -> None:
        selector = self._m.PointIdsList(points=list(ids))
        self._guard(lambda: self._client.delete(self.collection, selector, wait=True))

    # --- reading ------------------------------------------------------------------------------------------------------

    def _nearest(self, name: str, query: Vectors | Sparse, k: int, must: Sequence[Clause]) -> list[tuple[int, float]]:
        m = self._m
        wanted: Any
        if isinstance(query, Sparse):
            wanted = m.SparseVector(indices=query.indices.tolist(), values=query.values.tolist())
        else:
            wanted = query.tolist()
        found = self._guard(
            lambda: self._client.query_points(
                self.collection, query=wanted, using=name, limit=k, query_filter=self._filter(must), with_payload=False
            )
        )
        return [(int(point.id), float(point.score)) for point in found.points]

    def _newest(self, k: int, must: Sequence[Clause]) -> list[tuple[int, float]]:
        order = self._m.OrderBy(key="created", direction=self._m.Direction.DESC)
        return [(int(p.id), float(p.payload["created"])) for p in self._scroll(k, must, order_by=order, with_payload=["created"])]

    def _ids(self, k: int, start: int, must: Sequence[Clause]) -> list[int]:
        return [int(point.id) for point in self._scroll(k, must, start=start)]

    def _rows(self, name: str, ids: Sequence[int], must: Sequence[Clause]) -> list[tuple[int, Sequence[float]]]:
        found = self._scroll(len(ids), must, ids=ids, with_vectors=[name])
        return [(int(point.id), point.vector[name]) for point in found if point.vector and name in point.vector]

    def _hashes(self, k: int, start: int) -> list[tuple[int, str]]:
        return [(int(point.id), point.payload["hash"]) for point in self._scroll(k, (), start=start, with_payload=["hash"])]

    def _count(self, must: Sequence[Clause]) -> int:
        wanted = self._filter(must)
        return int(self._guard(lambda: self._client.count(self.collection, count_filter=wanted, exact=True)).count)

    def _scroll(
        self,
        limit: int,
        must: Sequence[Clause],
        *,
        start: int = 0,
        ids: Sequence[int] | None = None,
        order_by: Any = None,
        with_payload: list[str] | bool = False,
        with_vectors: list[str] | bool = False,
    ) -> list[Any]:
        found, _ = self._guard(
            lambda: self._client.scroll(
                self.collection,
                scroll_filter=self._filter(must, ids),
                limit=limit,
                offset=start or None,
                order_by=order_by,
                with_payload=with_payload,
                with_vectors=with_vectors,
            )
        )
        return list(found)

    def _filter(self, must: Sequence[Clause], ids: Sequence[int] | None = None) -> Any:
        m = self._m
        conditions: list[Any] = [] if ids is None else [m.HasIdCondition(has_id=list(ids))]
        for clause in must:
            if clause.among is not None:
                conditions.append(m.FieldCondition(key=clause.path, match=m.MatchAny(any=list(clause.among))))
            else:
                bounds = clause.bounds or {}
                within = m.Range(gt=bounds.get("gt"), gte=bounds.get("gte"), lt=bounds.get("lt"), lte=bounds.get("lte"))
                conditions.append(m.FieldCondition(key=clause.path, range=within))
        return m.Filter(must=conditions) if conditions else None

    # --- upkeep -------------------------------------------------------------------------------------------------------

    def optimize(self) -> None:
        """Nothing to do: the server optimises by itself."""

    def flush(self) -> None:
        """Nothing to do: every write waits for the server."""

    def close(self) -> None:
        """Close the client if this store made it; closing twice is no error."""
        if not self._closed:
            self._closed = True
            if self._own:
                self._client.close()

    def _guard(self, call: Callable[[], T]) -> T:
        """`call`, its errors as ours. The client raises a dozen kinds, local mode mostly `ValueError`s and `RuntimeError`s."""
        if self._closed:
            raise StoreError(f"The Qdrant store at {self._where} was closed; open it again.")
        try:
            with self._lock:
                return call()
        except Exception as error:
            if "already accessed by another instance" in str(error):
                raise StoreBusy(
                    f"The Qdrant folder {self._where} is held by another process or client. Close that one, use another folder, "
                    "or run a Qdrant server and give its URL."
                ) from error
            raise StoreError(f"Qdrant at {self._where} (collection {self.collection!r}) failed: {error}. Is it running?") from error
