"""Fusers against values worked out by hand, and laws that hold for any lists."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput
from bowerbird.spec import parse
from bowerbird.stages.fuse.dbsf import DBSF
from bowerbird.stages.fuse.rrf import RRF
from bowerbird.stages.fuse.weighted import Weighted

FUSERS = [RRF(), DBSF(), Weighted(), RRF(k=0)]
scores = st.floats(-1e9, 1e9, allow_nan=False)
lists = st.lists(
    st.dictionaries(st.integers(1, 30), scores, max_size=12).map(lambda d: sorted(d.items(), key=lambda pair: (-pair[1], pair[0]))),
    max_size=4,
)


def test_rrf_by_hand():
    fused = RRF().fuse([[(7, 12.0), (8, 3.0)], [(8, 0.9), (9, 0.1)]])
    assert fused == pytest.approx({7: 1 / 61, 8: 1 / 62 + 1 / 61, 9: 1 / 62})
    assert RRF(k=0).fuse([[(7, 1.0), (8, 0.5)]]) == {7: 1.0, 8: 0.5}


def test_dbsf_by_hand():
    # mean 2, sample sigma 1: 2 +- 3 becomes 0 and 1
    assert DBSF().fuse([[(1, 3.0), (2, 2.0), (3, 1.0)]]) == pytest.approx({1: 4 / 6, 2: 3 / 6, 3: 2 / 6})
    assert DBSF().fuse([[(1, 5.0)], [(2, 2.0)], []]) == {1: 0.5, 2: 0.5}
    # a list shorter than another goes on with zeros: 5 and 0 have the mean 2.5 and the sigma 2.5 * sqrt(2)
    assert DBSF().fuse([[(1, 5.0)], [(1, 2.0), (2, 2.0)]]) == pytest.approx({1: 1 + 1 / (6 * math.sqrt(2)), 2: 0.5})
    assert DBSF().fuse([[(1, -5.0)], [(1, 2.0), (2, 2.0)]]) == {1: 1.0, 2: 0.5}
    # an outlier may go beyond 1: that needs many others
    fused = DBSF().fuse([[(99, 1000.0), *((id, 0.0) for id in range(1, 30))]])
    assert fused[99] > 1.0


def test_dbsf_lets_the_only_record_that_names_something_win():
    """One lexical hit against a list of twenty that all mean much the same."""
    dense = [(id, 0.40 - 0.005 * id) for id in range(1, 21)]
    for found in (7, 99):  # among the twenty, and not among them
        fused = DBSF().fuse([[(found, 11.0)], dense])
        assert max(fused, key=lambda id: fused[id]) == found


def test_weighted_by_hand():
    lists = [[(1, 30.0), (2, 20.0), (3, 10.0)], [(3, 0.9), (1, 0.5)]]
    assert Weighted().fuse(lists) == {1: 1.0, 2: 0.5, 3: 1.0}
    assert Weighted(weights=(2.0, 0.5)).fuse(lists) == {1: 2.0, 2: 1.0, 3: 0.5}
    assert Weighted().fuse([[(1, 4.0), (2, 4.0)], []]) == {1: 1.0, 2: 1.0}


@pytest.mark.parametrize("fuser", FUSERS, ids=str)
@given(lists=lists)
def test_every_record_counts_once_and_scores_are_finite(fuser, lists):
    fused = fuser.fuse(lists)
    assert set(fused) == {id for pairs in lists for id, _ in pairs}
    assert all(math.isfinite(score) for score in fused.values())


@pytest.mark.parametrize("fuser", FUSERS, ids=str)
@given(lists=lists)
def test_the_order_of_the_arms_changes_nothing(fuser, lists):
    assert fuser.fuse(lists) == fuser.fuse(lists[::-1])


@pytest.mark.parametrize("fuser", [DBSF(), Weighted()], ids=str)
@given(pairs=lists.filter(bool).map(lambda made: made[0]), factor=st.sampled_from([0.25, 4.0, 1024.0]), shift=st.integers(-1000, 1000))
def test_scale_and_origin_of_a_list_do_not_matter(fuser, pairs, factor, shift):
    pairs = [(id, float(round(score))) for id, score in pairs]
    moved = [(id, score * factor + shift) for id, score in pairs]
    assert fuser.fuse([moved]) == pytest.approx(fuser.fuse([pairs]), abs=1e-6)


@pytest.mark.parametrize("fuser", FUSERS, ids=str)
@given(pairs=lists.filter(bool).map(lambda made: made[0]))
def test_one_list_keeps_its_order(fuser, pairs):
    fused = fuser.fuse([pairs])
    values = [fused[id] for id, _ in pairs]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("rrf", "rrf needs stages to merge, as in rrf"),
        ("rrf(bm25, dense, k=-1)", "k=-1 must be at least 0"),
        ("dbsf(bm25, dense, top=-2)", "top=-2 must be at least 1, or 0"),
        ("weighted(bm25, dense, weights=(1, 2, 3))", "3 weights .* for 2 stages"),
        ("weighted(bm25, dense, weights=(1, -2))", "-2 is none"),
        ("weighted(bm25, dense, weights=('a', 2))", "'a' is none"),
        ("weighted(bm25, dense, weights=3)", "takes tuple"),
    ],
)
def test_bad_settings(spec, said):
    with pytest.raises(InvalidInput, match=said):
        parse(spec)


def test_a_fuser_alone_says_what_it_needs():
    with pytest.raises(InvalidInput, match=r"write rrf\(bm25, dense\)"):
        RRF()([object()])
