"""Written queries: a few pairs shown, what is no query dropped, and only what leads back to its record kept."""

from __future__ import annotations

import pytest

from bowerbird import Engine
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.synth.queries import Shown, shown, with_usages, written
from bowerbird.learn.synth.round_trip import kept
from bowerbird.learn.trainer import TooLittle
from bowerbird.ports import Prompt
from bowerbird.testing.llms import ScriptedLLM
from bowerbird.types import Record, Scope

ANN = Scope("acme", "ann")
PAIRS = [Shown(f"tool number {i}", f"please do thing number {i}") for i in range(8)]


def tools(n: int = 3) -> list[Record]:
    words = ("weather", "currency", "translation", "calendar")
    return [Record(word, "tool", f"Gives the {word} of a place.", {"name": f"get_{word}"}, ANN) for word in words[:n]]


def ask(prompt: Prompt) -> str:
    last = prompt.text.rsplit("Tool: ", 1)[1]
    return f" What about the {last.split()[1]} in Basel today?\nTool: more"


def test_a_query_a_record_from_a_few_pairs() -> None:
    llm = ScriptedLLM(ask)
    groups = written(tools(), PAIRS, llm, seed=3)
    assert [group.query for group in groups] == [
        f"What about the {word} in Basel today?" for word in ("weather", "currency", "translation")
    ]
    assert next((g.kind, g.source, g.scope, [c.key for c in g.positives]) for g in groups) == ("tool", "synth", "acme/ann", ["weather"])
    prompt = llm.prompts[0].text
    assert prompt.count("Request:") == 5
    assert prompt.endswith("Gives the weather of a place.\nRequest:")
    assert llm.calls[0].stop == ("\n",)
    assert written(tools(), PAIRS, ScriptedLLM(ask), seed=3) == groups
    assert ScriptedLLM(ask).prompts == ()
    other = ScriptedLLM(ask)
    written(tools(), PAIRS, other, seed=4)
    assert other.prompts[0].text != prompt, "pairs are drawn by the seed"


def test_what_is_no_query_is_dropped() -> None:
    llm = ScriptedLLM(["no", "please do thing number 3", "gives the translation of a place"])
    assert written(tools(), PAIRS, llm) == []
    same = written(tools(), PAIRS, ScriptedLLM("the same words each time"))
    assert len(same) == 1


def test_eight_pairs_are_needed() -> None:
    with pytest.raises(TooLittle, match=r"at least 8 pairs.*there are 7"):
        written(tools(), PAIRS[:7], ScriptedLLM(ask))
    groups = [Group(f"q{i}", "tool", "s", (Candidate("a", "bad", -1.0), Candidate("b", "good", 1.0))) for i in range(8)]
    assert shown(
        [*groups, Group("q", "tool", "s", (Candidate("a", "x"),)), Group("q", "item", "s", (Candidate("a", "x", 1.0),))], "tool"
    ) == [Shown("good", f"q{i}") for i in range(8)]


def test_only_what_leads_back_is_kept(bird: Engine) -> None:
    bird.add(tools(4))
    back = Group("weather of a place", "tool", "synth", (Candidate("weather", "x", 1.0),), scope=str(ANN))
    away = Group("currency exchange rates", "tool", "synth", (Candidate("calendar", "x", 1.0),), scope=str(ANN))
    assert kept(bird, [back, away], "bm25(k=5)", top=1) == [back]
    assert kept(bird, [], "bm25") == []


def test_usages_stand_in_the_text_that_encoders_see(bird: Engine) -> None:
    bird.add(tools(4))
    groups = [Group("is it raining outside", "tool", "synth", (Candidate("weather", "x", 1.0),), scope=str(ANN))]
    assert bird.search("raining outside", spec="bm25") == ()
    done = with_usages(tools(4), groups)
    assert [record.fields.get("usages") for record in done] == [["is it raining outside"], None, None, None]
    bird.add(done)
    assert [hit.record.key for hit in bird.search("raining outside", spec="bm25") if hit.record] == ["weather"]
