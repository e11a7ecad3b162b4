"""Banking77: 77 intents of bank customers, close to one another; examples are the training part."""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "PolyAI-LDN/task-specific-datasets", "57ec275d8078af65b7731c2a98be812d844a6d6b"


def _part(data: TaskData, split: str) -> list[tuple[str, str]]:
    return [(row["text"], labelled.words(row["category"])) for row in rows.table_rows(data.path(f"{split}.csv"))]


def _records(data: TaskData) -> Iterator[Record]:
    return labelled.examples(_part(data, "train"), "banking77")


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    choices = [labelled.words(label) for label in rows.json_value(data.path("categories.json"))]
    return labelled.cases(_part(data, split), _part(data, "train"), choices, split)


TASK = Task(
    name="banking77",
    kind="example",
    about="Which of 77 intents a question to a bank has.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="CC BY 4.0",
    citation="Casanueva et al., Efficient Intent Detection with Dual Sentence Encoders, NLP4ConvAI 2020",
    protocols=("classify", "rank"),
    measures=("accuracy", "macro-F1", "P@10"),
    splits=("test",),
    files=tuple(
        File(f"examples/banking77/{name}", sha256, rows.github(_REPOSITORY, _REVISION, f"banking_data/{name}"))
        for name, sha256 in (
            ("categories.json", "53261da888122daf2d120d925458631d9619e15d82e56052e7a42e535ce32b63"),
            ("test.csv", "d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d"),
            ("train.csv", "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b"),
        )
    ),
    records=_records,
    cases=_cases,
)
