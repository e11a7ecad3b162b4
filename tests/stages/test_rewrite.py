"""Stages that change the question: what of a conversation is searched with, and what happens when the model is of no use."""

from __future__ import annotations

from typing import Any

import pytest

from bowerbird.errors import CapabilityMissing, InvalidInput, LLMError
from bowerbird.ports import Prompt
from bowerbird.spec import parse
from bowerbird.testing.library import World
from bowerbird.testing.llms import ScriptedLLM
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Decision, Message, Scope, Turn

ACME = Scope("acme")
BIRDS = (
    Message("user", "Which bird decorates its bower?"),
    Message("assistant", "The satin bowerbird does."),
    Message("user", "Where does it live?"),
    Message("assistant", "In Australia."),
)


def talking() -> list[Turn]:
    return [
        Turn("Does it like blue things?", ACME, "t0", history=BIRDS),
        Turn("Does it like blue things?", ACME, "t1", history=BIRDS[:1]),
        Turn("Which cat sleeps on the stove?", ACME, "t2"),
        Turn("And the cat?", ACME, "t3", history=(Message("assistant", "Hello."),), queries=("stove",)),
    ]


def bound(spec: str, llm: ScriptedLLM | None = None) -> Any:
    return parse(spec).bind(lambda name: llm if name == "llm" else None)


class TestHistoryConforms(StageSuite):
    @pytest.fixture(params=["history", "history(turns=3)", "history(turns=0) >> rrf(bm25, dense)"], autouse=True)
    def _spec(self, request: pytest.FixtureRequest) -> None:
        self.spec = request.param

    def make_stage(self) -> Any:
        return parse(self.spec)

    def turns(self) -> list[Turn]:
        return talking()


class TestClausesConform(StageSuite):
    @pytest.fixture(params=["clauses", "clauses(most=0)", "dbsf(bm25, dense, clauses >> dense)"], autouse=True)
    def _spec(self, request: pytest.FixtureRequest) -> None:
        self.spec = request.param

    def make_stage(self) -> Any:
        return parse(self.spec)


class TestLLMRewriteConforms(StageSuite):
    @pytest.fixture(params=["llm_rewrite", "llm_rewrite(budget=12) >> bm25"], autouse=True)
    def _spec(self, request: pytest.FixtureRequest) -> None:
        self.spec = request.param

    def make_stage(self) -> Any:
        return parse(self.spec)

    def turns(self) -> list[Turn]:
        return talking()


# --- history ----------------------------------------------------------------------------------------------------------


def test_the_users_last_messages_stand_in_front_of_the_question() -> None:
    asked = [turn.asked for turn in bound("history")(talking())]
    assert asked[0] == ("Where does it live? Does it like blue things?",)
    assert asked[2] == ("Which cat sleeps on the stove?",), "nothing was said before"
    assert asked[3] == ("And the cat?",), "the other side alone has spoken, and a question is rewritten from itself"
    [whole] = bound("history(turns=0)")(talking()[:1])
    assert whole.asked == ("Which bird decorates its bower? Where does it live? Does it like blue things?",)
    assert whole.query == "Does it like blue things?"
    assert whole.trace[-1].info["turns"] == 2
    with pytest.raises(InvalidInput, match="turns=-1"):
        parse("history(turns=-1)")


def test_what_was_said_before_is_searched_with() -> None:
    bm25, history = (parse(spec).bind(World().part) for spec in ("bm25", "history(turns=0) >> bm25"))
    asks = [Turn("and things?", ACME, history=BIRDS)]
    scores = [{hit.id: hit.score for hit in stage(asks)[0].hits} for stage in (bm25, history)]
    assert set(scores[0]) < set(scores[1])


# --- llm_rewrite ------------------------------------------------------------------------------------------------------


def test_the_model_resolves_what_has_a_history_in_one_call() -> None:
    llm = ScriptedLLM(" Alone: Does the satin bowerbird like blue things?\nSaid before: more", price_in=1.0)
    done = bound("llm_rewrite", llm)(talking())
    assert [turn.asked[0] for turn in done[:3]] == ["Does the satin bowerbird like blue things?"] * 2 + ["Which cat sleeps on the stove?"]
    assert (len(llm.calls), len(llm.prompts)) == (1, 3)
    info = done[0].trace[-1].info
    assert info["model"] == "scripted"
    assert info["prompt_tokens"] > info["completion_tokens"] > 0
    assert info["cost"] > 0
    assert done[2].trace[-1].info["kept"] == "nothing was said before"
    with pytest.raises(CapabilityMissing, match="needs a language model"):
        bound("llm_rewrite")


