"""The suite is only worth something if it fails on stores that are wrong: one planted bug at a time."""

import operator
from dataclasses import replace

import numpy as np
import pytest

from bowerbird.ports import Filter, Point, Sparse
from bowerbird.stores.points import Among, atoms, conditions, number
from bowerbird.stores.reference import ReferenceStore
from bowerbird.testing.store_suite import StoreSuite
from bowerbird.types import Scope

NAMES = {"gt": "gt", "gte": "ge", "lt": "lt", "lte": "le"}


class IgnoresTheUser(ReferenceStore):
    def _matching(self, filter):
        return [p for p in self._points.values() if p.scope.tenant == filter.scope.tenant]


class ComparesPrefixes(ReferenceStore):
    def _matching(self, filter):
        return [p for p in self._points.values() if str(filter.scope).startswith(str(p.scope))]


class ShowsNarrowerScopes(ReferenceStore):
    def _matching(self, filter):
        return [p for p in self._points.values() if p.scope.sees(filter.scope) or filter.scope.sees(p.scope)]


class CountsEverybody(ReferenceStore):
    def count(self, filter):
        return len(self._points)


class LeaksVectors(ReferenceStore):
    def vectors(self, name, ids, filter):
        return {id: self._points[id].dense[name] for id in ids if id in self._points and name in self._points[id].dense}


class ForgetsIdf(ReferenceStore):
    def search_sparse(self, name, vectors, k, filter):
        points = [p for p in self._matching(filter) if name in p.sparse]
        results = []
        for query in vectors:
            weight = dict(zip(query.indices.tolist(), query.values.tolist(), strict=True))
            scored = [
                (
                    p.id,
                    sum(weight.get(t, 0) * w for t, w in zip(p.sparse[name].indices.tolist(), p.sparse[name].values.tolist(), strict=True)),
                )
                for p in points
            ]
            results.append(sorted([pair for pair in scored if pair[1]], key=lambda pair: (-pair[1], pair[0]))[: max(k, 0)])
        return results


class IdfOfTheFilter(ReferenceStore):
    def search_sparse(self, name, vectors, k, filter):
        mine = ReferenceStore(self.dense, self.sparse)
        mine.put(self._matching(filter))
        return mine.search_sparse(name, vectors, k, filter)


class ForgetsTheEnd(ReferenceStore):
    def _matching(self, filter):
        found = super()._matching(replace(filter, at=None))
        return [p for p in found if filter.at is None or p.valid_from <= filter.at <= p.valid_to]


class ForgetsKinds(ReferenceStore):
    def _matching(self, filter):
        return super()._matching(replace(filter, kinds=()))


class MixesBooleansAndNumbers(ReferenceStore):
    def _matching(self, filter):
        wanted = conditions(filter.where)
        found = super()._matching(replace(filter, where={}))
        return [p for p in found if all(self._loosely(p.fields, condition) for condition in wanted)]

    def _loosely(self, fields, condition):
        if isinstance(condition, Among):
            return any(value == wanted for value in atoms(fields.get(condition.name)) for wanted in condition.values)
        numbers = [x for x in map(number, atoms(fields.get(condition.name))) if x is not None]
        return any(all(getattr(operator, NAMES[name])(x, bound) for name, bound in condition.bounds.items()) for x in numbers)


class TakesBoundsApart(MixesBooleansAndNumbers):
    """Lets one number of a list keep to one bound and another to the other."""

    def _loosely(self, fields, condition):
        found = atoms(fields.get(condition.name))
        if isinstance(condition, Among):
            return any((value, type(value) is bool) == (w, type(w) is bool) for value in found for w in condition.values)
        numbers = [x for x in map(number, found) if x is not None]
        return all(any(getattr(operator, NAMES[name])(x, bound) for x in numbers) for name, bound in condition.bounds.items())


class MergesOnPut(ReferenceStore):
    def put(self, points):
        super().put([replace(p, dense={**self._points[p.id].dense, **p.dense}) if p.id in self._points else p for p in points])


class TiesByNewest(ReferenceStore):
    def search_dense(self, name, vectors, k, filter):
        found = super().search_dense(name, vectors, 10_000, filter)
        return [sorted(row, key=lambda pair: (-pair[1], -pair[0]))[: max(k, 0)] for row in found]


class SwapsQueries(ReferenceStore):
    def search_dense(self, name, vectors, k, filter):
        return super().search_dense(name, vectors, k, filter)[::-1]


class DeletesNothing(ReferenceStore):
    def delete(self, ids):
        self._open()


class SamplesTheSame(ReferenceStore):
    def sample(self, k, seed, filter):
        return super().sample(k, 0, filter)


class NormalisesInPlace(ReferenceStore):
    def search_dense(self, name, vectors, k, filter):
        if name in self.dense and isinstance(vectors, np.ndarray) and vectors.size:
            vectors /= np.linalg.norm(vectors)
        return super().search_dense(name, vectors, k, filter)


def suite_of(kind):
    class Suite(StoreSuite):
        persistent = False

        def open(self, folder, dense, sparse):
            return kind(dense, sparse)

    return Suite()


@pytest.mark.parametrize(
    ("bug", "test"),
    [
        (IgnoresTheUser, "test_written_as_one_read_as_another"),
        (ComparesPrefixes, "test_written_as_one_read_as_another"),
        (ShowsNarrowerScopes, "test_written_as_one_read_as_another"),
        (CountsEverybody, "test_written_as_one_read_as_another"),
        (LeaksVectors, "test_written_as_one_read_as_another"),
        (ForgetsIdf, "test_term_statistics_are_of_the_whole_store"),
        (IdfOfTheFilter, "test_term_statistics_are_of_the_whole_store"),
        (ForgetsTheEnd, "test_searches_equal_the_reference"),
        (ForgetsKinds, "test_searches_equal_the_reference"),
        (MixesBooleansAndNumbers, "test_conditions_equal_the_reference"),
        (TakesBoundsApart, "test_conditions_equal_the_reference"),
        (MergesOnPut, "test_put_replaces_the_whole_point"),
        (TiesByNewest, "test_ties_are_broken_by_id"),
        (SwapsQueries, "test_searches_equal_the_reference"),
        (DeletesNothing, "test_deletes_and_replacements_leave_no_trace"),
        (SamplesTheSame, "test_latest_and_sample"),
        (NormalisesInPlace, "test_inputs_stay_untouched"),
    ],
)
def test_a_planted_bug_is_found(bug, test, tmp_path):
    with pytest.raises((AssertionError, ValueError)):
        getattr(suite_of(bug), test)(tmp_path)


def test_the_reference_itself_is_right_by_hand():
    store = ReferenceStore({}, ["s"])
    for id, terms in ((1, [1, 2]), (2, [2]), (3, [3])):
        store.put([Point(id, Scope("a"), "passage", "h", 0.0, sparse={"s": Sparse(np.array(terms), np.ones(len(terms)))})])
    [found] = store.search_sparse("s", [Sparse(np.array([1, 2]), np.array([2.0, 1.0]))], 9, Filter(Scope("a", "b")))
    one, two = np.log(1 + 2.5 / 1.5), np.log(1 + 1.5 / 2.5)
    assert [id for id, _ in found] == [1, 2]
    assert np.allclose([score for _, score in found], [2 * one + two, two])
