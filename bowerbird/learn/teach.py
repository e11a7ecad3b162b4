"""Training groups from evaluation tasks: what their training cases say helps. It knows tasks, and nothing of what is trained.

Test cases never come near: a group is made from a split that the task itself sets apart, or, for labelled examples without
one, from the pool of records that the test cases are answered from.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from bowerbird.errors import InvalidInput
from bowerbird.evals.bench import Corpus
from bowerbird.evals.sample import drawn
from bowerbird.evals.task import Case, Task
from bowerbird.kinds import kind
from bowerbird.learn.groups import Candidate, Group
from bowerbird.types import Record

__all__ = ["TRAIN", "taught"]

TRAIN = ("train", "valid", "val", "tune")
"""Names of splits to learn from, the first that a task has."""
_T = TypeVar("_T")
_MOST = 8  # positives a group: labelled tasks have hundreds of equals


def taught(task: Task, data: Path | None = None, limit: int | None = None, seed: int = 0, split: str = "") -> list[Group]:
    """Up to `limit` groups (None = all), an even sample, the same each time. Raises `InvalidInput` where a task has nothing to teach.

    `split`: another one than the task's own for training, such as "test" for groups to judge by.

    A group's candidates are the records that help its case, at most 8 of them, drawn by `seed`; its scope is the case's.
    """
    found = task.data(data)
    corpus = Corpus(task.records(found))
    named = split or next((name for name in TRAIN if name in task.splits), "")
    if named:
        return list(_from_cases(task, corpus, drawn(list(task.cases(found, named)), limit, seed), seed))
    if any("label" in record.fields for record in corpus.records):
        return list(_from_pool(task, corpus.records, limit, seed))
    raise InvalidInput(f"Task {task.name!r} has nothing to learn from: no split of {', '.join(TRAIN)}, and no labelled records.")


def _from_cases(task: Task, corpus: Corpus, cases: Sequence[Case], seed: int) -> Iterator[Group]:
    for case in cases:
        if "scores" in case.facts:  # models, each with what it scored
            yield _routed(task, corpus, case)
            continue
        gold = {key: record for key in case.gold if (record := corpus.record(key, case.scope)) is not None}
        for name in sorted({record.kind for record in gold.values()}):
            keys = [key for key, record in gold.items() if record.kind == name]
            candidates = tuple(_candidate(gold[key], case.gold[key]) for key in _few(keys, f"{seed}/{case.id}"))
            yield Group(case.query, name, task.name, candidates, case.answers, scope=str(case.scope), about={"case": case.id})


def _routed(task: Task, corpus: Corpus, case: Case) -> Group:
    scores = case.facts["scores"]
    models = {key: record for key in scores if (record := corpus.record(key, case.scope)) is not None}
    candidates = tuple(
        Candidate(key, kind(record.kind).encode(record), float(key in case.gold), raw=float(scores[key])) for key, record in models.items()
    )
    about = {"case": case.id, "costs": dict(case.facts.get("costs") or {})}
    return Group(case.query, "model", task.name, candidates, scope=str(case.scope), about=about)


def _from_pool(task: Task, pool: Sequence[Record], limit: int | None, seed: int) -> Iterator[Group]:
    """Each record of the pool asks for the others of its label."""
    by_label: defaultdict[str, list[Record]] = defaultdict(list)
    for record in pool:
        by_label[str(record.fields["label"])].append(record)
    asked = [Case(record.key, record.text, category=str(record.fields["label"]), scope=record.scope) for record in pool]
    for case in drawn(asked, limit, seed):
        others = [record for record in by_label[case.category] if record.key != case.id]
        if others:
            candidates = tuple(_candidate(record, 1.0) for record in _few(others, f"{seed}/{case.id}"))
            yield Group(case.query, others[0].kind, task.name, candidates, (case.category,), scope=str(case.scope), about={"case": case.id})


def _few(things: Sequence[_T], draw: str) -> list[_T]:
    if len(things) <= _MOST:
        return list(things)
    number = int.from_bytes(hashlib.blake2b(draw.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
    return random.Random(number).sample(list(things), _MOST)


def _candidate(record: Record, label: float) -> Candidate:
    return Candidate(record.key, kind(record.kind).encode(record), float(label))
