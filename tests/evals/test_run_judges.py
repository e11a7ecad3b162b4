"""Protocols that retrieve nothing: rewritten questions against people's, and judges of answers against people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bowerbird.errors import CapabilityMissing, InvalidInput, UnknownName
from bowerbird.evals.judge import chance
from bowerbird.evals.results import Run, item_file, read_items
from bowerbird.evals.run import Options, run_task
from bowerbird.evals.sample import drawn
from bowerbird.evals.task import Case, Task, TaskData
from bowerbird.ports import LLM
from bowerbird.spec import parse
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.llms import ScoringLLM, ScriptedLLM
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Message, Scope, Turn

SCOPE = Scope("eval")


def task(kind: str, protocol: str, measures: Sequence[str], cases: Sequence[Case]) -> Task:
    def given(_: TaskData, split: str) -> Iterator[Case]:
        yield from cases

    return Task(
        "made",
        kind,
        "",
        "",
        "",
        "",
        "",
        (protocol,),
        tuple(measures),
        ("test",),
        (),
        lambda _: iter(()),
        given,  # type: ignore[arg-type]
    )


def run(made: Task, spec: str, tmp_path: Path, llm: LLM | None = None, limit: int | None = None) -> tuple[Path, Run]:
    def no_bench(*_: object) -> None:
        raise AssertionError("nothing is retrieved here")

    options = Options(limit=limit)
    return run_task(
        made,
        [spec],
        no_bench,
        encoder=HashEncoder(),
        llm=llm,
        options=options,
        out=tmp_path / "runs",
        cache=tmp_path / "cache",
        data=tmp_path,  # type: ignore[arg-type]
    )


# --- rewrite ----------------------------------------------------------------------------------------------------------


def turns() -> list[Case]:
    found = []
    for i in range(12):
        history = (
            Message("user", f"Tell me about bird {i}."),
            Message("assistant", "It sings."),
            Message("user", f"Where does bird {i} live?"),
        )
        found.append(Case(f"c{i}", "And what does it eat?", answers=(f"And what does bird {i} eat?",), history=history, scope=SCOPE))
    return found


def test_a_rewrite_is_held_against_peoples(tmp_path: Path) -> None:
    made = task("passage", "rewrite", ("ROUGE-1", "EM"), turns())
    folder, found = run(made, "history(turns=1)", tmp_path)
    rouge = {name: values["ROUGE-1"].value for name, values in found.measures.items()}
    assert rouge["oracle"] == 1.0
    assert rouge["none"] > rouge["full"], "words that nobody asked for cost precision"
    assert rouge["history(turns=1)"] == pytest.approx(rouge["recency"])
    assert {"bm25: there are no records to search", "dense: there are no records to search"} <= set(found.dropped)
    said = {item.id: item.answer for item in read_items(item_file(folder, "history(turns=1)"))}
    assert said["c3"] == "Where does bird 3 live?\nAnd what does it eat?"
    with pytest.raises(InvalidInput, match="rewrites no question"):
        run(made, "bm25", tmp_path)


def test_the_model_rewrites_and_a_silent_one_changes_nothing(tmp_path: Path) -> None:
    def resolved(prompt: object) -> str:
        number = str(prompt).rsplit("bird ", 1)[1].split()[0].strip("?.'")
        return f"And what does bird {number} eat?"

    made = task("passage", "rewrite", ("ROUGE-1", "EM"), turns())
    _, found = run(made, "llm_rewrite", tmp_path, ScriptedLLM(resolved))
    assert found.measures["llm_rewrite"]["EM"].value == 1.0
    _, silent = run(made, "llm_rewrite(turns=2)", tmp_path, ScriptedLLM(""))
    assert silent.measures["llm_rewrite(turns=2)"]["ROUGE-1"].value == silent.measures["none"]["ROUGE-1"].value


def test_the_model_is_asked_once_for_a_batch_and_not_without_a_history() -> None:
    from bowerbird.errors import LLMError

    llm = ScriptedLLM(" Where does Ada live?")
    stage = parse("llm_rewrite").bind(lambda name: llm if name == "llm" else None)
    history = (Message("user", "Who is Ada?"),)
    alone, asking = stage([Turn("Hello", SCOPE), Turn("Where does she live?", SCOPE, history=history)])
    assert (alone.asked, asking.asked) == (("Hello",), ("Where does Ada live?",))
    assert len(llm.calls) == 1
    broken = ScriptedLLM("x", fail=LLMError("no"))
    (kept,) = parse("llm_rewrite").bind(lambda name: broken if name == "llm" else None)([Turn("Where?", SCOPE, history=history)])
    assert kept.asked == ("Where?",)
    assert kept.trace[-1].info["error"] == "no"


class TestHistory(StageSuite):
    def make_stage(self):
        return parse("history(turns=2) >> bm25")


class TestLLMRewrite(StageSuite):
    def make_stage(self):
        return parse("llm_rewrite >> bm25")


# --- grade ------------------------------------------------------------------------------------------------------------


def pairs(n: int = 24) -> list[Case]:
    """The better answer speaks of what was asked; it is the shorter one half of the time."""
    found = []
    for i in range(n):
        good, bad = f"The heron number {i} eats fish." + " It wades." * (i % 2 * 6), "I would rather not say anything of that."
        first = i % 3 != 0
        human = "first" if first else "second"
        facts = {"question": "?", "answers": [good, bad] if first else [bad, good], "human": human}
        found.append(
            Case(
                f"p{i}", f"What does heron number {i} eat?", answers=(human,), choices=("tie", "first", "second"), scope=SCOPE, facts=facts
            )
        )
    return found


def test_judges_are_held_against_people(tmp_path: Path) -> None:
    made = task("feedback", "grade", ("accuracy", "kappa", "ECE"), pairs())
    folder, found = run(made, "likelihood", tmp_path, ScoringLLM("x"))
    accuracy = {name: values["accuracy"].value for name, values in found.measures.items()}
    assert accuracy["oracle"] == accuracy["bm25"] == 1.0
    assert accuracy["none"] == 0.0, "a tie is what nobody said"
    assert accuracy["likelihood"] > 0.9
    assert 0.1 < accuracy["random"] < 0.9
    assert all(0.5 <= item.facts["confidence"] <= 1 for item in read_items(item_file(folder, "likelihood")))
    _, longer = run(made, "length", tmp_path)
    assert longer.measures["length"]["accuracy"].value == pytest.approx(0.5, abs=0.2)
    with pytest.raises(UnknownName, match="length"):
        run(made, "lenght", tmp_path)
    with pytest.raises(CapabilityMissing, match="log-likelihoods"):
        run(made, "verdict", tmp_path, ScriptedLLM("A"))


def test_a_liking_for_a_place_cancels_out_and_is_told(tmp_path: Path) -> None:
    class Partial(ScoringLLM):
        """Always for the answer that stands first."""

        def loglikelihood(self, asked: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
            return [(-0.1 if output == " A" else -3.0, 1) for _, output in asked]

    class Sound(ScoringLLM):
        """For the answer that speaks of fish, with a lesser liking for the first."""

        def loglikelihood(self, asked: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
            good = ["A" if "fish" in prompt.split("Answer B:")[0] else "B" for prompt, _ in asked]
            return [
                (-0.1 if output.strip() == letter else -2.0 - (output == " B"), 1) for letter, (_, output) in zip(good, asked, strict=True)
            ]

    made = task("feedback", "grade", ("accuracy",), pairs())
    folder, partial = run(made, "verdict", tmp_path / "a", Partial("x"))
    assert partial.measures["verdict"]["accuracy"].value == 0.0, "it finds all alike, and people did not"
    assert all(item.facts["flipped"] for item in read_items(item_file(folder, "verdict")))
    folder, sound = run(made, "verdict", tmp_path / "b", Sound("x"))
    assert sound.measures["verdict"]["accuracy"].value == 1.0
    assert not any(item.facts["flipped"] for item in read_items(item_file(folder, "verdict")))


def test_grades_of_single_answers_are_held_against_marks(tmp_path: Path) -> None:
    cases = [
        Case(
            f"a{i}",
            "What do herons eat?",
            answers=(str(1 + i % 5),),
            scope=SCOPE,
            facts={"answer": "herons eat fish " * (i % 5), "human": 1 + i % 5},
        )
        for i in range(20)
    ]
    _, found = run(task("answers", "grade", ("Spearman",), cases), "length", tmp_path)
    assert found.measures["length"]["Spearman"].value == pytest.approx(1.0)
    assert found.measures["oracle"]["Spearman"].value == pytest.approx(1.0)
    assert "Spearman" not in found.measures.get("none", {})


def test_chance_has_nothing_to_do_with_the_sample() -> None:
    cases = [Case(f"c{i}", "q", scope=SCOPE) for i in range(3000)]
    drawn_first = [chance(0, case) for case in drawn(cases, 300, 0)]
    assert sum(drawn_first) / 300 == pytest.approx(0.5, abs=0.06)
    assert chance(0, cases[0]) != chance(1, cases[0])
