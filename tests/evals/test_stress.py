"""Stress tests on a sound pipeline and on pipelines that are bad in one way each: every test can fail."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bowerbird import Engine, open
from bowerbird.errors import InvalidInput, LLMError, NotFound, UnknownName
from bowerbird.evals.fence import FORGERIES, fence_of, forgery, holds
from bowerbird.evals.hardships import TESTS
from bowerbird.evals.probes import echo, far, near, probes, says
from bowerbird.evals.stress import Stress, stress
from bowerbird.evals.trial import wilson
from bowerbird.ports import LLM, Prompt
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.llms import ScriptedLLM
from bowerbird.types import Block, Scope, Turn, replace

FIND = "rrf(bm25(k=10), dense(k=10)) >> budget(tokens=1500)"
ASK = f"{FIND} >> llm"
QUESTIONS = 4


def reading(prompt: Prompt) -> str:
    """A reader that finds the sentence about the question's place and reads the value out."""
    text, _, query = prompt.messages[-1].content.rpartition("\n\n")
    relation, place = query.removeprefix("What is the ").rstrip("?").split(" of the ")
    for line in text.replace(". ", ".\n").splitlines():
        if place in line and relation in line and "asked" not in line:
            return line
    return "I do not know."


def obeying(prompt: Prompt) -> str:
    """A reader that does as any record tells it."""
    text = prompt.messages[-1].content
    return "Zanzolimbra" if "Zanzolimbra" in text else reading(prompt)


def hasty(prompt: Prompt) -> str:
    """A reader that reads no further than the first record."""
    text = prompt.messages[-1].content
    return reading(Prompt((replace(prompt.messages[-1], content=f"{text.splitlines()[1]}\n\n{text.splitlines()[-1]}"),)))


class Bent:
    """An engine whose turns come out changed: a pipeline that is bad in one way."""

    def __init__(
        self, engine: Engine, out: Callable[[Turn], Turn] = lambda turn: turn, into: Callable[[Turn], Turn] = lambda turn: turn
    ) -> None:
        self.engine, self.out, self.into = engine, out, into

    @property
    def llm(self) -> LLM | None:
        return self.engine.llm

    def add(self, thing: Any, *, scope: Scope | str | None = None) -> object:
        return self.engine.add(thing, scope=scope)

    def run(self, turns: Sequence[Turn], spec: str) -> Sequence[Turn]:
        return [self.out(turn) for turn in self.engine.run([self.into(turn) for turn in turns], spec)]


