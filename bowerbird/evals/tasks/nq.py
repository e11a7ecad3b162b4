"""Natural Questions (open) with the gold passages of all questions pooled: easier than all of Wikipedia, and small.

Some passages answer several questions, so splits are drawn by passage: none is gold on two sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bowerbird.evals.rows import json_lines
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks._read import drawn
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_SCOPE = Scope("eval")
_SHARES = {"test": 0.3, "dev": 0.1, "train": 0.6}


def _rows(data: TaskData) -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """(key of the gold passage, whether it is new, row); passages are numbered in the order of their first question."""
    numbers: dict[str, str] = {}
    for row in json_lines(data.path("nq-open-oracle.jsonl.gz")):
        passage = row["ctxs"][0]
        new = passage["text"] not in numbers
        yield numbers.setdefault(passage["text"], f"p{len(numbers)}"), new, row


def _records(data: TaskData) -> Iterator[Record]:
    for key, new, row in _rows(data):
        if new:
            passage = row["ctxs"][0]
            yield Record(key, "passage", passage["text"], {"title": passage["title"]}, _SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for place, (key, _, row) in enumerate(_rows(data)):
        if drawn(row["ctxs"][0]["text"], _SHARES) == split:
            yield Case(f"q{place}", row["question"], {key: 1.0}, tuple(row["answers"]), scope=_SCOPE)


TASK = Task(
    name="nq",
    kind="passage",
    about="2,655 real search questions over their 2,600 gold Wikipedia passages; splits by the hash of the passage",
    source="https://github.com/nelson-liu/lost-in-the-middle",
    revision="29b8a6d042ce29abccee3db1a73171a107d7e6af",
    licence="CC BY-SA 3.0 (Natural Questions); MIT (source repository)",
    citation="Kwiatkowski et al., Natural Questions, TACL 2019; Liu et al., Lost in the middle, TACL 2024",
    protocols=("rank", "answer"),
    measures=("nDCG@10", "Recall@10", "MRR@10", "EM", "F1"),
    splits=("test", "dev", "train"),
    files=(File("knowledge/nq-open-oracle/nq-open-oracle.jsonl.gz", "6a7f72b846f663a133ef952244e5a4e43f06bcf190afe34e8fbe687ce0d1653e"),),
    records=_records,
    cases=_cases,
)
