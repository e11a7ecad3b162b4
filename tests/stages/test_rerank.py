"""What the rerankers do with given hits."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.errors import CapabilityMissing, InvalidInput
from bowerbird.kinds import kind
from bowerbird.spec import parse
from bowerbird.stages.rerank.mmr import MMR, _chosen
from bowerbird.testing.library import RECORDS, World, some_turns
from bowerbird.types import Hit, Record, Scope, Turn

ACME = Scope("acme")
BY_KEY = {record.key: record for record in RECORDS}


def given(*keys: str) -> tuple[Hit, ...]:
    return tuple(Hit(BY_KEY[key].id, 1.0, {"bm25": 1.0}, BY_KEY[key]) for key in keys)


def order(turn: Turn) -> list[str]:
    return [hit.record.key for hit in turn.hits]


def test_cross_encoder_scores_pairs_of_question_and_encoder_text():
    world = World()
    pairs = []
    score = world.parts["scorer"].score
    world.parts["scorer"].score = lambda batch: pairs.extend(batch) or score(batch)
    turns = [
        Turn("warm cat", ACME, "a", hits=given("nest", "stove"), queries=("other words",)),
        Turn("send mail", ACME, "b", hits=given("mail")),
    ]
    one, two = parse("cross_encoder").bind(world.part)(turns)
    assert order(one) == ["stove", "nest"]
    assert one.hits[0].scores == {"bm25": 1.0, "cross_encoder": 1.0}
    assert pairs == [(turn.query, kind(hit.record.kind).encode(hit.record)) for turn in turns for hit in turn.hits]
    assert pairs[-1] == ("send mail", "send mail\nSends a mail to somebody.")
    assert two.hits[0].score == 1.0


def test_hits_that_the_caller_may_not_see_are_dropped():
    [done] = parse("cross_encoder").bind(World().part)(
        [Turn("cat", ACME, hits=(Hit(BY_KEY["cat"].id, 9.0), Hit(12345, 8.0), *given("stove")))]
    )
    assert order(done) == ["stove"]
    assert done.trace[0].info == {"from": 3, "hits": 1}


def test_mmr_moves_a_copy_down():
    hits = given("bower", "bower-copy", "nest", "stove")
    world = World()
    [relevance] = parse("mmr(lam=1.0)").bind(world.part)([Turn("bowerbird decorates its bower", ACME, hits=hits)])
    [mixed] = parse("mmr(lam=0.5)").bind(world.part)([Turn("bowerbird decorates its bower", ACME, hits=hits)])
    assert set(order(relevance)[:2]) == {"bower", "bower-copy"}
    assert order(mixed)[0] == order(relevance)[0]
    assert order(mixed)[-1] in ("bower", "bower-copy")


def test_mmr_is_the_formula():
    """Against the definition, written out."""
    world = World()
    hits = given("bower", "nest", "stove", "laube", "password", "weather")
    [done] = parse("mmr(lam=0.3)").bind(world.part)([Turn("blue bird nest", ACME, hits=hits)])
    encoder = world.parts["encoder"]
    vectors = {hit.id: encoder.encode([kind(hit.record.kind).encode(hit.record)])[0].astype(float) for hit in hits}
    asked = encoder.encode(["blue bird nest"])[0].astype(float)
    chosen: list[int] = []
    while len(chosen) < len(hits):
        values = {
            id: 0.3 * asked @ vector - 0.7 * max([0.0, *(vectors[other] @ vector for other in chosen)])
            for id, vector in vectors.items()
            if id not in chosen
        }
        best = min(values, key=lambda id: (-values[id], id))
        assert done.hits[len(chosen)].id == best
        assert done.hits[len(chosen)].score == pytest.approx(values[best], abs=1e-6)
        chosen.append(best)


def test_mmr_top_is_the_start_of_the_whole():
    turns = some_turns()
    whole = parse("mmr").bind(World().part)(turns)
    part = parse("mmr(top=2)").bind(World().part)(turns)
    for one, other in zip(part, whole, strict=True):
        assert [(hit.id, hit.score) for hit in one.hits] == [(hit.id, hit.score) for hit in other.hits[:2]]


def test_mmr_takes_stored_vectors_and_encodes_the_missing_in_the_same_call():
    world = World()
    texts = []
    encode = world.parts["encoder"].encode
    world.parts["encoder"].encode = lambda batch: texts.append(list(batch)) or encode(batch)
    mmr = parse("mmr").bind(world.part)
    turn = Turn("bird", ACME, hits=given("bower", "stove"))
    [stored] = mmr([turn])
    assert texts == [["bird"]]
    empty = World(records=RECORDS[:1])
    empty.parts["encoder"] = world.parts["encoder"]
    texts.clear()
    [encoded] = parse("mmr").bind(empty.part)([turn])
    assert texts == [["bird", "A cat sleeps on the warm stove."]]
    assert [(hit.id, pytest.approx(hit.score)) for hit in encoded.hits] == [(hit.id, hit.score) for hit in stored.hits]


def test_mmr_scores_never_rise():
    rng = np.random.default_rng(0)
    for _ in range(50):
        keys = rng.normal(size=(12, 5))
        keys /= np.linalg.norm(keys, axis=1, keepdims=True)
        scores = [score for _, score in _chosen(keys, rng.normal(size=12), 0.5, 12)]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("lam", ["1.5", "-0.1"])
def test_lam_lies_between_0_and_1(lam):
    with pytest.raises(InvalidInput, match=f"lam={lam} must lie between 0"):
        parse(f"mmr(lam={lam})")


def test_missing_parts_are_named():
    with pytest.raises(CapabilityMissing, match="cross_encoder needs a cross-encoder"):
        parse("cross_encoder").bind({"store": 1}.get)
    with pytest.raises(CapabilityMissing, match="needs a dense encoder"):
        MMR().bind({"store": 1}.get)
    with pytest.raises(CapabilityMissing, match="no catalog is bound"):
        parse("cross_encoder").bind({"scorer": World().parts["scorer"]}.get)([Turn("x", ACME, hits=(Hit(1, 1.0),))])


def said(session: str, turn: int, score: float, kind: str = "memory", scope: Scope = ACME) -> Hit:
    fields = {"session": session, "turn": turn} if kind == "memory" else {}
    record = Record(f"{scope}/{session}/{turn}/{kind}", kind, "words", fields, scope)
    return Hit(record.id, score, {"bm25": score}, record)


def test_neighbours_pull_a_hit_up_and_none_above_themselves():
    hits = (said("a", 4, 9.0), said("a", 5, 5.0), said("a", 6, 6.0), said("b", 5, 6.5), said("", 0, 1.0, "passage"))
    [done] = parse("neighbours(share=0.5)").bind(World().part)([Turn("cat", ACME, hits=hits)])
    scores = {hit.record.key: hit.score for hit in done.hits}
    # 5 goes half of the way to 9, the better of its two neighbours; 6 has none that is better, nothing stands beside the others
    assert [scores[f"acme/{name}"] for name in ("a/4/memory", "a/5/memory", "a/6/memory", "b/5/memory", "/0/passage")] == [9, 7, 6, 6.5, 1]
    assert next(hit.scores for hit in done.hits if hit.score == 7.0) == {"bm25": 5.0, "neighbours": 7.0}


def test_tools_of_one_server_stand_beside_each_other():
    def served(number, server, score):
        return Hit(number, score, {"bm25": score}, record=Record(f"t{number}", "tool", "x", {"server": server} if server else {}, ACME))

    hits = (served(1, "maps", 9.0), served(2, "mail", 6.0), served(3, "maps", 5.0), served(4, "maps", 1.0), served(5, None, 4.0))
    [done] = parse("neighbours(share=0.5)").bind(World().part)([Turn("cat", ACME, hits=hits)])
    # 3 of 5 hits are of one server: half of 2/5 of the way to its best
    assert {hit.id: hit.score for hit in done.hits} == pytest.approx({1: 9.0, 2: 6.0, 3: 5.8, 4: 2.6, 5: 4.0})
    [alike] = parse("neighbours").bind(World().part)([Turn("cat", ACME, hits=hits[::3])])
    assert [hit.score for hit in alike.hits] == [9.0, 1.0], "a server that all hits are of tells nothing"


def test_neighbours_leave_kinds_without_places_and_other_scopes_alone():
    passages = given("bower", "nest")
    [done] = parse("neighbours").bind(World().part)([Turn("cat", ACME, hits=passages)])
    assert sorted(done.hits, key=lambda hit: hit.id) == sorted(passages, key=lambda hit: hit.id)  # not even a score of its own
    other = Scope("acme", "ann")
    [done] = parse("neighbours").bind(World().part)([Turn("cat", other, hits=(said("a", 4, 9.0, scope=other), said("a", 5, 5.0)))])
    assert [hit.score for hit in done.hits] == [9.0, 5.0]
    with pytest.raises(InvalidInput, match="share=2"):
        parse("neighbours(share=2)")
