"""The feature ranker: its features, its component, the stage, and the trainer that finds what decides."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bowerbird import Engine
from bowerbird.components.ranker import FeatureRanker
from bowerbird.errors import InvalidInput
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.trainer import Only, Setting, TooLittle
from bowerbird.learn.trainers.ranker import RankerTrainer, judged
from bowerbird.spec import parse
from bowerbird.stages.rerank.feature_ranker import Seen, features
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.library import RECORDS, World, some_turns
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Hit, Record, Scope, Turn

pytest.importorskip("torch")


def made(encoder: str = "", stages: tuple[str, ...] = ("found",), kinds: tuple[str, ...] = ("passage", "memory")) -> FeatureRanker:
    rng, wide = np.random.default_rng(0), 4 * len(stages) + 3 + len(kinds)
    return FeatureRanker(
        encoder, stages, kinds, rng.normal(size=wide), np.ones(wide), rng.normal(size=(wide, 5)), rng.normal(size=5), rng.normal(size=5)
    )


class TestRanked(StageSuite):
    def make_stage(self):
        return parse("feature_ranker(top=3)")

    def world(self, shuffle=None):
        world = World(shuffle=shuffle)
        world.parts["trained"] = Only("ranker", made(HashEncoder().id))
        return world


def test_features_are_what_the_docstring_says() -> None:
    seen = [
        Seen("passage", "blue bird", {"bm25": 4.0, "dense": 0.2}),
        Seen("memory", "a cat", {"bm25": 1.0}),
        Seen("memory", "the birds", {"bm25": 2.0}),
    ]
    found = features("blue birds", seen, ["bm25", "dense", "recency"], ["memory", "passage"])
    assert found.shape == (3, 4 * 3 + 3 + 2)
    assert found[:, :4].tolist() == [[4.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1 / 3, 1.0], [2.0, pytest.approx(1 / 3), 0.5, 1.0]]
    assert found[:, 4:8].tolist() == [[0.2, 0.0, 1.0, 1.0], [0.2, 0.0, 0.0, 0.0], [0.2, 0.0, 0.0, 0.0]]
    assert not found[:, 8:12].any()
    assert found[:, 12:14].tolist() == [[1.0, 1.0], [0.0, 0.0], [0.5, 1.0]]
    assert found[:, 15:].tolist() == [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]
    assert features("blue birds", seen[::-1], ["bm25", "dense", "recency"], ["memory", "passage"]).tolist() == found[::-1].tolist()
    assert features("x", [], ["bm25"], []).shape == (0, 7)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    ranker, x = made(), np.random.default_rng(1).normal(size=(3, 9))
    ranker.save(tmp_path)
    again = FeatureRanker.load(tmp_path)
    assert (again.encoder, again.stages, again.kinds) == ("", ("found",), ("passage", "memory"))
    assert (again.score(x) == ranker.score(x)).all()
    assert ranker.score(x[1:2])[0] == ranker.score(x)[1]
    with pytest.raises(InvalidInput, match="reads 9 features"):
        ranker.score(x[:, 1:])
    earlier = {"stages": ["found"], "kinds": ["passage", "memory"]}  # kept no encoder: no encoder is taken for its own
    (tmp_path / "settings.json").write_text(json.dumps(earlier))
    assert FeatureRanker.load(tmp_path).encoder == ""
    (tmp_path / "settings.json").write_text("{}")
    with pytest.raises(InvalidInput, match="'stages' is missing"):
        FeatureRanker.load(tmp_path)


def test_without_a_ranker_order_and_scores_stay_and_it_is_said() -> None:
    record = RECORDS[0]
    hits = (Hit(record.id, 2.0, {"bm25": 2.0}, record), Hit(RECORDS[3].id, 1.0, {"bm25": 1.0}, RECORDS[3]))
    [done] = parse("feature_ranker").bind(World().part)([Turn("bird", Scope("acme"), hits=hits)])
    assert done.hits == hits
    assert dict(done.trace[0].info) == {"from": 2, "hits": 2, "skipped": "no ranker serves this scope"}
    turns = some_turns()
    for turn, plain in zip(parse("feature_ranker(top=1)").bind(World().part)(turns), turns, strict=True):
        assert len(turn.hits) == min(1, len(plain.hits))


SCORES: dict[str, dict[str, dict[str, float]]] = {}  # query -> key -> what stages say of it


def groups(n: int = 200, seed: int = 0) -> list[Group]:
    """What helps stands high by `good`; `loud` is high for what does not, and larger. Half of what was not shown would have helped."""
    draw, found = random.Random(seed), []
    for i in range(n):
        right, query = draw.randrange(6), f"query {i} of {seed}"
        candidates, said = [], SCORES.setdefault(query, {})
        for place in range(6):
            said[str(place)] = {"good": draw.gauss(2.0 if place == right else 0.0, 0.4), "loud": 50 * draw.random() * (place != right)}
            candidates.append(Candidate(str(place), f"text {place}", float(place == right), shown=place))
        said["unseen"] = {"good": draw.gauss(2.0, 0.4), "loud": 0.0}
        found.append(Group(query, "passage", "ledger", tuple(candidates), scope="acme"))
    return found


class Searched:
    """A bower whose searches give what `SCORES` holds."""

    def run(self, turns, spec, *, trained=None, records=False):
        records = {key: Record(key, "passage", f"text {key}") for key in [*map(str, range(6)), "unseen"]}
        hits = [tuple(Hit(records[key].id, said["good"], said, records[key]) for key, said in SCORES[turn.query].items()) for turn in turns]
        return [replace(turn, hits=found) for turn, found in zip(turns, hits, strict=True)]


def setting(**options) -> Setting:
    return Setting(Searched(), None, options=options)  # type: ignore[arg-type]


def test_it_finds_the_stage_that_is_right() -> None:
    fit = RankerTrainer().fit(groups(), groups(40, 1), setting())
    assert fit.curve[0]["dev"] < 0.95 < 0.98 < max(row["dev"] for row in fit.curve)
    right = 0
    for group in groups(50, 2):
        seen = [Seen(group.kind, c.text, SCORES[group.query][c.key]) for c in group.candidates]
        best = int(fit.component.score(features(group.query, seen, fit.component.stages, fit.component.kinds)).argmax())
        right += group.candidates[best].label > 0
    assert right >= 45
    assert fit.component.stages == ("good", "loud")


def test_what_was_never_shown_is_unknown() -> None:
    (group,) = groups(1)
    more = replace(group, candidates=(*group.candidates, Candidate("unseen", "text")))
    assert [c.key for c in judged(more)] == ["0", "1", "2", "3", "4", "5"]
    task = Group("q", "tool", "metatool", (Candidate("a", "x", 1.0), Candidate("b", "y")))
    assert judged(task) == task.candidates


def test_same_groups_and_seed_same_numbers_whatever_their_order() -> None:
    one = RankerTrainer().fit(groups(60), (), setting(steps=100))
    two = RankerTrainer().fit(groups(60)[::-1], (), setting(steps=100))
    assert one.curve == two.curve
    assert (one.component.into == two.component.into).all()


def test_what_stages_say_now_counts_and_not_what_they_said_when_served_or_mined() -> None:
    plain = groups(60)
    told = [replace(g, candidates=tuple(replace(c, scores={"dense": 1.0 - c.label}) for c in g.candidates)) for g in plain]
    mined = [replace(g, candidates=(*g.candidates, Candidate("mined", "not found", scores={"dense": 9.0}))) for g in told]
    one, two = (RankerTrainer().fit(of, (), setting(steps=100)) for of in (plain, mined))
    assert one.component.stages == two.component.stages == ("good", "loud")
    assert one.curve == two.curve
    assert (one.component.into == two.component.into).all()


def test_every_query_is_searched_anew(bird: Engine) -> None:
    colours = ["red", "green", "blue", "grey", "black", "white"]
    bird.add([{"key": colour, "kind": "passage", "text": f"A bower of {colour} things."} for colour in colours])
    asked = [
        Group(f"{pad} {colour} things", "passage", "made", (Candidate(colour, "", 1.0), Candidate("gone", "", 1.0)), scope="acme/ann")
        for colour in colours
        for pad in ("many", "some", "few", "no", "odd", "old")
    ]
    given = Setting(bird, bird.encoder, options={"steps": 100})
    trainer = RankerTrainer()
    fit = trainer.fit(asked, asked[::6], given)
    assert fit.component.stages == ("bm25", "dbsf", "dense")
    assert bird.encoder is not None
    assert fit.component.encoder == bird.encoder.id
    scores = trainer.scores(asked, fit.component, given)["passage"]
    assert sum(scores.values()) / len(scores) == pytest.approx(1 / (1 + 1 / np.log2(3)), abs=0.01)  # the first of two, one of them gone


def test_a_ranker_of_another_encoders_scores_is_left_out_and_it_is_said() -> None:
    record, world = RECORDS[0], World()
    hits = (Hit(record.id, 2.0, {"found": 2.0}, record), Hit(RECORDS[3].id, 1.0, {"found": 1.0}, RECORDS[3]))
    turn = Turn("bird", Scope("acme"), hits=hits)
    world.parts["trained"] = Only("ranker", made(HashEncoder().id))
    [ranked] = parse("feature_ranker").bind(world.part)([turn])
    assert "feature_ranker" in ranked.hits[0].scores
    world.parts["trained"] = Only("ranker", made("another"))
    [left] = parse("feature_ranker").bind(world.part)([turn])
    assert left.hits == hits
    assert left.trace[0].info["skipped"] == f"the ranker is for another, the encoder is {HashEncoder().id}: fit it anew"


def test_too_little_is_said() -> None:
    with pytest.raises(TooLittle, match="finds something that helps"):
        RankerTrainer().fit(groups(20), (), setting())
