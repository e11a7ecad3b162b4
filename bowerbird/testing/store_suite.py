"""Conformance suite of the Store port: inherit it, say how a store is opened, and pytest runs it against your store.

    class TestMine(StoreSuite):
        def open(self, folder, dense, sparse):
            return MyStore(folder, dense, sparse)

Everything is compared with the exact `ReferenceStore`. It checks the contract (results, filters, isolation, durability over
reopening, threads), not speed, and stays below the size at which stores may approximate.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bowerbird.errors import BowerbirdError, InvalidInput
from bowerbird.ports import Filter, Point, Sparse, Store
from bowerbird.stores.reference import ReferenceStore
from bowerbird.testing.store_points import DENSE, SCOPES, SPARSE, WHERES, one_point, sample_points, unit, weighted
from bowerbird.types import Scope

__all__ = ["StoreSuite"]

ANYTHING = weighted(dict.fromkeys(range(40), 1.0))


class StoreSuite:
    """What every `Store` must do. `persistent`: whether a folder that is opened again holds what was put."""

    persistent = True

    def open(self, folder: Path, dense: Mapping[str, int], sparse: Sequence[str]) -> Store:
        """The store under test, kept in `folder`."""
        raise NotImplementedError("Say how your store is opened: override open(folder, dense, sparse).")

    @contextmanager
    def _opened(self, folder: Path, points: Sequence[Point] = ()) -> Iterator[Store]:
        store = self.open(folder, DENSE, SPARSE)
        try:
            store.put(points)
            yield store
        finally:
            store.close()

    # --- results ------------------------------------------------------------------------------------------------------

    def test_searches_equal_the_reference(self, tmp_path: Path) -> None:
        points = sample_points(150)
        reference = _reference(points)
        with self._opened(tmp_path, points) as store:
            for scope in SCOPES:
                _assert_equal(store, reference, Filter(Scope.parse(scope)), k=5)
            for kinds in (("memory",), ("memory", "tool", "memory"), ("unheard-of",)):
                for at in (None, 50.0, 100.0, 200.0):
                    _assert_equal(store, reference, Filter(Scope("acme", "ann", "s1"), kinds, at), k=5)

    def test_conditions_equal_the_reference(self, tmp_path: Path) -> None:
        points = [replace(point, scope=Scope("acme")) for point in sample_points(100)]
        reference = _reference(points)
        with self._opened(tmp_path, points) as store:
            matched = 0
            for where in WHERES:
                wanted = Filter(Scope("acme", "ann"), where=where)
                assert store.count(wanted) == reference.count(wanted), f"where={where!r}"
                assert store.latest(300, wanted) == reference.latest(300, wanted), f"where={where!r}"
                _assert_equal(store, reference, wanted, k=300)
                matched += reference.count(wanted) > 0
            assert matched > len(WHERES) // 2

    def test_bad_conditions_are_refused(self, tmp_path: Path) -> None:
        with self._opened(tmp_path, [one_point(1)]) as store:
            values: tuple[Any, ...] = (None, [None], [[1]], {}, {"gte": "x"}, {"gte": True}, {"above": 1}, {"lt": float("nan")})
            for value in values:
                with pytest.raises(InvalidInput):
                    store.count(Filter(Scope("acme"), where={"year": value}))

    def test_term_statistics_are_of_the_whole_store(self, tmp_path: Path) -> None:
        rare, common = {"bm25": weighted({1: 1.0, 2: 0.5})}, {"bm25": weighted({2: 1.0})}
        points = [replace(one_point(i, "acme" if i < 4 else "beta"), sparse=rare if i < 8 else common) for i in range(1, 30)]
        with self._opened(tmp_path, points) as store:
            [found] = store.search_sparse("bm25", [weighted({1: 2.0})], 10, Filter(Scope("acme")))
        assert [id for id, _ in found] == [1, 2, 3]
        np.testing.assert_allclose([score for _, score in found], 2 * np.log(1 + (29 - 7 + 0.5) / (7 + 0.5)), atol=1e-4)

    def test_ties_are_broken_by_id(self, tmp_path: Path) -> None:
        ids = [9, 3, 2**63 - 1, 7, 1, 2**62, 5]
        with self._opened(tmp_path, [one_point(id) for id in ids]) as store:
            wanted = Filter(Scope("acme"))
            for k in (len(ids), 3):
                assert [id for id, _ in store.search_dense("text", np.eye(1, 8, dtype=np.float32), k, wanted)[0]] == sorted(ids)[:k]
                assert [id for id, _ in store.search_sparse("bm25", [weighted({1: 1.0})], k, wanted)[0]] == sorted(ids)[:k]
                assert store.latest(k, wanted) == [(id, 1.0) for id in sorted(ids)[:k]]

    def test_a_batch_equals_its_singles(self, tmp_path: Path) -> None:
        points = sample_points(100)
        rng = np.random.default_rng(1)
        queries, terms = np.stack([unit(rng, 8) for _ in range(5)]), [weighted({i: 1.0, i + 1: 2.0}) for i in range(5)]
        with self._opened(tmp_path, points) as store:
            wanted = Filter(Scope("acme", "ann"))
            singles = [store.search_dense("text", row[None], 4, wanted)[0] for row in queries]
            assert [_ids(found) for found in store.search_dense("text", queries, 4, wanted)] == [_ids(found) for found in singles]
            assert store.search_sparse("bm25", terms, 4, wanted) == [store.search_sparse("bm25", [one], 4, wanted)[0] for one in terms]

    def test_latest_and_sample(self, tmp_path: Path) -> None:
        points = sample_points(150)
        reference = _reference(points)
        with self._opened(tmp_path, points) as store:
            for scope in SCOPES[:5]:
                wanted = Filter(Scope.parse(scope), at=150.0)
                everything = set(_ids(reference.latest(1000, wanted)))
                for k in (1, 3, 10, 1000):
                    assert store.latest(k, wanted) == reference.latest(k, wanted)
                    drawn = store.sample(k, 7, wanted)
                    assert len(drawn) == len(set(drawn)) == min(k, len(everything))
                    assert set(drawn) <= everything
                    assert drawn == store.sample(k, 7, wanted)
            draws = [store.sample(3, seed, Filter(Scope("acme", "ann", "s1"))) for seed in range(40)]
            assert len({id for draw in draws for id in draw}) > 12, "samples of different seeds hardly differ"

    # --- writing ------------------------------------------------------------------------------------------------------

    def test_put_replaces_the_whole_point(self, tmp_path: Path) -> None:
        first = replace(one_point(1), fields={"lang": "en"}, dense={name: np.ones(dim, dtype=np.float32) for name, dim in DENSE.items()})
        second = replace(one_point(1, "acme/ann"), hash="new", fields={}, sparse={"bm25": weighted({2: 1.0})})
        with self._opened(tmp_path, [first, one_point(2)]) as store:
            store.put([second])
            wanted = Filter(Scope("acme", "ann"))
            assert dict(store.scan()) == {1: "new", 2: "h2"}
            assert store.count(Filter(Scope("acme"))) == 1
            assert store.count(replace(wanted, where={"lang": "en"})) == 0
            assert store.vectors("picture", [1, 2], wanted) == {}
            assert _ids(store.search_sparse("bm25", [weighted({1: 1.0})], 9, wanted)[0]) == [2]
            assert store.search_dense("picture", np.ones((1, 5), dtype=np.float32), 9, wanted) == [[]]

    def test_the_last_of_a_batch_wins(self, tmp_path: Path) -> None:
        with self._opened(tmp_path, [one_point(1), replace(one_point(1), hash="last")]) as store:
            assert list(store.scan()) == [(1, "last")]

    def test_deletes_and_replacements_leave_no_trace(self, tmp_path: Path) -> None:
        points = sample_points(120)
        reference = _reference(points)
        with self._opened(tmp_path, points) as store:
            store.optimize()
            moved = [replace(point, scope=Scope("acme"), sparse={"bm25": weighted({3: 1.0})}) for point in points[50:60]]
            for one in (store, reference):
                one.delete([point.id for point in points[:40]] + [987654321])
                one.put(moved)
            for scope in ("acme", "acme/ann/s1", "beta/ann/s1"):
                _assert_equal(store, reference, Filter(Scope.parse(scope)), k=20)
            assert sorted(store.scan()) == sorted(reference.scan())
            store.optimize()
            _assert_equal(store, reference, Filter(Scope("acme", "ann", "s1")), k=20)

    def test_bad_points_are_refused_and_change_nothing(self, tmp_path: Path) -> None:
        good = one_point(1)
        bad = [
            replace(one_point(2), dense={"text": np.ones(7, dtype=np.float32)}),
            replace(one_point(2), dense={"text": np.full(8, np.nan, dtype=np.float32)}),
            replace(one_point(2), dense={"texd": np.ones(8, dtype=np.float32)}),
            replace(one_point(2), sparse={"bm52": weighted({1: 1.0})}),
            replace(one_point(2), sparse={"bm25": Sparse(np.array([1, 1], dtype=np.uint32), np.ones(2, dtype=np.float32))}),
            replace(one_point(2), created=float("inf")),
            one_point(0),
            one_point(2**63),
        ]
        with self._opened(tmp_path, [good]) as store:
            for point in bad:
                with pytest.raises(InvalidInput):
                    store.put([one_point(3), point])
                assert list(store.scan()) == [(1, "h1")]

    # --- edges --------------------------------------------------------------------------------------------------------

    def test_nothing_in_nothing_out(self, tmp_path: Path) -> None:
        wanted, row = Filter(Scope("acme"), at=1.0), np.ones((2, 8), dtype=np.float32)
        with self._opened(tmp_path) as store:
            store.put([])
            store.delete([])
            store.delete([5])
            store.optimize()
            store.flush()
            assert store.search_dense("text", row, 3, wanted) == [[], []]
            assert store.search_sparse("bm25", [weighted({1: 1.0})], 3, wanted) == [[]]
            assert (store.latest(3, wanted), store.sample(3, 0, wanted), store.count(wanted)) == ([], [], 0)
            assert (list(store.scan()), store.vectors("text", [1], wanted)) == ([], {})
            store.put([one_point(1)])
            assert store.search_dense("text", row[:0], 3, wanted) == []
            assert store.search_sparse("bm25", [], 3, wanted) == []
            assert store.vectors("text", [], wanted) == {}
            for k in (0, -1):
                assert store.search_dense("text", row, k, wanted) == [[], []]
                assert store.search_sparse("bm25", [weighted({1: 1.0})], k, wanted) == [[]]
                assert (store.latest(k, wanted), store.sample(k, 0, wanted)) == ([], [])
            assert _ids(store.search_dense("text", row, 50, wanted)[0]) == [1]

    def test_unknown_names_and_empty_queries_find_nothing(self, tmp_path: Path) -> None:
        wanted = Filter(Scope("acme"))
        with self._opened(tmp_path, [one_point(1)]) as store:
            assert store.search_dense("nobody", np.ones((1, 3), dtype=np.float32), 3, wanted) == [[]]
            assert store.search_sparse("nobody", [weighted({1: 1.0})], 3, wanted) == [[]]
            assert store.vectors("nobody", [1], wanted) == {}
            assert store.search_sparse("bm25", [weighted({}), weighted({1: 0.0}), weighted({99: 1.0})], 3, wanted) == [[], [], []]
            assert store.search_sparse("tags", [weighted({1: 1.0})], 3, wanted) == [[]]
            with pytest.raises(InvalidInput):
                store.search_dense("text", np.ones((1, 3), dtype=np.float32), 3, wanted)

    def test_inputs_stay_untouched(self, tmp_path: Path) -> None:
        points, row = sample_points(10), np.ones((1, 8), dtype=np.float32)
        before = [{name: vector.copy() for name, vector in point.dense.items()} for point in points]
        with self._opened(tmp_path, points) as store:
            store.search_dense("text", row, 3, Filter(Scope("acme")))
        assert (row == 1).all()
        for point, kept in zip(points, before, strict=True):
            assert all((point.dense[name] == kept[name]).all() for name in kept)

    # --- isolation ----------------------------------------------------------------------------------------------------

    def test_written_as_one_read_as_another(self, tmp_path: Path) -> None:
        """The canary: one point a scope; every reader sees its own and the wider ones, through every way of reading."""
        owners = {id: Scope.parse(text) for id, text in enumerate(SCOPES, start=1)}
        with self._opened(tmp_path, [one_point(id, str(owner)) for id, owner in owners.items()]) as store:
            readers = [*owners.values(), Scope("stranger"), Scope("acme", "ann", "s3"), Scope("beta"), Scope("acme", "stranger", "s1")]
            for reader in readers:
                allowed = sorted(id for id, owner in owners.items() if reader.sees(owner))
                wanted = Filter(reader)
                reads = {
                    "search_dense": _ids(store.search_dense("text", np.ones((1, 8), dtype=np.float32), 99, wanted)[0]),
                    "search_sparse": _ids(store.search_sparse("bm25", [weighted({1: 1.0})], 99, wanted)[0]),
                    "latest": _ids(store.latest(99, wanted)),
                    "sample": store.sample(99, 3, wanted),
                    "vectors": list(store.vectors("text", list(owners), wanted)),
                }
                for method, seen in reads.items():
                    assert sorted(seen) == allowed, f"{method} as {reader}: sees {[str(owners[id]) for id in seen]}"
                assert store.count(wanted) == len(allowed), f"count as {reader}"

    # --- time ---------------------------------------------------------------------------------------------------------

    def test_what_was_put_is_there_after_reopening(self, tmp_path: Path) -> None:
        if not self.persistent:
            pytest.skip("this store keeps nothing")
        points = sample_points(60)
        reference = _reference(points[10:])
        with self._opened(tmp_path, points) as store:
            store.delete([point.id for point in points[:10]])
        with self._opened(tmp_path) as store:
            assert sorted(store.scan()) == sorted(reference.scan())
            for scope in SCOPES[:4]:
                _assert_equal(store, reference, Filter(Scope.parse(scope), at=150.0), k=10)

    def test_a_closed_store_says_so(self, tmp_path: Path) -> None:
        with self._opened(tmp_path, [one_point(1)]) as store:
            store.close()
            with pytest.raises(BowerbirdError, match="closed"):
                store.count(Filter(Scope("acme")))
            store.close()

    def test_readers_beside_a_writer(self, tmp_path: Path) -> None:
        """Readers never fail and never see another scope while a writer puts, replaces and deletes."""
        failures: list[str] = []
        done = threading.Event()

        def read(store: Store) -> None:
            wanted, row = Filter(Scope("acme", "ann"), at=150.0), np.ones((1, 8), dtype=np.float32)
            while not done.is_set():
                try:
                    found = _ids(store.search_dense("text", row, 5, wanted)[0]) + _ids(
                        store.search_sparse("bm25", [ANYTHING], 5, wanted)[0]
                    )
                    found += _ids(store.latest(5, wanted)) + list(store.vectors("text", found, wanted))
                except BowerbirdError as error:
                    failures.append(repr(error))
                    return
                if any(id % 2 for id in found):
                    failures.append(f"saw {found}")

        with self._opened(tmp_path, [one_point(2, "acme")]) as store:
            threads = [threading.Thread(target=read, args=(store,)) for _ in range(3)]
            for thread in threads:
                thread.start()
            for start in range(0, 100, 10):
                store.put([one_point(i, "acme/ann" if i % 2 == 0 else "acme/bob") for i in range(start + 1, start + 21)])
                store.delete([start + 1, start + 2])
            done.set()
            for thread in threads:
                thread.join()
            assert failures == []
            assert store.count(Filter(Scope("acme", "bob"))) == len([i for i in range(1, 111) if i % 2 and i % 10 != 1]) + 1


def _ids(found: Sequence[tuple[int, float]]) -> list[int]:
    return [id for id, _ in found]


def _reference(points: Sequence[Point]) -> ReferenceStore:
    store = ReferenceStore(DENSE, SPARSE)
    store.put(points)
    return store


def _assert_equal(store: Store, reference: ReferenceStore, wanted: Filter, k: int) -> None:
    """Every way of reading gives what the reference gives: scores to 1e-4, ids too unless scores are that close."""
    rng = np.random.default_rng(5)
    assert store.count(wanted) == reference.count(wanted), wanted
    for name, dim in DENSE.items():
        queries = np.stack([unit(rng, dim) for _ in range(2)])
        everything = reference.search_dense(name, queries, 10_000, wanted)
        _assert_best(store.search_dense(name, queries, k, wanted), everything, k, f"search_dense {name} {wanted}")
    terms = [ANYTHING, weighted({3: 1.0, 17: 2.5})]
    everything = reference.search_sparse("bm25", terms, 10_000, wanted)
    _assert_best(store.search_sparse("bm25", terms, k, wanted), everything, k, f"search_sparse {wanted}")
    asked = [id for id, _ in reference.scan()][::3]
    found, kept = store.vectors("text", asked, wanted), reference.vectors("text", asked, wanted)
    assert set(found) == set(kept), wanted
    assert all(found[id].dtype == np.float32 and np.allclose(found[id], kept[id], atol=1e-6) for id in kept), wanted


def _assert_best(found: list[list[tuple[int, float]]], everything: list[list[tuple[int, float]]], k: int, of: str) -> None:
    assert len(found) == len(everything), of
    for got, ranked in zip(found, everything, strict=True):
        truth = dict(ranked)
        assert len(got) == len(set(_ids(got))) == min(k, len(ranked)), f"{of}: {len(got)} found, {len(ranked)} match, k = {k}"
        assert set(_ids(got)) <= set(truth), f"{of}: {set(_ids(got)) - set(truth)} do not match"
        np.testing.assert_allclose([score for _, score in got], [score for _, score in ranked[:k]], atol=1e-4, err_msg=of)
        np.testing.assert_allclose([score for _, score in got], [truth[id] for id, _ in got], atol=1e-4, err_msg=of)
