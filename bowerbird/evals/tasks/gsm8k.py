"""GSM8K: word problems of grade-school mathematics; the examples are training problems with their worked answers.

An answer is right when its last number is the gold one (measure `number`). No example is marked as the one that helps,
so there is no gold to rank by.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "lm-sys/RouteLLM", "0b64fdafe049e596a3f5657c219329f24af24198"


def _number(answer: str) -> str:
    return answer.rpartition("####")[2].strip().replace(",", "")


def _records(data: TaskData) -> Iterator[Record]:
    for row, item in enumerate(rows.json_lines(data.path("train.jsonl.gz"))):
        fields = {"output": item["answer"], "label": _number(item["answer"]), "task": "gsm8k"}
        yield Record(f"train-{row}", "example", item["question"], fields, labelled.SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for row, item in enumerate(rows.json_lines(data.path(f"{split}.jsonl"))):
        facts = {"worked": item["answer"]}
        yield Case(f"{split}-{row}", item["question"], answers=(_number(item["answer"]),), scope=labelled.SCOPE, facts=facts)


TASK = Task(
    name="gsm8k",
    kind="example",
    about="The number that a word problem of grade-school mathematics asks for.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="Apache-2.0 (source repository); not stated for the data",
    citation="Cobbe et al., Training Verifiers to Solve Math Word Problems, arXiv 2110.14168",
    protocols=("answer",),
    measures=("number", "ROUGE-L"),
    splits=("test",),
    files=(
        File("examples/gsm8k/test.jsonl", "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14"),
        File("examples/gsm8k/train.jsonl.gz", "a8df3fbbe2e2c003bce980d68e16fb03ff69fc92c306c4029d126b967c5ec53b"),
    ),
    records=_records,
    cases=_cases,
)
