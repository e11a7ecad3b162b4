"""The embedded store at size: what writing, optimising, searching with filters, opening and keeping cost.

    python benchmarks/stores.py [--points 100000] [--dim 384] [--folder DIR]

The vectors are synthetic: unit rows of a random 24-dimensional subspace plus noise, which is about as hard for a graph as sentence
embeddings are (uniformly random rows in 384 dimensions have no neighbours to find, and measure nothing). Terms follow Zipf's law,
60 a text, 8 a query. Filters are on: 80 % of the points are visible and valid, 38 % after kind and field.

"bare" is the same request put straight to the shard, ready made: the difference is what the store adds.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bowerbird.ports import Filter, Point, Sparse, Vectors
from bowerbird.stores.edge import EdgeStore
from bowerbird.types import FOREVER, Scope

NOW = 1_780_000_000.0
PLAIN = Filter(Scope("acme", "ann"), at=NOW)
NARROW = Filter(Scope("acme", "ann"), kinds=("passage", "tool"), at=NOW, where={"lang": "en"})
TINY = Filter(Scope("other9", "bob"), at=NOW)
TERMS = 30_000


def rows(rng: np.random.Generator, n: int, dim: int, latent: int = 24) -> Vectors:
    basis = rng.standard_normal((latent, dim), dtype=np.float32) / np.float32(latent**0.5)
    made = rng.standard_normal((n, latent), dtype=np.float32) @ basis + np.float32(0.2) * rng.standard_normal((n, dim), dtype=np.float32)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def terms(rng: np.random.Generator, n: int, each: int) -> list[Sparse]:
    chance = 1 / np.arange(1, TERMS + 1)
    drawn = np.searchsorted(np.cumsum(chance / chance.sum()), rng.random((n, each))).clip(0, TERMS - 1)
    made = []
    for row in drawn:
        indices, counts = np.unique(row, return_counts=True)
        made.append(Sparse(indices.astype(np.uint32), (counts * 2.2 / (counts + 1.2)).astype(np.float32)))
    return made


def point(i: int, id: int, row: Vectors, sparse: Sparse) -> Point:
    scope = Scope("acme") if i % 10 < 7 else Scope("acme", "ann") if i % 10 < 9 else Scope(f"other{i % 50}", "bob")
    kind, lang = ("memory" if i % 4 == 0 else "passage"), ("en" if i % 2 else "de")
    fields = {"lang": lang, "year": 1990 + i % 35, "tags": [f"t{i % 100}", f"u{i % 7}"]}
    ends = NOW - 1e6 if i % 20 == 1 else FOREVER
    return Point(id, scope, kind, f"{id:032x}", NOW - i // 100, 0.0, ends, {"text": row}, {"bm25": sparse}, fields)


def milliseconds(calls: list[Callable[[], Any]]) -> list[float]:
    times = []
    for call in calls:
        began = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - began))
    return times


def spread(times: list[float]) -> str:
    return f"{statistics.median(times):8.2f} {np.quantile(times, 0.95):8.2f}"


def memory() -> str:
    status = Path("/proc/self/status").read_text()
    resident, anonymous = (int(status.split(f"{name}:")[1].split()[0]) // 1024 for name in ("VmRSS", "RssAnon"))
    return f"{resident} MB resident, {anonymous} MB of it anonymous"


def megabytes(folder: Path) -> tuple[float, float]:
    files = [file.stat() for file in folder.rglob("*") if file.is_file()]
    return sum(512 * file.st_blocks for file in files) / 2**20, sum(file.st_size for file in files) / 2**20


def searches(store: EdgeStore, queries: Vectors, asked: list[Sparse]) -> None:
    print(f"  {'search, top 10':34} {'p50 ms':>8} {'p95 ms':>8}   recall@10")
    for name, wanted in (("scope and time", PLAIN), ("scope, time, kind, field", NARROW), ("a small tenant", TINY)):
        exact = [best(store, query, wanted) for query in queries]
        found = [{id for id, _ in store.search_dense("text", query[None], 10, wanted)[0]} for query in queries]
        recall = np.mean([len(got & best) / max(1, len(best)) for got, best in zip(found, exact, strict=True)])
        ours = milliseconds([lambda q=query, w=wanted: store.search_dense("text", q[None], 10, w) for query in queries])
        print(f"  dense, {name:27} {spread(ours)}   {recall:.3f}")
        print(f"  dense, {name + ', bare':27} {spread(milliseconds(bare(store, list(queries), wanted)))}")
        ours = milliseconds([lambda s=sparse, w=wanted: store.search_sparse("bm25", [s], 10, w) for sparse in asked])
        print(f"  bm25, {name:28} {spread(ours)}")
        print(f"  bm25, {name + ', bare':28} {spread(milliseconds(bare(store, asked, wanted)))}", flush=True)


def request(store: EdgeStore, query: Vectors | Sparse, wanted: Filter, exact: bool = False) -> Any:
    import qdrant_edge as q

    from bowerbird.stores.payload import clauses

    must = clauses(wanted)
    using, vector, params = "text", query, q.SearchParams(hnsw_ef=store._candidates(10, must), exact=exact)
    if isinstance(query, Sparse):
        using, vector, params = "bm25", q.SparseVector(query.indices.tolist(), query.values.tolist()), None
    return q.QueryRequest(limit=10, query=q.Query.Nearest(vector, using=using), filter=store._filter(must), params=params)


def bare(store: EdgeStore, queries: list[Any], wanted: Filter) -> list[Callable[[], Any]]:
    return [partial(store._shard.query, request(store, query, wanted)) for query in queries]


def best(store: EdgeStore, query: Vectors, wanted: Filter) -> set[int]:
    return {found.id for found in store._shard.query(request(store, query, wanted, exact=True))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--open", type=Path, default=None, help="only open this store, and say what that takes")
    given = parser.parse_args()
    if given.open:
        reopen(given.open)
        return
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, qdrant-edge-py {version('qdrant-edge-py')}")
    print(f"load {os.getloadavg()[0]:.1f}; {given.points:,} points x {given.dim}", flush=True)
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    rng = np.random.default_rng(0)
    made, sparse = rows(rng, given.points, given.dim), terms(rng, given.points, 60)
    ids = [int(id) for id in rng.integers(1, 2**63 - 1, given.points)]
    near = made[rng.choice(given.points, given.queries)] + np.float32(0.02) * rng.standard_normal(
        (given.queries, given.dim), dtype=np.float32
    )
    queries, asked = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32), terms(rng, given.queries, 8)
    try:
        store = EdgeStore(folder, {"text": given.dim}, ["bm25"])
        began = time.perf_counter()
        for start in range(0, given.points, 1_000):
            store.put([point(i, ids[i], made[i], sparse[i]) for i in range(start, min(start + 1_000, given.points))])
        print(f"  put, batches of 1,000           {time.perf_counter() - began:8.1f} s; {memory()}")
        print("before optimize")
        searches(store, queries, asked)
        began, busy = time.perf_counter(), time.process_time()
        store.optimize()
        took, busy = time.perf_counter() - began, time.process_time() - busy
        print(f"  optimize                        {took:8.1f} s ({busy:.1f} s of CPU); {memory()}")
        print("after optimize")
        searches(store, queries, asked)
        for k in (10, 50):
            print(f"  latest {k:<28}{spread(milliseconds([lambda k=k: store.latest(k, PLAIN)] * 30))}")
            print(f"  sample {k:<28}{spread(milliseconds([lambda k=k, s=s: store.sample(k, s, PLAIN) for s in range(30)]))}")
            print(f"  vectors of {k:<24}{spread(milliseconds([lambda k=k: store.vectors('text', ids[:k], PLAIN)] * 30))}")
        print(f"  count                              {spread(milliseconds([lambda: store.count(PLAIN)] * 10))}")
        again = [point(i, ids[i], made[i - 1], sparse[i - 1]) for i in range(100)]
        print(f"  replace one                        {spread(milliseconds([lambda p=p: store.put([p]) for p in again]))}")
        print(f"  delete one                         {spread(milliseconds([lambda i=i: store.delete([i]) for i in ids[100:200]]))}")
        print(f"  scan all                           {milliseconds([lambda: list(store.scan())])[0]:8.2f}")
        began = time.perf_counter()
        store.close()
        used, apparent = megabytes(folder)
        vectors = given.points * given.dim * 4 / 2**20
        print(f"  close                           {time.perf_counter() - began:8.2f} s")
        print(f"  on disk                         {used:8.0f} MB ({apparent:.0f} MB with holes); vectors alone {vectors:.0f} MB")
        sys.stdout.flush()
        for _ in range(3):
            subprocess.run([sys.executable, __file__, "--open", str(folder), "--dim", str(given.dim)], check=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def reopen(folder: Path) -> None:
    before = memory()
    began = time.perf_counter()
    store = EdgeStore(folder, {"text": 384}, ["bm25"])
    opened = time.perf_counter()
    store.search_dense("text", rows(np.random.default_rng(1), 1, store.dense["text"]), 10, PLAIN)
    first = time.perf_counter()
    print(
        f"  open in a new process {opened - began:.2f} s, first search {1e3 * (first - opened):.0f} ms; before: {before}; after: {memory()}"
    )
    store.close()


if __name__ == "__main__":
    main()
