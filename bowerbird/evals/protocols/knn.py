"""`knn`: the labels of the examples that a spec finds vote. What retrieval alone is worth, without a language model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from bowerbird.evals.judge import Judge, System, hit_keys, retrieval, way
from bowerbird.evals.measure import Result
from bowerbird.evals.results import Item
from bowerbird.evals.task import Case

__all__ = ["Knn", "guess", "label_of"]

_K = 8


class Knn(Judge):
    """The label that most of the first 8 hits bear; of equally many, the one whose first hit comes first (Cover and Hart, 1967).

    `none` and a vote without voters take a choice by a hash of the case: the chance level. `full` would be the commonest
    label of the pool.
    """

    name: ClassVar[str] = "knn"
    families: ClassVar[tuple[str, ...]] = ("classification", "agreement")
    batch: ClassVar[int] = 64

    def baselines(self) -> list[System]:
        self.left_out.append("full: every example would vote, which is the commonest label")
        return [System("none", "none", "a choice by chance"), *self.retrievers(_K), *self.oracle(_K)]

    def system(self, spec: str) -> System:
        return System(spec, retrieval(way(spec, "a vote").stage))

    def judge(self, system: System, cases: Sequence[Case]) -> list[Item]:
        corpus, items = self.setting.corpus, []
        for case, turn in zip(cases, self.ran(system, cases), strict=True):
            votes: dict[str, int] = {}
            for hit in turn.hits[:_K]:
                label = label_of(corpus.by_id[hit.id].fields)
                votes[label] = votes.get(label, 0) + 1
            said = max(votes, key=lambda label: votes[label]) if votes else guess(case)  # max keeps the first of equals
            items.append(self.made(case, Result(case.id, hit_keys(turn, corpus), said), turn, facts={"label": case.answers[0]}))
        return items


def label_of(fields: Mapping[str, Any]) -> str:
    """The label of an example."""
    return str(fields.get("label") or fields.get("output") or "")


def guess(case: Case) -> str:
    """A choice that hangs on the case's id alone."""
    digest = hashlib.blake2b(case.id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return case.choices[int.from_bytes(digest, "big") % len(case.choices)] if case.choices else ""
