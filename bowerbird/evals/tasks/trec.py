"""TREC question classification: what sort of answer a question asks for, six coarse classes.

The fine class (50 of them) is in each case's facts; the choices are the coarse ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "harvardnlp/sent-conv-torch", "d61ded09c99c0199d8c5bca946cd65864de2b296"
_WORDS = {
    "ABBR": "abbreviation",
    "DESC": "description",
    "ENTY": "entity",
    "HUM": "person or group",
    "LOC": "location",
    "NUM": "number",
}


def _part(data: TaskData, split: str) -> list[tuple[str, str, str]]:
    found = []
    with rows.opened(data.path(f"TREC.{split}"), "latin-1") as lines:
        for line in lines:
            label, _, text = line.rstrip("\r\n").partition(" ")
            found.append((text, _WORDS[label.partition(":")[0]], label))
    return found


def _pairs(part: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    return [(text, label) for text, label, _ in part]


def _records(data: TaskData) -> Iterator[Record]:
    return labelled.examples(_pairs(_part(data, "train")), "trec")


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    part = _part(data, split)
    made = labelled.cases(_pairs(part), _pairs(_part(data, "train")), tuple(_WORDS.values()), split)
    for case, (_, _, fine) in zip(made, part, strict=True):
        yield replace(case, facts={"fine": fine})


TASK = Task(
    name="trec",
    kind="example",
    about="Which of six sorts of answer a question asks for.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="MIT (source repository); not stated for the data",
    citation="Li and Roth, Learning Question Classifiers, COLING 2002",
    protocols=("classify", "rank"),
    measures=("accuracy", "macro-F1", "P@10"),
    splits=("test",),
    files=(
        File("examples/trec-questions/TREC.test", "033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e"),
        File("examples/trec-questions/TREC.train", "9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3"),
    ),
    records=_records,
    cases=_cases,
)
