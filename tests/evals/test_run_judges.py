"""Protocols that retrieve nothing: rewritten questions against people's, and judges of answers against people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bowerbird.errors import CapabilityMissing, InvalidInput, UnknownName
from bowerbird.evals.judge import chance
from bowerbird.evals.results import Run, item_file, read_items
from bowerbird.evals.run import Options, run_task
from bowerbird.evals.sample import drawn
from bowerbird.evals.task import Case, Task, TaskData
from bowerbird.ports import LLM
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.llms import ScoringLLM, ScriptedLLM
from bowerbird.types import Message, Scope, replace

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


def _no_bench(*_: object) -> Any:
    raise AssertionError("nothing is retrieved here")


def run(made: Task, spec: str, tmp_path: Path, llm: LLM | None = None, limit: int | None = None) -> tuple[Path, Run]:
    options = Options(limit=limit)
    return run_task(
        made,
        [spec],
        _no_bench,
        encoder=HashEncoder(),
        llm=llm,
        options=options,
        out=tmp_path / "runs",
        cache=tmp_path / "cache",
        data=tmp_path,
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
    made = task("passage", "rewrite", ("F1", "ROUGE-L", "EM"), turns())
    folder, found = run(made, "history", tmp_path)
    overlap = {name: values["F1"].value for name, values in found.measures.items()}
    assert overlap["oracle"] == 1.0
    assert overlap["none"] > overlap["full"], "words that nobody asked for cost precision"
    assert overlap["history"] == pytest.approx(overlap["recency"])
    assert {"bm25: there are no records to search", "dense: there are no records to search"} <= set(found.dropped)
    said = {item.id: item.answer for item in read_items(item_file(folder, "history"))}
    assert said["c3"] == "Where does bird 3 live? And what does it eat?"
    with pytest.raises(InvalidInput, match="rewrites no question"):
        run(made, "bm25", tmp_path)


def test_the_model_rewrites_and_a_silent_one_changes_nothing(tmp_path: Path) -> None:
    def resolved(prompt: object) -> str:
        number = str(prompt).rsplit("bird ", 1)[1].split()[0].strip("?.'")
        return f"And what does bird {number} eat?"

    made = task("passage", "rewrite", ("F1", "ROUGE-L", "EM"), turns())
    _, found = run(made, "llm_rewrite", tmp_path, ScriptedLLM(resolved))
    assert found.measures["llm_rewrite"]["EM"].value == 1.0
    _, silent = run(made, "llm_rewrite(budget=50)", tmp_path, ScriptedLLM("", name="silent"))
    assert silent.measures["llm_rewrite(budget=50)"]["F1"].value == silent.measures["none"]["F1"].value


# --- grade ------------------------------------------------------------------------------------------------------------


def pairs(n: int = 24) -> list[Case]:
    """The better answer speaks of what was asked; it is the shorter one half of the time."""
    found = []
    for i in range(n):
        good, bad = f"The heron number {i} eats fish." + " It wades." * (i % 2 * 6), "I would rather not say anything of that."
        first = i % 3 != 0
        human = "first" if first else "second"
        facts = {"answers": [good, bad] if first else [bad, good], "human": human}
        found.append(
            Case(
                f"p{i}", f"What does heron number {i} eat?", answers=(human,), choices=("tie", "first", "second"), scope=SCOPE, facts=facts
            )
        )
    return found


def test_judges_are_held_against_people(tmp_path: Path) -> None:
    made = task("feedback", "grade", ("accuracy", "kappa", "sure@50", "ECE", "flips"), pairs())
    folder, found = run(made, "likelihood", tmp_path, ScoringLLM("x"))
    assert list(found.systems) == ["none", "random", "length", "bm25", "dense", "oracle", "likelihood"]
    assert {line.partition(":")[0] for line in found.dropped} == {"recency", "full"}
    accuracy = {name: values["accuracy"].value for name, values in found.measures.items()}
    assert accuracy["oracle"] == accuracy["bm25"] == 1.0
    assert accuracy["none"] == 0.0, "a tie is what nobody said"
    assert accuracy["likelihood"] > 0.9
    assert accuracy["length"] == 0.5
    assert 0.1 < accuracy["random"] < 0.9
    assert found.measures["oracle"]["ECE"].value == 0.0
    assert found.measures["none"]["ECE"].value == 0.5, "it is never right and half sure"
    assert {values["flips"].value for values in found.measures.values()} == {0.0}
    assert all(0.5 <= item.facts["confidence"] <= 1 for item in read_items(item_file(folder, "likelihood")))
    with pytest.raises(InvalidInput, match="'length' is a baseline"):
        run(made, "length", tmp_path)
    with pytest.raises(UnknownName, match="likelihood"):
        run(made, "likelyhood", tmp_path)
    with pytest.raises(CapabilityMissing, match="log-likelihoods"):
        run(made, "verdict", tmp_path, ScriptedLLM("A"))
    with pytest.raises(CapabilityMissing, match="needs a language model"):
        run(made, "verdict", tmp_path)


def test_judges_are_run_without_a_model_where_none_is_named(tmp_path: Path) -> None:
    made = task("feedback", "grade", ("accuracy",), pairs())
    options = Options()
    _, found = run_task(
        made, [], _no_bench, encoder=HashEncoder(), llm=None, options=options, out=tmp_path / "runs", cache=tmp_path / "cache"
    )
    assert found.llm is None
    assert found.complete


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

    made = task("feedback", "grade", ("accuracy", "flips"), pairs())
    folder, partial = run(made, "verdict", tmp_path / "a", Partial("x"))
    assert partial.measures["verdict"]["accuracy"].value == 0.0, "it finds all alike, and people did not"
    assert partial.measures["verdict"]["flips"].value == 1.0
    assert {item.answer for item in read_items(item_file(folder, "verdict"))} == {"tie"}
    _, sound = run(made, "verdict", tmp_path / "b", Sound("x"))
    assert sound.measures["verdict"]["accuracy"].value == 1.0
    assert sound.measures["verdict"]["flips"].value == 0.0


def test_grades_of_single_answers_are_held_against_marks(tmp_path: Path) -> None:
    class Likes(ScoringLLM):
        """Says yes the more readily the more often an answer speaks of fish, and finds every answer as likely as any other."""

        def loglikelihood(self, asked: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
            return [(prompt.count("fish") - 9.0 if output == " Yes" else -2.0, 1) for prompt, output in asked]

    cases = []
    for i in range(20):
        facts = {"answer": "herons eat fish " * (i % 5), "human": 1 + i % 5}
        cases.append(Case(f"a{i}", "What do herons eat?", answers=(str(1 + i % 5),), scope=SCOPE, facts=facts))
    _, found = run(task("answers", "grade", ("Spearman",), cases), "verdict", tmp_path, Likes("x"))
    for name in ("length", "oracle", "verdict"):
        assert found.measures[name]["Spearman"].value == pytest.approx(1.0)
    assert "Spearman" not in found.measures.get("none", {})
    assert any(line.startswith("none: Spearman") for line in found.open)
    _, other = run(task("answers", "grade", ("Spearman",), cases), "likelihood", tmp_path, Likes("x", name="likes"))
    assert "Spearman" not in other.measures["likelihood"], "another judge, who finds all alike"
    with pytest.raises(InvalidInput, match="20 of 20 cases have no answer to grade"):
        run(task("answers", "grade", ("Spearman",), [replace(case, facts={}) for case in cases]), "verdict", tmp_path, Likes("x"))


def test_chance_has_nothing_to_do_with_the_sample() -> None:
    cases = [Case(f"c{i}", "q", scope=SCOPE) for i in range(3000)]
    drawn_first = [chance(0, case) for case in drawn(cases, 300, 0)]
    assert sum(drawn_first) / 300 == pytest.approx(0.5, abs=0.06)
    assert chance(0, cases[0]) != chance(1, cases[0])
