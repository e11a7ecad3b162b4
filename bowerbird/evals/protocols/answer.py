"""`answer`: the language model answers from the context that a spec makes, and the answer is held against the accepted ones.

It knows whether an answer has the right words, not whether it is true.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from bowerbird.evals.judge import Judge, Setting, System, hit_keys, way
from bowerbird.evals.measure import Result
from bowerbird.evals.results import Item
from bowerbird.evals.task import Case

__all__ = ["AnswerFrom"]

_K = 10  # records that a baseline finds for the budget to choose from
_LONGEST = 256  # tokens of an answer
_MARK = re.compile(r"\s*\[\d+\]")
_AROUND = 512  # tokens for the question, the history and what a template adds


class AnswerFrom(Judge):
    """A spec without a composer gets `budget`, one without a reader the model, with the run's budget and answer length.

    Answers may be as long as the 95th percentile of the accepted ones and half as much again, by the model's tokenizer:
    one that runs on would lose F1 for its length alone. Citation marks are taken out before measuring. `none` asks the model
    without context, `oracle` shows the gold records, `full` all that the case may see where that fits the window.
    """

    name: ClassVar[str] = "answer"
    families: ClassVar[tuple[str, ...]] = ("answers", "overlap")
    power: ClassVar[str] = "completion"
    batch: ClassVar[int] = 16

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        llm = setting.llm
        assert llm is not None  # `check` has seen to it
        self.llm = llm
        wanted = [str(case.facts.get("worked") or case.answers[0]) for case in setting.cases if case.answers]
        sizes = sorted(llm.count(wanted)) if wanted else [16]
        self.longest = min(_LONGEST, int(sizes[int(0.95 * (len(sizes) - 1))] * 1.5) + 8)

    def baselines(self) -> list[System]:
        tail = f" >> budget >> {self._reader()}"
        found = [System("none", f"never{tail}", "the model without context"), *self.retrievers(_K, tail), *self.oracle(_K, tail)]
        room = self.llm.context_window - self.longest - _AROUND
        return [*found, *self.full(self.llm, room, tail)]

    def system(self, spec: str) -> System:
        roles = way(spec, "an answer").roles
        tail = ("" if "compose" in roles else " >> budget") + ("" if "read" in roles else f" >> {self._reader()}")
        return System(spec, spec + tail, spec + tail)

    def judge(self, system: System, cases: Sequence[Case]) -> list[Item]:
        turns = self.ran(system, cases, self.setting.budget if system.budget is None else system.budget)
        items = []
        for case, turn in zip(cases, turns, strict=True):
            said = _MARK.sub("", turn.answer.text).strip() if turn.answer else ""
            errors = [str(step.info["error"]) for step in turn.trace if "error" in step.info]
            result = Result(case.id, hit_keys(turn, self.setting.corpus), said)
            items.append(self.made(case, result, turn, facts={"error": errors[0]} if errors else None))
        return items

    def _reader(self) -> str:
        return f"llm(max_tokens={self.longest}, attribute=False)"
