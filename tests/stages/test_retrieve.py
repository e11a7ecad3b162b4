"""What each retriever finds, on the small world of fifteen records."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.kinds import TABLE, kind
from bowerbird.ports import Filter
from bowerbird.roles import Query
from bowerbird.spec import parse
from bowerbird.stages.retrieve.groups import by_filter
from bowerbird.testing.library import RECORDS, World
from bowerbird.types import Record, Scope, Turn, replace

ANN, BOB, ACME = Scope("acme", "ann"), Scope("acme", "bob"), Scope("acme")
BY_ID = {record.id: record for record in RECORDS}


def found(spec: str, turn: Turn, world: World | None = None) -> list[Record]:
    [done] = parse(spec).bind((world or World()).part)([turn])
    return [BY_ID[hit.id] for hit in done.hits]


def keys(spec: str, turn: Turn, world: World | None = None) -> list[str]:
    return [record.key for record in found(spec, turn, world)]


class Recorder:
    """A store that keeps what it was asked."""

    def __init__(self, inner):
        self.inner, self.asked = inner, []

    def __getattr__(self, name):
        def call(*args):
            self.asked.append((name, args))
            return getattr(self.inner, name)(*args)

        return call


def recorded() -> tuple[World, Recorder]:
    world = World()
    world.parts["store"] = store = Recorder(world.store)
    return world, store


@pytest.mark.parametrize("spec", ["dense", "bm25"])
def test_the_best_comes_first_and_ties_by_id(spec):
    first, second, *_ = found(spec, Turn("bowerbird decorates blue things", ACME))
    assert {first.key, second.key} == {"bower", "bower-copy"}
    assert first.id < second.id


@pytest.mark.parametrize("spec", ["dense", "bm25", "recency", "random"])
def test_scope_kinds_conditions_and_moment_hold(spec):
    ask = "my favourite colour bowerbird cat desk"
    assert all(record.scope in (ACME, ANN) for record in found(spec, Turn(ask, ANN)))
    assert {record.key for record in found(spec, Turn(ask, BOB, kinds=("memory",)))} <= {"cat"}
    assert {record.key for record in found(spec, Turn(ask, ACME, where={"lang": "de"}))} <= {"laube"}
    assert "old-desk" not in keys(spec, Turn(ask, ANN))
    assert "old-desk" in keys(spec, Turn(ask, ANN, at=RECORDS[0].created + 10))
    assert {"color-1", "color-2"} <= set(keys(spec, Turn(ask, ANN, stale=True)))
    assert "color-1" not in keys(spec, Turn(ask, ANN))


def test_dense_encodes_distinct_texts_once_and_groups_filters():
    world, store = recorded()
    texts = []
    encoder = world.parts["encoder"]
    encode = encoder.encode
    encoder.encode = lambda batch: texts.append(list(batch)) or encode(batch)
    turns = [Turn("a", ANN, "1"), Turn("b", ANN, "2"), Turn("a", BOB, "3"), Turn("a", ANN, "4")]
    parse("dense").bind(world.part)(turns)
    assert texts == [["a", "b"]]
    assert [(name, args[0], len(args[1])) for name, args in store.asked] == [("search_dense", "hash-64", 3), ("search_dense", "hash-64", 1)]


def test_turns_without_a_moment_share_one_clock():
    world, store = recorded()
    parse("bm25").bind(world.part)([Turn(f"question {i}", ANN, str(i)) for i in range(20)])
    assert len(store.asked) == 1


def test_filters_that_python_calls_equal_are_told_apart():
    made = [Filter(ANN, where={"x": value}) for value in (True, 1, 1.0, "1")]
    queries = [Query("q", filter) for filter in [*made, *made]]
    assert [places for _, places in by_filter(queries)] == [[0, 4], [1, 5], [2, 6], [3, 7]]


def test_instructed_encoders_read_the_query_behind_each_kinds_instruction():
    world = World(instructed=True)
    texts = []
    encoder = world.parts["encoder"]
    encode = encoder.encode
    encoder.encode = lambda batch: texts.extend(batch) or encode(batch)
    dense = parse("dense(k=4)").bind(world.part)
    dense([Turn("blue", ACME, kinds=("passage", "tool"))])
    assert texts == [kind("passage").query_instruction + "blue", kind("tool").query_instruction + "blue"]
    texts.clear()
    [done] = dense([Turn("blue", ACME)])
    assert texts == [row.query_instruction + "blue" for row in TABLE]
    assert len(done.hits) == 4
    assert [hit.score for hit in done.hits] == sorted((hit.score for hit in done.hits), reverse=True)


def test_kinds_without_an_instruction_are_searched_together():
    world = World(instructed=["tool"])
    texts, filters = [], []
    encoder, store = world.parts["encoder"], world.parts["store"]
    encode, search = encoder.encode, store.search_dense
    encoder.encode = lambda batch: texts.extend(batch) or encode(batch)
    store.search_dense = lambda *given: filters.append(given[-1].kinds) or search(*given)
    dense = parse("dense(k=4)").bind(world.part)
    [both, plain] = dense([Turn("blue", ACME), Turn("blue", ACME, kinds=("passage", "example"))])
    assert texts == ["blue", kind("tool").query_instruction + "blue"]
    others = tuple(row.name for row in TABLE if row.name != "tool")
    assert filters == [others, ("tool",), ("passage", "example")]
    assert len(both.hits) == len(plain.hits) == 4
    apart = [hit for names in (others, ("tool",)) for hit in dense([Turn("blue", ACME, kinds=names)])[0].hits]
    assert [hit.id for hit in both.hits] == [hit.id for hit in sorted(apart, key=lambda hit: (-hit.score, hit.id))][:4]


def test_each_searches_every_kind_by_itself():
    kinds = ("passage", "tool", "example")
    together = found("dense(k=2)", Turn("bowerbird bower", ACME, kinds=kinds))
    apart = found("dense(k=2, each=True)", Turn("bowerbird bower", ACME, kinds=kinds))
    assert len(together) == 2
    assert sorted(record.kind for record in apart) == ["example", "example", "passage", "passage", "tool", "tool"]


def test_several_queries_keep_each_records_best_score():
    bm25 = parse("bm25").bind(World().part)
    one, two, both = bm25(
        [Turn("stove", ACME), Turn("warm stove", ACME), Turn("x", ACME, queries=("stove", "warm stove"))],
    )
    scores = [{hit.id: hit.score for hit in turn.hits} for turn in (one, two, both)]
    assert scores[2] == {id: max(scores[0].get(id, 0), scores[1].get(id, 0)) for id in scores[0] | scores[1]}


def test_recency_gives_the_newest_first():
    assert keys("recency(k=3)", Turn("whatever", BOB)) == ["bad", "good", "mail"]


def test_random_depends_on_seed_and_query_and_on_nothing_else():
    draws = {(seed, query): tuple(keys(f"random(k=4, seed={seed})", Turn(query, ACME))) for seed in (1, 2, 3) for query in ("a", "b", "c")}
    assert len(set(draws.values())) == 9
    assert draws[1, "a"] == ("mail", "bad", "stove", "laube") == tuple(keys("random(k=4, seed=1)", Turn("a", ACME)))


def test_random_draws_evenly():
    names = [f"q{i}" for i in range(600)]
    done = parse("random(k=3)").bind(World().part)([Turn(name, ACME, name, at=RECORDS[-1].created + 99) for name in names])
    counts = np.unique([hit.id for turn in done for hit in turn.hits], return_counts=True)[1]
    firsts = np.unique([turn.hits[0].id for turn in done], return_counts=True)[1]
    assert len(counts) == len(firsts) == 10
    assert counts.min() > 130  # 180 expected, standard deviation 11
    assert firsts.min() > 30  # 60 expected, standard deviation 7


def test_keys_are_found_by_name_in_their_order_narrowest_first():
    turn = Turn("whatever", ANN, kinds=("tool",), where={"lang": "xx"}, keys=("cat", "nobody", "bower"))
    assert keys("keys", turn) == ["cat", "bower"]
    assert keys("keys", replace(turn, keys=("bower", "cat", "bower"))) == ["bower", "cat"]
    [done] = parse("keys").bind(World().part)([turn])
    assert [hit.score for hit in done.hits] == [1.0, 1 / 3]
    assert {BY_ID[hit.id].scope for hit in done.hits} == {ANN, ACME}
    assert keys("keys(k=1)", turn) == ["cat"]
    assert keys("keys", Turn("cat", ANN)) == []


def test_none_finds_nothing():
    assert found("none", Turn("bower", ACME)) == []


@pytest.mark.parametrize("spec", ["dense(k=0)", "bm25(k=-1)", "none(k=0)"])
def test_k_must_be_positive(spec):
    with pytest.raises(InvalidInput, match=r"k=-?\d must be at least 1"):
        parse(spec)


def test_an_unknown_kind_is_named():
    with pytest.raises(UnknownName, match="passage"):
        parse("dense").bind(World(instructed=True).part)([Turn("x", ACME, kinds=("pasage",))])
