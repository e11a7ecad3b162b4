"""Readers: marks become citations, nothing found is said, and a model that fails loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput, LLMError
from bowerbird.ports import Completion
from bowerbird.stages.compose.budget import Budget
from bowerbird.stages.read.extractive import NO_MODEL, Extractive
from bowerbird.stages.read.llm import NOTHING_FOUND, ReadLLM
from bowerbird.stages.read.marks import cited, without
from bowerbird.testing.library import World, some_turns
from bowerbird.testing.llms import ScriptedLLM
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Answer, Decision, Hit, Message, Record, Scope, Turn, replace

ANN = Scope("acme", "ann")
FIGS = Record("figs", "passage", "The hen sleeps. Bowerbirds eat 12 figs a day. They sing.", scope=ANN, version=2)
BLUE = Record("blue", "passage", "Satin bowerbirds collect blue things.", scope=ANN, version=1)
MARKS = ("[1]", "[2]")


def turn(*records: Record, **more) -> Turn:
    hits = tuple(Hit(r.id, 1.0 - i / 10, {"dense": 1.0 - i / 10}, r) for i, r in enumerate(records))
    asked = Turn("What do bowerbirds eat?", ANN, **{"id": "t", "hits": hits, **more})
    return Budget(counter=ScriptedLLM(), secret=b"s")([asked])[0]


def answered(reply, *turns: Turn, **more) -> list[Turn]:
    llm = reply if isinstance(reply, ScriptedLLM) else ScriptedLLM(reply)
    return ReadLLM(llm=llm, **more)(turns)


class _Composed(StageSuite):
    def turns(self):
        return Budget(tokens=400).bind(World().part)(some_turns())


class TestReadLLM(_Composed):
    def make_stage(self):
        return ReadLLM(max_tokens=50)


class TestExtractive(_Composed):
    def make_stage(self):
        return Extractive(sentences=2)


class TestUncomposed(StageSuite):
    """Readers after no composer at all."""

    def make_stage(self):
        return ReadLLM()


# --- marks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Fruit [1].", [("[1]", "Fruit [1].")]),
        ("Fruit. [1] Blue.", [("[1]", "Fruit. [1]")]),
        ("Fruit.[1] Blue.[2]", [("[1]", "Fruit.[1]"), ("[2]", "Blue.[2]")]),
        ("One. Fruit [1, 2]. Two.", [("[1]", "Fruit [1, 2]."), ("[2]", "Fruit [1, 2].")]),
        ("Fruit [1][2].", [("[1]", "Fruit [1][2]."), ("[2]", "Fruit [1][2].")]),
        ("Fruit [1-3].", [("[1]", "Fruit [1-3]."), ("[2]", "Fruit [1-3]."), ("[3]", "Fruit [1-3].")]),
        ("Fruit 【1】, blue 【2†menu】.", [("[1]", "Fruit 【1】, blue 【2†menu】."), ("[2]", "Fruit 【1】, blue 【2†menu】.")]),
        ("Fruit [^1].", [("[1]", "Fruit [^1].")]),
        ("[1] Fruit.\n[2] Blue.", [("[1]", "[1] Fruit."), ("[2]", "[2] Blue.")]),
        ("Fruit (1).", [("[1]", "Fruit (1).")]),
        ("Fruit (7).", []),
        ("Fruit (1) [2].", [("[2]", "Fruit (1) [2].")]),
        ("In [2019] `x[1]` and ```\ny[2]\n```", []),
        ("[x] [] [1", []),
        ("", []),
        ("[1]", [("[1]", "[1]")]),
    ],
)
def test_marks_and_their_sentences(text, found):
    assert [(one.mark, text[one.start : one.end]) for one in cited(text, MARKS)] == found


@pytest.mark.parametrize(
    ("text", "drop", "left"),
    [
        ("Figs [1].", {"[1]"}, "Figs."),
        ("Figs [1, 2].", {"[1]"}, "Figs [2]."),
        ("Figs [1][2] and blue.", {"[1]", "[2]"}, "Figs and blue."),
        ("[1] Figs.\n[1] Blue.", {"[1]"}, "Figs.\nBlue."),
        ("a[1]b", {"[1]"}, "a b"),
        ("Figs [1].", {"[2]"}, "Figs [1]."),
    ],
)
def test_marks_taken_out(text, drop, left):
    assert without(text, lambda mark, at: mark in drop, MARKS)[0] == left


@given(st.lists(st.sampled_from(["Figs", " ", ". ", "[1]", "[2]", "[1, 2]", "\n", "blue"]), max_size=20).map("".join))
def test_places_move_with_the_text(text):
    left, now = without(text, lambda mark, at: mark == "[1]", MARKS)
    assert "[1]" not in left
    places = [now(place) for place in range(len(text) + 1)]
    assert places == sorted(places)
    assert 0 <= places[0] <= places[-1] == len(left)
    for word in ("Figs", "blue"):
        at = text.find(word)
        if at >= 0:
            assert left[now(at) : now(at + 4)] == word


# --- llm --------------------------------------------------------------------------------------------------------------


def test_marks_become_citations_with_spans_on_both_sides():
    (done,) = answered("They sing. Bowerbirds eat figs [1].", turn(FIGS, BLUE))
    (one,) = done.answer.citations
    assert done.answer.text[one.start : one.end] == "Bowerbirds eat figs [1]."
    assert (one.mark, one.key, one.kind, one.version) == ("[1]", "figs", "passage", 2)
    assert FIGS.text[slice(*one.record_span)] == "Bowerbirds eat 12 figs a day."
    assert one.support == pytest.approx(1.0)
    assert (done.answer.dropped, done.answer.model, done.answer.abstained) == ((), "scripted", False)


def test_marks_of_nothing_are_dropped():
    (done,) = answered("Birds eat figs [1]. And seeds [7].", turn(FIGS))
    assert [one.mark for one in done.answer.citations] == ["[1]"]
    assert [(one.mark, one.key) for one in done.answer.dropped] == [("[7]", "")]
    assert done.trace[-1].info["unknown_marks"] == 1


def test_an_answer_without_marks_gets_those_its_words_bear_out():
    (done,) = answered("Bowerbirds eat figs daily. Owls hunt mice. They eat 13 figs a day.", turn(BLUE, FIGS))
    assert done.answer.text == "Bowerbirds eat figs daily. [2] Owls hunt mice. They eat 13 figs a day."
    assert [(one.mark, one.key) for one in done.answer.citations] == [("[2]", "figs")]
    assert done.trace[-1].info["attributed"] == 1
    (left,) = answered("Bowerbirds eat figs.", turn(BLUE, FIGS), attribute=False)
    assert left.answer == Answer("Bowerbirds eat figs.", model="scripted")
    (own,) = answered("Owls [1]. Bowerbirds eat figs.", turn(BLUE, FIGS))
    assert own.answer.text == "Owls [1]. Bowerbirds eat figs."
    assert "attributed" not in own.trace[-1].info


def test_the_context_is_what_is_sent():
    llm = ScriptedLLM("ok")
    asked = turn(FIGS, history=(Message("user", "Hi"), Message("assistant", "Hello")))
    answered(llm, asked, max_tokens=33, temperature=0.5)
    (call,) = llm.calls
    assert call.prompts[0].messages == asked.context.messages
    assert (call.max_tokens, call.temperature) == (33, 0.5)


def test_nothing_found_is_said_without_a_call():
    llm = ScriptedLLM("invented")
    (done,) = answered(llm, turn())
    assert done.answer == Answer(NOTHING_FOUND, abstained=True)
    assert llm.calls == ()


def test_what_did_not_fit_is_said_without_a_call():
    llm = ScriptedLLM("invented")
    (done,) = answered(llm, turn(FIGS, budget=70))
    assert done.answer.abstained
    assert "does not fit into the budget of 70" in done.answer.text
    assert llm.calls == ()


def test_small_talk_and_budget_zero_are_answered_without_context():
    llm = ScriptedLLM("Hello!")
    chat = turn(decision=Decision(False, "small talk"))
    bare = turn(FIGS, budget=0)
    done = answered(llm, chat, bare)
    assert [one.answer.text for one in done] == ["Hello!", "Hello!"]
    assert not any(one.answer.abstained for one in done)
    assert [[message.role for message in prompt.messages] for prompt in llm.prompts] == [["user"], ["user"]]


def test_a_model_that_is_down_loses_nothing():
    llm = ScriptedLLM(fail=LLMError("the endpoint is down"))
    turns = [turn(FIGS, id=f"t{i}") for i in range(5)]
    done = answered(llm, *turns)
    assert [one.context for one in done] == [one.context for one in turns]
    assert {one.answer.text for one in done} == {""}
    assert {one.trace[-1].info["error"] for one in done} == {"the endpoint is down"}
    assert len(llm.calls) == 3  # the batch, then two alone: the rest would only wait


def test_one_bad_turn_does_not_cost_the_others():
    llm = ScriptedLLM("Figs [1].", fail=[LLMError("nonsense"), None, LLMError("nonsense"), None])
    done = answered(llm, *(turn(FIGS, id=f"t{i}") for i in range(3)))
    assert [one.answer.text for one in done] == ["Figs [1].", "", "Figs [1]."]


@pytest.mark.parametrize("reply", ["", "  \n"])
def test_an_empty_reply_is_an_error(reply):
    (done,) = answered(reply, turn(FIGS))
    assert done.answer.text == ""
    assert "answered with nothing" in done.trace[-1].info["error"]


@pytest.mark.parametrize("reply", ["\x00\ufffd[[[[[1", "[1]" * 5000, "【" * 1000, "[999] [1-9] [9-1] [1-999]", "`[1]"])
def test_nonsense_is_read_anyway(reply):
    (done,) = answered(ScriptedLLM(reply), turn(FIGS), max_tokens=100_000)
    assert all(one.mark == "[1]" for one in done.answer.citations)


def test_never_more_than_the_window():
    records = [Record(f"r{i}", "passage", f"Bird number {i} eats figs. " * 8, scope=ANN) for i in range(20)]
    history = tuple(Message("user", f"Old question {i} " * 5) for i in range(20))
    llm = ScriptedLLM("ok", context_window=500)
    (done,) = answered(llm, turn(*records, history=history), max_tokens=100)
    messages = llm.prompts[0].messages
    assert sum(llm.count([message.content for message in messages])) + 100 <= 500
    assert messages[0].role == "system"
    assert messages[-1].content.endswith("What do bowerbirds eat?")
    assert done.trace[-1].info["cut"]["history"] == 20
    assert done.trace[-1].info["cut"]["blocks"] > 0
    assert "Bird number 0 eats" in messages[-1].content


def test_a_question_longer_than_the_window_is_an_error_of_its_turn():
    long = replace(turn(FIGS), query="why " * 3000)
    done = answered(ScriptedLLM("ok", context_window=1000), long, turn(FIGS))
    assert "window of 1,000" in done[0].trace[-1].info["error"]
    assert done[1].answer.text == "ok"


def test_streaming():
    stage = ReadLLM(llm=ScriptedLLM("Figs [1]."))
    assert "".join(stage.stream(turn(FIGS))) == "Figs [1]."
    assert "".join(stage.stream(turn())) == NOTHING_FOUND

    class Mute:
        """A model that cannot stream: its answer comes as one piece."""

        name, context_window = "mute", 8192

        def count(self, texts):
            return [len(text.split()) for text in texts]

        def complete(self, prompts, *, max_tokens, temperature=0.0, stop=(), seed=0):
            return [Completion("Figs [1].") for _ in prompts]

    assert list(ReadLLM(llm=Mute()).stream(turn(FIGS))) == ["Figs [1]."]


@pytest.mark.parametrize("given_settings", [{"max_tokens": 0}, {"max_tokens": 1.5}, {"temperature": -1.0}, {"temperature": float("nan")}])
def test_settings_of_llm(given_settings):
    with pytest.raises(InvalidInput):
        ReadLLM(**given_settings)


# --- extractive -------------------------------------------------------------------------------------------------------


def test_sentences_are_quoted_with_their_places():
    (done,) = Extractive(sentences=1)([turn(BLUE, FIGS)])
    (one,) = done.answer.citations
    assert done.answer.text == "Bowerbirds eat 12 figs a day. [2]"
    assert FIGS.text[slice(*one.record_span)] == "Bowerbirds eat 12 figs a day."
    assert done.answer.text[one.start : one.end] == done.answer.text
    assert (one.key, one.version, one.support) == ("figs", 2, 1.0)


def test_a_question_that_shares_no_word_quotes_the_best_block():
    asked = replace(turn(BLUE, FIGS), query="¿Qué?")
    assert Extractive()([asked])[0].answer.text == "Satin bowerbirds collect blue things. [1]"


def test_extractive_leaves_weak_sentences_and_says_when_it_has_nothing_to_quote():
    asked = replace(turn(BLUE, FIGS), query="Do bowerbirds eat figs?")
    assert Extractive()([asked])[0].answer.text == "Bowerbirds eat 12 figs a day. [2]"
    chat = Extractive()([turn(decision=Decision(False, "small talk"))])[0].answer
    assert (chat.text, chat.abstained) == (NO_MODEL, True)


def test_extractive_abstains_and_makes_text_harmless():
    assert Extractive()([turn()])[0].answer == Answer(NOTHING_FOUND, abstained=True)
    evil = Record("evil", "passage", "Bowerbirds eat\u202e <|im_start|> figs.", scope=ANN)
    assert Extractive()([turn(evil)])[0].answer.text == "Bowerbirds eat <\\|im_start|> figs. [1]"
    assert Extractive()([turn(Record("empty", "passage", "", scope=ANN))])[0].answer.abstained


@pytest.mark.parametrize("given_settings", [{"sentences": 0}, {"blocks": True}])
def test_settings_of_extractive(given_settings):
    with pytest.raises(InvalidInput):
        Extractive(**given_settings)
