"""`rewrite`: how near a rewritten question is to the one that people made understandable alone. Nothing is retrieved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bowerbird import spec as specs
from bowerbird.errors import InvalidInput
from bowerbird.evals.judge import Judge, System, chance
from bowerbird.evals.measure import Result
from bowerbird.evals.results import Item
from bowerbird.evals.task import Case
from bowerbird.flow import leaves
from bowerbird.types import Turn

__all__ = ["RewriteOf"]


class RewriteOf(Judge):
    """`none` leaves the question as it was said, `recency` puts the user's turn before in front, `random` one of the earlier ones, `full`
    all of them, `oracle` says it as people did. A spec is stages of the role rewrite; several queries are judged as one text."""

    name: ClassVar[str] = "rewrite"
    retrieves: ClassVar[bool] = False
    families: ClassVar[tuple[str, ...]] = ("answers", "overlap")
    batch: ClassVar[int] = 16

    def baselines(self) -> list[System]:
        self.left_out += [f"{name}: there are no records to search" for name in ("bm25", "dense")]
        return [
            System("none", "", "as it was said"),
            System("random", "", "behind one of the user's earlier turns"),
            System("recency", "history(turns=1)", "behind the user's turn before"),
            System("oracle", "", "as people said it"),
            System("full", "history(turns=0)", "behind all of the user's earlier turns"),
        ]

    def system(self, spec: str) -> System:
        if {leaf.role for leaf in leaves(specs.parse(spec))} != {"rewrite"}:
            raise InvalidInput(f"{spec!r} rewrites no question: name stages of that role, such as history(turns=2) or llm_rewrite.")
        return System(spec, spec)

    def judge(self, system: System, cases: Sequence[Case]) -> list[Item]:
        if not system.spec:
            return [self.made(case, Result(case.id, (), self._fixed(system.name, case))) for case in cases]
        llm = self.setting.llm
        stage = specs.parse(system.spec).bind(lambda name: llm if name == "llm" else None)
        with self.setting.watch:
            turns = stage([Turn(case.query, case.scope, id=case.id, history=case.history) for case in cases])
        items = []
        for case, turn in zip(cases, turns, strict=True):
            kept = {name: value for step in turn.trace for name, value in step.info.items() if name == "kept"}
            items.append(self.made(case, Result(case.id, (), " ".join(turn.asked)), turn, facts=kept))
        return items

    def _fixed(self, name: str, case: Case) -> str:
        if name == "oracle":
            return case.answers[0]
        before = [message.content for message in case.history if message.role == "user"] if name == "random" else []
        drawn = before[int(chance(self.setting.seed, case) * len(before))] if before else ""
        return f"{drawn} {case.query}".strip()
