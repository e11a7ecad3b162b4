"""Error memory: complaints change the very next answer, one slip does not, unrelated questions do not, and nobody hears of another's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from bowerbird import Engine
from bowerbird.errors import InvalidInput
from bowerbird.ledger.lessons import Lessons
from bowerbird.spec import parse
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Scope, Turn

ANN = Scope("acme", "ann")
SPEC = "bm25 >> error_memory >> budget"
TEXTS = {
    "old": "The boiler code is 1234, the boiler code, said the boiler note.",
    "new": "The boiler code is 5678.",
    "car": "The car is parked in the yard.",
    "tea": "Green tea is in the upper cupboard.",
}


@pytest.fixture
def stocked(bird: Engine) -> Engine:
    bird.add([{"key": key, "kind": "passage", "text": text} for key, text in TEXTS.items()])
    return bird


def order(bird: Engine, query: str, spec: str = SPEC) -> Sequence[str]:
    return [hit.record.key for hit in bird.augment(query, spec=spec).hits if hit.record]


def complain(bird: Engine, times: int, value: float = -1.0, query: str = "what is the boiler code", key: str = "old") -> None:
    for _ in range(times):
        bird.feedback(bird.augment(query, spec="bm25 >> budget"), value, keys=key)


def test_complaints_change_the_next_answer_and_one_slip_does_not(stocked: Engine) -> None:
    assert order(stocked, "what is the boiler code") == ["old", "new"]
    complain(stocked, 1)
    assert order(stocked, "what is the boiler code") == ["old", "new"], "a clear winner stands one complaint"
    complain(stocked, 9)
    assert order(stocked, "What is the  boiler code")[0] == "new"
    complain(stocked, 20, 1.0)
    assert order(stocked, "what is the boiler code") == ["old", "new"], "praise brings it back"


def test_what_was_always_complained_of_falls_out(stocked: Engine) -> None:
    complain(stocked, 12)
    turn = stocked.augment("what is the boiler code", spec=SPEC)
    assert [hit.record.key for hit in turn.hits if hit.record] == ["new"]
    step = next(step for step in turn.trace if step.stage == "error_memory")
    assert step.info["dropped"] == 1
    assert order(stocked, "what is the boiler code", "bm25 >> error_memory(drop=1.0) >> budget") == ["new", "old"]


def test_unrelated_questions_do_not_change(stocked: Engine) -> None:
    before = {query: order(stocked, query) for query in ("where is the car", "green tea please", "the boiler of the yard")}
    complain(stocked, 12)
    assert {query: order(stocked, query) for query in before} == before


def test_pairs_and_thumbs_for_the_whole_turn_count(stocked: Engine) -> None:
    for _ in range(4):
        turn = stocked.augment("what is the boiler code", spec="bm25 >> budget")
        stocked.feedback(turn, ("new", "old"))
    assert order(stocked, "what is the boiler code")[0] == "new"
    for _ in range(10):
        stocked.feedback(stocked.augment("green tea please", spec="bm25 >> budget"), -1)
    assert order(stocked, "green tea please", "bm25 >> error_memory(drop=0.0) >> budget") == []


def test_nobody_hears_of_anothers_complaints(stocked: Engine) -> None:
    complain(stocked, 12)
    shared = [{"key": key, "kind": "passage", "text": text} for key, text in TEXTS.items()]
    stocked.add(shared, scope="acme/bob")
    found = stocked.augment("what is the boiler code", spec=SPEC, scope="acme/bob")
    assert [hit.record.key for hit in found.hits if hit.record] == ["old", "new"]
    lessons = Lessons(stocked.ledger)
    assert len(lessons.of(ANN)) == 1
    assert lessons.of(Scope("acme", "bob")) == lessons.of(Scope("acme")) == []


def test_lessons_keep_in_step_and_are_read_once(stocked: Engine) -> None:
    lessons = Lessons(stocked.ledger)
    assert lessons.of(ANN) == []
    complain(stocked, 2)
    (lesson,) = lessons.of(ANN)
    assert [value for value in lesson.values.values()] == [(-2.0, 2.0)]
    complain(stocked, 1, 0.5)
    assert [value for value in lessons.of(ANN)[0].values.values()] == [(-1.5, 3.0)]
    assert lessons.of(ANN) == Lessons(stocked.ledger).of(ANN)


def test_an_outcome_that_comes_while_lessons_are_read_counts_once(stocked: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    lessons = Lessons(stocked.ledger)
    complain(stocked, 2)
    newest, outcomes = stocked.ledger.since(0, ANN)
    with monkeypatch.context() as patched:
        patched.setattr(stocked.ledger, "since", lambda after, scope: (newest - 1, outcomes - 1))  # asked before the last one came
        lessons.of(ANN)
    assert lessons.of(ANN) == Lessons(stocked.ledger).of(ANN)


def test_lessons_are_not_read_again_for_turns_alone(stocked: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    lessons = Lessons(stocked.ledger)
    complain(stocked, 1)
    known = lessons.of(ANN)
    order(stocked, "tea", "bm25 >> budget")
    monkeypatch.setattr(stocked.ledger, "events", None)
    assert lessons.of(ANN) == known


def test_similar_questions_learn_as_far_as_they_are_near(stocked: Engine) -> None:
    complain(stocked, 12)
    assert order(stocked, "what is the boiler code now", "bm25 >> error_memory(near=0.5) >> budget")[0] == "new"
    assert order(stocked, "what is the boiler code now", "bm25 >> error_memory(near=0.999) >> budget")[0] == "old"


def test_what_was_said_of_another_version_of_a_record_is_not_held_against_it(stocked: Engine) -> None:
    complain(stocked, 12)
    assert order(stocked, "what is the boiler code") == ["new"]
    stocked.add([{"key": "old", "kind": "passage", "text": "The boiler code, the boiler code, is 5678 now, said the boiler note."}])
    turn = stocked.augment("what is the boiler code", spec=SPEC)
    assert [hit.record.key for hit in turn.hits if hit.record] == ["old", "new"]
    assert all("error_memory" not in hit.scores for hit in turn.hits)
    complain(stocked, 12)
    assert order(stocked, "what is the boiler code") == ["new"], "what is said of the new one is heard"


class Counting(HashEncoder):
    """Notes what it encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[str]] = []

    def encode(self, texts: Sequence[str]) -> Any:
        self.calls.append(list(texts))
        return super().encode(texts)


