"""`rank`: the records that a spec finds, in order, against the ones that help. Knows no language model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from bowerbird.evals.judge import Judge, System, hit_keys, retrieval, way
from bowerbird.evals.measure import Result
from bowerbird.evals.results import Item
from bowerbird.evals.task import Case

__all__ = ["Rank", "depth"]

_WHOLE = 1000  # what average precision looks at, as trec_eval does


def depth(measures: Sequence[str]) -> int:
    """How many hits the measures look at."""
    cuts = [int(found[1]) for name in measures if (found := re.search(r"@(\d+)$", name))]
    return _WHOLE if len(cuts) < len(measures) else max(cuts, default=10)


class Rank(Judge):
    """Stages behind retrieval (compose, read, critique) are left away: hits are judged as they come.

    A case without gold is run and counts in no measure. Records named in the case's facts as `seen` are taken out of
    every ranking before it is judged. The baseline `none` finds nothing and scores 0; `full` has no order to judge.
    """

    name: ClassVar[str] = "rank"
    families: ClassVar[tuple[str, ...]] = ("ranking",)
    batch: ClassVar[int] = 64

    def baselines(self) -> list[System]:
        k = self._depth()
        self.left_out.append("full: all records at once are no ranking")
        return [System("none", "none", "nothing is found"), *self.retrievers(k), *self.oracle(k)]

    def system(self, spec: str) -> System:
        return System(spec, retrieval(way(spec, "a ranking").stage))

    def judge(self, system: System, cases: Sequence[Case]) -> list[Item]:
        corpus, items = self.setting.corpus, []
        for case, turn in zip(cases, self.ran(system, cases), strict=True):
            seen = set(case.facts.get("seen", ()))
            hits = tuple(key for key in hit_keys(turn, corpus) if key not in seen)
            items.append(self.made(case, Result(case.id, hits), turn))
        return items

    def _depth(self) -> int:
        seen = max((len(case.facts.get("seen", ())) for case in self.setting.cases), default=0)
        return depth(self.setting.measures) + seen
