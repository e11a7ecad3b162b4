"""`cutoff`: what neither encoder nor words support goes; what was not searched by content stays."""

from __future__ import annotations

import pytest

from bowerbird.errors import InvalidInput
from bowerbird.stages.refine.cutoff import Cutoff
from bowerbird.testing.library import some_turns
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Hit, Record, Scope, Turn, replace

ACME = Scope("acme")
FIGS = Record("figs", "passage", "Bowerbirds eat figs.", {"title": "Food"}, ACME)


class TestCutoff(StageSuite):
    def make_stage(self):
        return Cutoff(dense=0.34, words=0.5)

    def turns(self):
        turns = some_turns()
        return [replace(turn, hits=tuple(replace(hit, scores={"dense": hit.score}) for hit in turn.hits)) for turn in turns]


def kept(query: str, scores: dict[str, float], record: Record = FIGS, queries: tuple[str, ...] = (), **settings) -> bool:
    return bool(Cutoff(**settings)([Turn(query, ACME, hits=(Hit(record.id, 1.0, scores, record),), queries=queries)])[0].hits)


@pytest.mark.parametrize(
    ("query", "scores", "stays"),
    [
        ("banking fees", {"dense": 0.31}, True),
        ("banking fees", {"dense": 0.29}, False),
        ("banking fees", {"dense": 0.1, "dense#2": 0.5}, True),
        ("banking fees", {"bm25": 30.0, "rrf": 0.03}, False),
        ("bowerbird figs", {"bm25": 2.0}, True),
        ("what do bowerbirds eat", {"bm25": 2.0}, True),
        ("what do penguins eat at night", {"bm25": 2.0}, False),
        ("food", {"bm25": 2.0}, True),  # the title says so
        ("banking fees", {"keys": 1.0, "dense": 0.0}, True),
        ("banking fees", {"recency": 5.0}, True),
        ("banking fees", {}, True),
    ],
)
def test_what_stays(query, scores, stays):
    assert kept(query, scores) is stays


def test_rewritten_queries_count():
    assert not kept("banking fees", {"bm25": 1.0})
    assert kept("banking fees", {"bm25": 1.0}, queries=("bowerbird figs",))


def test_thresholds_are_settings():
    assert kept("banking fees", {"dense": 0.2}, dense=0.2)
    assert not kept("bowerbird wings", {"bm25": 1.0})
    assert kept("bowerbird wings", {"bm25": 1.0}, words=0.5)
    for settings in ({"dense": 2.0}, {"words": -0.5}, {"words": float("nan")}):
        with pytest.raises(InvalidInput):
            Cutoff(**settings)