def test_the_budget_takes_the_latest_messages() -> None:
    def shown(spec: str, history: tuple[Message, ...]) -> list[str]:
        llm = ScriptedLLM("x")
        bound(spec, llm)([Turn("And now?", ACME, history=history)])
        mine = llm.prompts[0].text.rpartition("\n\n")[2]
        assert mine.endswith("Now: And now?\nAlone:")
        return [line.removeprefix("Said before: ") for line in mine.splitlines() if line.startswith("Said before:")]

    assert shown("llm_rewrite", BIRDS) == [message.content for message in BIRDS]
    assert shown("llm_rewrite(budget=15)", BIRDS) == ["Where does it live?", "In Australia."], "8 and 6 of 15 tokens"
    assert shown("llm_rewrite(budget=3)", BIRDS) == []
    long = Message("assistant", "word\n\n" * 500)
    [first, second] = shown("llm_rewrite(budget=200)", (BIRDS[0], long))
    assert first == BIRDS[0].content
    assert len(second) == 400
    assert "\n" not in second


@pytest.mark.parametrize(
    ("llm", "why"),
    [
        (ScriptedLLM("x", fail=LLMError("gone")), "the model failed"),
        (ScriptedLLM("  \nmore"), "the model said nothing"),
        (ScriptedLLM("on and on " * 40), "the model was not done after 48 tokens"),
    ],
)
def test_a_model_of_no_use_leaves_the_question_and_the_trace_says_why(llm: ScriptedLLM, why: str) -> None:
    [turn] = bound("llm_rewrite", llm)([Turn("Where?", ACME, history=BIRDS)])
    assert turn.asked == ("Where?",)
    assert turn.trace[-1].info["kept"] == why
    assert turn.trace[-1].info.get("error") == ("gone" if "failed" in why else None)


def test_a_prompt_that_fails_takes_no_other_with_it() -> None:
    class Picky(ScriptedLLM):
        def complete(self, prompts: Any, **settings: Any) -> Any:
            if any("poison" in prompt.text for prompt in prompts):
                raise LLMError("not this one")
            return super().complete(prompts, **settings)

    def resolved(prompt: Prompt) -> str:
        return f"resolved {prompt.text.rpartition('Now: ')[2].split()[0]}"

    queries = ("one", "poison", "two")
    done = bound("llm_rewrite", Picky(resolved))([Turn(query, ACME, query, history=BIRDS) for query in queries])
    assert [turn.asked[0] for turn in done] == ["resolved one", "poison", "resolved two"]


def test_a_gate_that_said_no_asks_nobody() -> None:
    llm = ScriptedLLM("x")
    [turn] = bound("llm_rewrite", llm)([Turn("thanks", ACME, history=BIRDS, decision=Decision(False, "small talk"))])
    assert llm.calls == ()
    assert turn.asked == ("thanks",)


def test_settings_must_be_positive() -> None:
    with pytest.raises(InvalidInput, match="budget=0"):
        parse("llm_rewrite(budget=0)")


@pytest.mark.parametrize(
    ("asked", "queries"),
    [
        ("Where is the key?", ()),
        ("", ()),
        ("  \n ", ()),
        ("I plan a trip. Thanks!", ()),  # one clause that asks for something
        (
            "I plan a trip to Oslo. Find me a hotel, and tell me the weather there; also convert 50 euros.",
            ("I plan a trip to Oslo.", "Find me a hotel", "tell me the weather there", "also convert 50 euros."),
        ),
        ("Suche ein Hotel in Wien, und nenne mir das Wetter", ("Suche ein Hotel in Wien", "nenne mir das Wetter")),
        ("Find me a hotel. Find me a hotel. Find me a car.", ("Find me a hotel.", "Find me a car.")),
    ],
)
def test_clauses_of_a_request(asked: str, queries: tuple[str, ...]) -> None:
    (turn,) = bound("clauses")([Turn(asked, ACME)])
    assert turn.queries == ((asked, *queries) if queries else ())
    assert turn.trace[-1].info["clauses"] == max(1, len(queries))


def test_clauses_are_bounded() -> None:
    (turn,) = bound("clauses(most=3)")([Turn(" ".join(f"Find me thing number {n}." for n in range(50)), ACME)])
    assert len(turn.queries) == 4
    with pytest.raises(InvalidInput, match="most=-1"):
        parse("clauses(most=-1)")