def test_only_queries_of_lessons_that_name_a_hit_are_encoded_the_newest_first_and_once(
    stocked: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        complain(stocked, 1, query=f"boiler code {number}")
        complain(stocked, 1, query=f"green tea {number}", key="tea")
    monkeypatch.setattr("bowerbird.stages.rerank.error_memory._COMPARED", 4)
    encoder = Counting()
    stage = parse("error_memory").bind({"encoder": encoder, "lessons": Lessons(stocked.ledger), "library": stocked.catalog}.get)
    found = stocked.run([Turn(query, ANN) for query in ("boiler code 0", "the boiler code, 5")], "bm25", records=True)
    before = stage(found)
    assert encoder.calls == [[turn.query for turn in found], [f"boiler code {number}" for number in (2, 3, 4, 5)]]
    assert stage(found[:1])[0].hits == before[0].hits, "alone as in a batch"
    assert encoder.calls[2:] == [["boiler code 0"]]
    assert "error_memory" in before[0].hits[0].scores, "the very query is known without its vector"


def test_lessons_that_were_not_spoken_of_for_longest_are_forgotten(stocked: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bowerbird.ledger.lessons._MOST", 2)
    lessons = Lessons(stocked.ledger)
    for query in ("boiler code 1", "boiler code 2", "boiler code 1", "boiler code 3"):
        complain(stocked, 1, query=query)
        lessons.vectors(ANN, [lesson.query for lesson in lessons.of(ANN)], "e", lambda texts: np.ones((len(texts), 2), np.float32))
    assert [lesson.query for lesson in lessons.of(ANN)] == ["boiler code 1", "boiler code 3"]
    assert lessons.of(ANN) == Lessons(stocked.ledger).of(ANN)
    (named,) = {named for lesson in lessons.of(ANN) for named in lesson.values}
    assert lessons.of(ANN, [named]) == lessons.of(ANN)
    assert lessons.of(ANN, [(named[0], named[1] + 1)]) == []


def test_many_lessons_are_read_with_few_statements(stocked: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        complain(stocked, 1, query=f"boiler code {number}")
    asked: list[int] = []
    whole = stocked.ledger.turns
    monkeypatch.setattr(stocked.ledger, "turns", lambda ids, scope: asked.append(len(ids)) or whole(ids, scope))
    assert len(Lessons(stocked.ledger).of(ANN)) == 20
    assert asked == [20]


def test_settings_are_checked() -> None:
    with pytest.raises(InvalidInput, match="doubt=-1"):
        parse("error_memory(doubt=-1.0)")


class TestErrorMemory(StageSuite):
    def make_stage(self):
        return parse("bm25 >> error_memory(top=3)")
