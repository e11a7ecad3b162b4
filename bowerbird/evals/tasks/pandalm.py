"""PandaLM: which of two answers three people preferred. The label is the majority's; `certainty` is how many were of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "WeOpenML/PandaLM", "3871806e72b4832f815ecafd24d3503c73403f48"
_CHOICES = ("tie", "first", "second")


def _records(data: TaskData) -> Iterator[Record]:
    return iter(())


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for row, item in enumerate(rows.json_value(data.path("testset-v1.json"))):
        votes = Counter(item[f"annotator{person}"] for person in (1, 2, 3))
        (choice, count), *_ = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))
        question = "\n".join(part for part in (item["instruction"], item["input"]) if part)
        facts = {
            "question": question,
            "answers": [item["response1"], item["response2"]],
            "human": _CHOICES[choice],
            "votes": [_CHOICES[item[f"annotator{person}"]] for person in (1, 2, 3)],
            "certainty": count / 3,
        }
        yield Case(
            f"pair-{row}",
            question,
            answers=(_CHOICES[choice],),
            choices=_CHOICES,
            scope=labelled.SCOPE,
            category=f"{count} of 3 agree",
            facts=facts,
        )


TASK = Task(
    name="pandalm",
    kind="feedback",
    about="Which of two answers people prefer.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="Apache-2.0",
    citation="Wang et al., PandaLM: An Automatic Evaluation Benchmark for LLM Instruction Tuning Optimization, ICLR 2024",
    protocols=("grade",),
    measures=("accuracy", "people", "kappa", "macro-F1", "sure@50", "ECE", "flips"),
    splits=("test",),
    files=(
        File(
            "feedback/pandalm-testset/testset-v1.json",
            "cc154f9067c7382d7ea86f8f246511a5e1ac87e1fddd845c5938d789505b07a4",
            rows.github(_REPOSITORY, _REVISION, "data/testset-v1.json"),
        ),
    ),
    records=_records,
    cases=_cases,
)
