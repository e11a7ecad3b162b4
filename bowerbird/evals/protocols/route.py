"""`route`: which model a question is sent to, judged by the logged scores and prices of every model on every question.

No model is asked. The strong and the weak one are those of the cases at hand (`metrics/routing.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.evals.judge import Judge, Setting, System, chance, hit_keys, retrieval, way
from bowerbird.evals.measure import Result
from bowerbird.evals.metrics.routing import pair
from bowerbird.evals.results import Item
from bowerbird.evals.task import Case
from bowerbird.types import Turn

__all__ = ["Route"]

_K = 50  # models


class Route(Judge):
    """A spec ranks records of kind `model`: the first one is chosen, and its wish for the strong model is the score of that
    record less the score of the weak one's.

    `none` sends everything to the weak model, `full` everything to the strong one, `random` tosses a coin, `oracle` takes
    the best model of each case (the cheapest of equals). A router that finds nothing sends to the weak model.
    """

    name: ClassVar[str] = "route"
    families: ClassVar[tuple[str, ...]] = ("routing", "spending")
    extra: ClassVar[tuple[str, ...]] = ("PGR",)
    batch: ClassVar[int] = 256

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.strong, self.weak = pair(setting.cases)
        unknown = {self.strong, self.weak} - {record.key for record in setting.corpus.records}
        if unknown:
            raise InvalidInput(f"Task {setting.task.name!r} scores models that it has no records of: {', '.join(sorted(unknown))}.")

    def baselines(self) -> list[System]:
        retrieved = [system for system in self.retrievers(_K) if system.name in ("bm25", "dense")]
        return [
            System("none", "", f"always the weak model, {self.weak}"),
            System("random", "", "a coin for each question"),
            *retrieved,
            System("oracle", "", "the best model of each question, as it turned out"),
            System("full", "", f"always the strong model, {self.strong}"),
        ]

    def system(self, spec: str) -> System:
        return System(spec, retrieval(way(spec, "a route").stage))

    def judge(self, system: System, cases: Sequence[Case]) -> list[Item]:
        if not system.spec:
            return [self.made(case, self._fixed(system.name, case)) for case in cases]
        turns = self.ran(system, cases)
        return [self.made(case, self._found(case, turn), turn) for case, turn in zip(cases, turns, strict=True)]

    def _fixed(self, name: str, case: Case) -> Result:
        scores, costs = case.facts["scores"], case.facts.get("costs", {})
        if name == "oracle":
            chosen = min(scores, key=lambda model: (-scores[model], costs.get(model, 0.0), model))
            return Result(case.id, (), chosen, score=float(scores[self.strong]) - float(scores[self.weak]))
        if name == "random":
            wish = chance(self.setting.seed, case)
            return Result(case.id, (), self.strong if wish >= 0.5 else self.weak, score=wish)
        return Result(case.id, (), self.strong if name == "full" else self.weak, score=0.0)

    def _found(self, case: Case, turn: Turn) -> Result:
        keys = hit_keys(turn, self.setting.corpus)
        scores = dict(zip(keys, (hit.score for hit in turn.hits), strict=True))
        chosen = next((key for key in keys if key in case.facts["scores"]), self.weak)
        return Result(case.id, keys, chosen, score=scores.get(self.strong, 0.0) - scores.get(self.weak, 0.0))
