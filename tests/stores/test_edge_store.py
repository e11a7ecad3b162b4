import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from bowerbird.errors import InvalidInput, StoreBusy, StoreError
from bowerbird.ports import Filter, Point, Sparse
from bowerbird.stores.collection import EXACT_BELOW
from bowerbird.stores.edge import EdgeStore
from bowerbird.testing.store_suite import StoreSuite
from bowerbird.types import Scope


@pytest.fixture
def tmp_path(tmp_path):
    """In memory where there is such a folder: the shard syncs often, and the speed of the disk is not under test."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


ACME = Filter(Scope("acme"))


class TestEdge(StoreSuite):
    def open(self, folder, dense, sparse):
        return EdgeStore(folder / "index", dense, sparse)


def point(id, vector=(1.0, 0.0), **given):
    return Point(id, Scope("acme"), "passage", f"h{id}", 1.0, dense={"d": np.array(vector, dtype=np.float32)}, **given)


# Acknowledges each write on stdout after it returned, until it is killed.
WRITER = """
import sys
import numpy as np
from bowerbird.ports import Point, Sparse
from bowerbird.stores.edge import EdgeStore
from bowerbird.types import Scope

store = EdgeStore(sys.argv[1], {"d": 2}, ["s"])
for start in range(1, 10**6, 10):
    row, terms = np.ones(2, dtype=np.float32), Sparse(np.array([1], dtype=np.uint32), np.ones(1, dtype=np.float32))
    store.put([Point(i, Scope("acme"), "passage", f"h{i}", 1.0, dense={"d": row}, sparse={"s": terms}) for i in range(start, start + 10)])
    store.delete([start])
    print(start, flush=True)
"""


@pytest.mark.parametrize("wanted", [1, 7, 60])
def test_killed_writers_lose_nothing_acknowledged(tmp_path, wanted):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    acknowledged = [int(writer.stdout.readline()) for _ in range(wanted)]
    with pytest.raises(StoreBusy, match=rf"held by process {writer.pid} \(-c .*since 20\d\d-.*'qdrant' store"):
        EdgeStore(tmp_path, {"d": 2}, ["s"])
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().splitlines() if line.strip()]
    writer.stdout.close()
    writer.wait()
    store = EdgeStore(tmp_path, {"d": 2}, ["s"])
    kept = dict(store.scan())
    for start in acknowledged:
        assert start not in kept
        assert all(kept[id] == f"h{id}" for id in range(start + 1, start + 10))
    rows = store.vectors("d", list(kept), ACME)
    assert set(rows) == set(kept)
    assert all((row == 1).all() for row in rows.values())
    [found] = store.search_sparse("s", [Sparse(np.array([1]), np.array([1.0]))], len(kept), ACME)
    assert {id for id, _ in found} == set(kept)
    store.close()


def test_the_same_process_is_told_so(tmp_path):
    store = EdgeStore(tmp_path, {"d": 2})
    with pytest.raises(StoreBusy, match="already open in this process"):
        EdgeStore(tmp_path, {"d": 2})
    store.close()
    EdgeStore(tmp_path, {"d": 2}).close()


def test_a_stale_owner_file_is_no_owner(tmp_path):
    (tmp_path / "owner.json").write_text(json.dumps({"pid": 1, "command": "old", "since": "2020"}))
    EdgeStore(tmp_path, {"d": 2}).close()


def test_vector_names_can_be_added_later(tmp_path):
    store = EdgeStore(tmp_path, {"d": 2})
    store.put([point(1)])
    store.close()
    store = EdgeStore(tmp_path, {"e": 3}, ["s"])
    assert (store.dense, store.sparse) == ({"d": 2, "e": 3}, ("s",))
    store.put([point(2, sparse={"s": Sparse(np.array([4]), np.array([1.0]))})])
    store.close()
    store = EdgeStore(tmp_path, {"d": 2})
    assert [id for id, _ in store.search_dense("d", np.ones((1, 2)), 5, ACME)[0]] == [1, 2]
    assert [id for id, _ in store.search_sparse("s", [Sparse(np.array([4]), np.array([1.0]))], 5, ACME)[0]] == [2]
    store.close()


def test_other_vectors_ask_for_a_rebuild(tmp_path):
    EdgeStore(tmp_path, {"d": 2}, ["s"]).close()
    for dense, sparse in (({"d": 3}, []), ({"s": 2}, []), ({}, ["d"])):
        with pytest.raises(StoreError, match="rebuild"):
            EdgeStore(tmp_path, dense, sparse)
    for dense, sparse in (({}, []), ({"x": 2}, ["x"])):
        with pytest.raises(InvalidInput):
            EdgeStore(tmp_path, dense, sparse)
    EdgeStore(tmp_path, {"d": 2}, ["s"]).close()  # a failed opening lets go of the folder


def test_a_damaged_shard_asks_for_a_rebuild(tmp_path):
    EdgeStore(tmp_path, {"d": 2}).close()
    [config] = tmp_path.glob("shard-*/edge_config.json")
    config.write_text("{")
    with pytest.raises(StoreError, match="rebuild"):
        EdgeStore(tmp_path, {"d": 2})


def test_a_half_made_shard_is_made_anew(tmp_path):
    (tmp_path / "new" / "segments").mkdir(parents=True)
    (tmp_path / "new" / "wal").write_text("half")
    store = EdgeStore(tmp_path, {"d": 2})
    assert list(store.scan()) == []
    store.close()


def test_above_the_exact_size_the_graph_finds_nearly_all(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((EXACT_BELOW + 2_000, 8), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    store = EdgeStore(tmp_path, {"d": 8})
    store.put([Point(i + 1, Scope("acme"), "passage", "h", float(i), dense={"d": row}) for i, row in enumerate(rows)])
    began = time.perf_counter()
    store.optimize()
    assert time.perf_counter() - began > 0.05, "no graph was built"
    found = store.search_dense("d", rows[:50] + 0.01, 10, ACME)
    exact = np.argsort(-((rows[:50] + 0.01) @ rows.T), axis=1)[:, :10] + 1
    recall = np.mean([len({id for id, _ in got} & set(best)) / 10 for got, best in zip(found, exact.tolist(), strict=True)])
    assert recall > 0.97
    drawn = store.sample(20, 1, ACME)
    assert len(set(drawn)) == 20
    assert drawn == store.sample(20, 1, ACME)
    store.close()


def test_a_full_disk_says_what_to_do(tmp_path, monkeypatch):
    store = EdgeStore(tmp_path / "store", {"dense": 4}, ["words"])

    def full():
        raise Exception("IO Error: Failed to flush segment.json: No space left on device (os error 28)")

    with pytest.raises(StoreError, match=r"disk is full.*free some space"):
        store._guard(full)
    store.close()