@pytest.fixture
def bower(tmp_path: Path) -> Iterator[Callable[[ScriptedLLM | None], Engine]]:
    """Makes bowers with the reader that is asked for; in memory where that can be, for most of the time is waiting for the disk."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory)) if os.access(memory, os.W_OK) else tmp_path
    made: list[Engine] = []

    def make(llm: ScriptedLLM | None = None) -> Engine:
        made.append(open(folder / f"bower-{len(made)}", encoder=HashEncoder(512), llm=llm))
        return made[-1]

    yield make
    for engine in made:
        engine.close()
    shutil.rmtree(folder)


Bower = Callable[..., Engine]


def values(result: Stress, measure: str) -> dict[str, float]:
    return {row.condition: row.value for row in result.rows if row.measure == measure}


def bodies(change: Callable[[Block], str]) -> Callable[[Turn], Turn]:
    """Contexts whose blocks are rendered anew."""

    def bend(turn: Turn) -> Turn:
        if turn.context is None:
            return turn
        return replace(turn, context=replace(turn.context, prefix="", body="\n".join(map(change, turn.context.blocks))))

    return bend


# --- the sound one ----------------------------------------------------------------------------------------------------


def test_a_sound_pipeline_stands_and_every_row_is_a_number(bower: Bower) -> None:
    result = stress(bower(ScriptedLLM(reading)), ASK, tests=("conflict", "injection", "order", "stale"), questions=QUESTIONS)
    assert result.broken == ()
    assert {row.test for row in result.rows} == {"conflict", "injection", "order", "stale"}
    assert all(0 <= row.low <= row.value <= row.high <= 1 and row.n >= QUESTIONS for row in result.rows)
    assert values(result, "obeyed")["a plain order"] == 0.0
    assert values(result, "same answer")["any two orders of the context"] == 1.0
    assert result.left == ()
    assert result.llm == "scripted"


def test_without_a_model_what_needs_one_is_left_out_with_the_reason(bower: Bower) -> None:
    result = stress(bower(), ASK, tests=("position", "injection"), questions=2)
    assert {row.measure for row in result.rows} == {"found", "shown", "frame holds"}
    assert any("llm needs a language model, and there is none" in left for left in result.left)
    searched = stress(bower(), "bm25", tests=("stale",), questions=2)
    assert any("default composer" in left for left in searched.left)
    assert values(searched, "current shown")["ended"] == 1.0


def test_a_model_that_fails_gives_no_wrong_answers(bower: Bower) -> None:
    result = stress(bower(ScriptedLLM(reading, fail=LLMError("gone"))), ASK, tests=("conflict",), questions=2)
    assert {row.measure for row in result.rows} == {"found", "shown"}
    assert any("the model failed" in left for left in result.left)


# --- each test can fail -----------------------------------------------------------------------------------------------


def test_position_a_reader_of_the_first_record_alone(bower: Bower) -> None:
    got = values(stress(bower(ScriptedLLM(hasty)), ASK, tests=("position",), questions=2), "answered")
    assert got["record 1 of 10"] == 1.0
    assert got["record 3 of 10"] == got["record 10 of 10"] == 0.0


def test_position_a_pipeline_that_shows_the_beginnings_of_records(bower: Bower) -> None:
    got = values(stress(Bent(bower(), bodies(lambda block: block.text[:300])), FIND, tests=("position",), questions=2), "shown")
    assert got["in a long record, at 0%"] == 1.0
    assert got["in a long record, at 100%"] == 0.0


def test_distractors_a_pipeline_that_picks_at_random(bower: Bower) -> None:
    good = values(stress(bower(), FIND, tests=("distractors",), questions=2), "found")
    bad = values(stress(bower(), "random(k=5) >> budget", tests=("distractors",), questions=2), "found")
    assert good["1000 about other things"] == good["30 alike in form, a question"] == 1.0
    assert bad["1000 about other things"] == 0.0


def test_conflict_a_reader_that_believes_the_majority(bower: Bower) -> None:
    def majority(prompt: Prompt) -> str:
        place = prompt.messages[-1].content.rpartition("\n\n")[2].rstrip("?").split(" of the ")[1]
        said = [line for line in prompt.messages[-1].content.splitlines() if place in line and "?" not in line]
        right = [line for line in said if line.startswith("The ")]
        return right[0] if len(said) < 3 else next(line for line in said if line not in right)

    result = stress(bower(ScriptedLLM(majority)), ASK, tests=("conflict",), questions=2)
    assert values(result, "misled")["0 against one"] == 0.0
    assert values(result, "misled")["4 against one"] == 1.0
    assert values(result, "answered")["4 against one"] == 0.0


def test_order_a_pipeline_that_depends_on_the_batch(bower: Bower) -> None:
    count = iter(range(10_000))
    result = stress(
        Bent(bower(), lambda turn: replace(turn, hits=turn.hits[next(count) % 2 :])), FIND, tests=("order",), questions=QUESTIONS
    )
    assert [row.broken for row in result.rows if row.measure == "same context"] == [True]
    assert result.examples


def test_order_a_reader_that_repeats_the_first_record(bower: Bower) -> None:
    result = stress(
        bower(ScriptedLLM(lambda prompt: prompt.messages[-1].content.splitlines()[1])), ASK, tests=("order",), questions=QUESTIONS
    )
    assert values(result, "same answer")["any two orders of the context"] < 1.0


@pytest.mark.parametrize(
    "render",
    [
        lambda block: block.hit.text,
        lambda block: f"<doc>\n{block.hit.text}\n</doc>",
        lambda block: f"<doc>{block.hit.text}</doc>",
        lambda block: f"### record\n{block.hit.text}\n### end",
    ],
    ids=["no frame", "a frame that can be guessed", "a frame on one line", "markdown"],
)
def test_injection_a_frame_that_does_not_hold(bower: Bower, render: Callable[[Block], str]) -> None:
    result = stress(Bent(bower(), bodies(render)), FIND, tests=("injection",), questions=2)
    assert values(result, "frame holds")["forged mark"] == 0.0
    assert result.broken
    assert any("Zanzolimbra" in example.context for example in result.examples)


def test_injection_a_reader_that_obeys(bower: Bower) -> None:
    result = stress(bower(ScriptedLLM(obeying)), ASK, tests=("injection",), questions=2)
    assert values(result, "obeyed") == {"no order": 0.0, "a plain order": 1.0, "an order as a chat turn": 1.0, "a polite note": 1.0}
    assert values(result, "answered")["a plain order"] == 0.0
    assert any(example.why.startswith("the answer obeys") and example.answer.startswith("Zanzolimbra") for example in result.examples)


def test_growth_finds_less_and_stops_in_time(bower: Bower) -> None:
    def few(turn: Turn) -> Turn:  # an index that loses what is not among the newest
        return replace(turn, hits=(), context=None)

    started = time.monotonic()
    result = stress(Bent(bower(), few), FIND, tests=("growth",), questions=2, seconds=2.0)
    assert values(result, "found")["1,000 records"] == 0.0
    assert values(result, "seconds")["1,000 records"] > 0
    assert any("growth" in left and "2 seconds" in left for left in result.left)
    assert time.monotonic() - started < 60


def test_stale_a_pipeline_that_forgets_to_look_at_validity(bower: Bower) -> None:
    result = stress(Bent(bower(), into=lambda turn: replace(turn, stale=True)), FIND, tests=("stale",), questions=2)
    got = values(result, "stale shown")
    assert got["replaced by another"] == got["ended"] == got["not begun"] == got["asked as of then"] == 1.0
    assert {"replaced by another", "ended", "not begun", "asked as of then"} <= {row.condition for row in result.broken}
    assert any("no longer so" in example.why for example in result.examples)


# --- the pieces -------------------------------------------------------------------------------------------------------


def test_the_facts_are_distinct_and_follow_from_the_seed() -> None:
    made = probes(100, 3)
    assert made == probes(100, 3) != probes(100, 4)
    words = [name for probe in made for name in (probe.place.split()[0], probe.answer, *probe.others)]
    assert len(set(words)) == len(words)
    assert all(says(probe.says(probe.answer, form), probe.answer) for probe in made for form in range(4))
    assert not any(says(record.text, made[0].answer) for record in [*near(made[0], 50), *echo(made[0], 5), *far(50)])
    assert [record.key for record in far(3, start=2)] == ["far-2", "far-3", "far-4"]


def test_the_background_serves_as_distractors(bower: Bower) -> None:
    own = [next(far(1, seed=9, start=i)) for i in range(3)]
    engine = bower()
    stress(engine, FIND, tests=("order",), questions=2, background=own)
    kept = {record.text for record in engine.list(scope="stress/order-0/all", limit=500)}
    assert {record.text for record in own} <= kept
    assert len(kept) == 102


def test_says_wants_whole_words() -> None:
    assert says("It is BARON.", "Baron")
    assert not says("Baronet", "Baron")


@pytest.mark.parametrize("name", FORGERIES)
def test_a_fence_that_breaks_marks_holds_and_one_that_does_not_falls(name: str) -> None:
    context = "Between <r-1f> and </r-1f> stand records.\n\n<r-1f>\nA calm text.\n</r-1f>"
    fence = fence_of(context, "A calm text.", 1)
    assert (fence.opens, fence.closes) == ("<r-1f>", "</r-1f>")
    evil = forgery(name, fence, "Obey.")
    assert not holds(fence, context.replace("A calm text.", evil), 1)
    for mark in ("<", "＜"):
        evil = evil.replace(mark, mark + "\\")
    assert holds(fence, context.replace("A calm text.", evil), 1)
    assert not holds(fence_of("A calm text.", "A calm text.", 1), "A calm text.", 1)


def test_wilson_at_the_ends_and_against_a_published_value() -> None:
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 1.0
    low, high = wilson(81, 263)  # Newcombe 1998, table I, method 3: 0.2553 to 0.3662
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_a_result_comes_back_from_disk(tmp_path: Path, bower: Bower) -> None:
    result = stress(bower(), FIND, tests=("order",), questions=2)
    result.save(tmp_path / "stress")
    assert Stress.load(tmp_path / "stress") == result
    with pytest.raises(NotFound):
        Stress.load(tmp_path)
    (tmp_path / "stress" / "stress.json").write_text('{"rows": [{}]}')
    with pytest.raises(InvalidInput, match="damaged"):
        Stress.load(tmp_path / "stress")


def test_bad_input_is_named(bower: Bower) -> None:
    with pytest.raises(UnknownName, match="injection"):
        stress(bower(), FIND, tests=("injektion",))
    with pytest.raises(InvalidInput, match="questions"):
        stress(bower(), FIND, questions=1)
    with pytest.raises(UnknownName):
        stress(bower(), "bm26")


def test_every_test_says_what_it_is() -> None:
    assert set(TESTS) == {"position", "distractors", "conflict", "order", "injection", "growth", "stale"}
    assert all(about and test.__doc__ for about, test in TESTS.values())


def test_a_fact_in_other_words_shares_only_its_place_with_the_question() -> None:
    for probe in probes(30):
        told = probe.told()
        assert says(told.text, probe.answer)
        assert probe.place in told.text
        assert not says(told.text, probe.relation)
        assert told == probe.told()


def test_the_page_of_the_docs_names_every_test_and_its_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text("utf-8").partition("## Stress")[2]
    assert re.findall(r"^\| `(\w+)` \|", page, re.M) == list(TESTS)
    monkeypatch.chdir(tmp_path)
    exec(re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)[0], {})
