"""CLINC150 (full): 150 intents of a task-driven assistant and questions outside all of them; examples are the training part."""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

OUTSIDE = "out of scope"
_PARTS = {"train": ("train", "oos_train"), "val": ("val", "oos_val"), "test": ("test", "oos_test")}


def _part(data: TaskData, split: str) -> list[tuple[str, str]]:
    found = rows.json_value(data.path("data_full.json.gz"))
    return [(text, OUTSIDE if label == "oos" else labelled.words(label)) for name in _PARTS[split] for text, label in found[name]]


def _records(data: TaskData) -> Iterator[Record]:
    return labelled.examples(_part(data, "train"), "clinc150")


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    pool = _part(data, "train")
    return labelled.cases(_part(data, split), pool, sorted({label for _, label in pool}), split)


TASK = Task(
    name="clinc150",
    kind="example",
    about="Which of 150 intents a question to an assistant has, or none of them.",
    source="https://github.com/clinc/oos-eval",
    revision="828f8093932c8fe6ca7936c3d2e52903b1c523de",
    licence="CC BY 3.0",
    citation="Larson et al., An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction, EMNLP 2019",
    protocols=("classify", "rank"),
    measures=("accuracy", "macro-F1", "P@10"),
    splits=("test", "val"),
    files=(File("examples/clinc150/data_full.json.gz", "dd0506ed2b594e393560a13e087ed4bedd8cb2a9410ef0afb7efe5f7ee94638b"),),
    records=_records,
    cases=_cases,
)
