"""Every stage of the tables, and pipelines of them, pass the shipped suite."""

from __future__ import annotations

import pytest

from bowerbird import table
from bowerbird.flow import leaves
from bowerbird.spec import parse
from bowerbird.testing.library import World
from bowerbird.testing.stage_suite import StageSuite

SPECS = [
    "dense",
    "dense(k=2)",
    "dense(k=2, each=True)",
    "bm25",
    "bm25(k=3)",
    "recency(k=4)",
    "random(k=3, seed=7)",
    "none",
    "keys",
    "cross_encoder",
    "cross_encoder(top=2)",
    "feature_ranker",
    "neighbours",
    "neighbours(top=2, share=1.0)",
    "mmr",
    "mmr(top=2, lam=0.3)",
    "always",
    "never",
    "small_talk",
    "rrf(bm25, dense)",
    "dbsf(bm25, dense, recency)",
    "weighted(bm25, dense, weights=(1.0, 0.5))",
    "small_talk >> rrf(bm25(k=5), dense(k=5), top=4) >> cross_encoder(top=3) >> mmr",
    "branch(small_talk, rrf(keys, branch(always, bm25, none)), none)",
    "loop(bm25(k=3) >> mmr(top=2), times=3, until=never)",
    "rrf(bm25, dense) >> cutoff(dense=0.2) >> budget(tokens=120) >> extractive >> citations",
    "small_talk >> bm25 >> budget(tokens=120) >> llm >> citations",
    "rrf(loop(dense(k=2), until=always), bm25 >> mmr, dense >> mmr)",
]


LEARNT = {"router": "test_router_stage.py", "error_memory": "test_error_memory.py", "learned_gate": "../learn/test_trainer_gate.py"}
"""Stages that need a component: each has its suite in that file."""


class TestSpecs(StageSuite):
    @pytest.fixture(params=SPECS, autouse=True)
    def _spec(self, request):
        self.spec = request.param

    def make_stage(self):
        return parse(self.spec)


class TestInstructedDense(StageSuite):
    def make_stage(self):
        return parse("dense(k=4) >> mmr(top=3)")

    def world(self, shuffle=None):
        return World(shuffle=shuffle, instructed=True)


def test_every_method_of_these_roles_is_covered():
    covered = {leaf.name for spec in SPECS for leaf in leaves(parse(spec))} | LEARNT.keys()
    mine = {name for name, (target, _) in table.names("stages").items() if target.split(".")[2] in ("retrieve", "fuse", "rerank", "gate")}
    assert mine <= covered
