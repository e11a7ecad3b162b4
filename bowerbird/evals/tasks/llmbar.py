"""LLMBar: which of two answers follows the instruction; four of the five parts are built to lead a judge astray."""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "princeton-nlp/LLMBar", "900616bff90b6c6c8e1681f7d079250637c55992"
_CHOICES = ("first", "second")
_BASE = "feedback/llmbar"
_HASHES = {
    "Natural/dataset.json": "f7127b7aa78104cb8e03a2b1b3ac0077e95b125714dd441a8ee63666145a3375",
    "Adversarial/GPTInst/dataset.json": "1002425f73c2cf54b6e6de99bce3f6c60fa2a17d13194772e37d7481c1351d42",
    "Adversarial/GPTOut/dataset.json": "1ff56e520d7607750a9866a3be0f5b850392ca4477a1f69d80f32bd3e310f561",
    "Adversarial/Manual/dataset.json": "0d9598769a39cdbbd265778c37e49939d41d5f76dcfb17bd75dcfa07516d3837",
    "Adversarial/Neighbor/dataset.json": "6712c7eda6342602e0bc7c06c282fa95e2110d4e741a284026a62d937f9780a0",
}


def _records(data: TaskData) -> Iterator[Record]:
    return iter(())


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for name in _HASHES:
        part = name.removesuffix("/dataset.json")
        for row, item in enumerate(rows.json_value(data.path(f"{_BASE}/{name}"))):
            label = _CHOICES[item["label"] - 1]
            facts = {"question": item["input"], "answers": [item["output_1"], item["output_2"]], "human": label}
            case = f"{part.replace('/', '-')}-{row}"
            yield Case(case, item["input"], answers=(label,), choices=_CHOICES, scope=labelled.SCOPE, category=part, facts=facts)


TASK = Task(
    name="llmbar",
    kind="feedback",
    about="Which of two answers follows the instruction.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="MIT",
    citation="Zeng et al., Evaluating Large Language Models at Evaluating Instruction Following, ICLR 2024",
    protocols=("grade",),
    measures=("accuracy", "kappa", "sure@50", "ECE", "flips"),
    splits=("test",),
    files=tuple(
        File(f"{_BASE}/{name}", sha256, rows.github(_REPOSITORY, _REVISION, f"Dataset/LLMBar/{name}")) for name, sha256 in _HASHES.items()
    ),
    records=_records,
    cases=_cases,
)
