"""`metric`: the task's own measure of what the model writes with a candidate in front of the query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Measure, Result, get
from bowerbird.evals.scoring import family
from bowerbird.evals.task import Case
from bowerbird.learn.groups import Group
from bowerbird.learn.rewards.reward import Asked, Measured, Reward, Told, in_parts
from bowerbird.ports import Completion, Prompt

__all__ = ["Metric"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(Reward):
    """raw(q, c) = `measure` of the output given c (greedy, one line of at most `longest` tokens), negated where lower is better.

    `measure`: any that is a mean over cases, such as EM, F1, contains, accuracy. `choices`: closed outputs, for accuracy. A measure of a
    ranking (nDCG@10) judges what is found with the output: give `use`, (group, output) -> keys as ranked; gold are the group's
    labels above 0. Coarse: with EM most groups are all equal and teach nothing. Costs one answer a candidate.
    """

    name: ClassVar[str] = "metric"
    powers: ClassVar[tuple[str, ...]] = ("completion",)

    measure: str = "F1"
    longest: int = 32
    choices: tuple[str, ...] = ()
    use: Callable[[Group, str], Sequence[str]] | None = None

    def __post_init__(self) -> None:
        Reward.__post_init__(self)
        measure = get(self.measure)
        if measure.item is None or measure.better == "neither":
            raise InvalidInput(f"{self.measure} gives no value of a single output that could be better or worse: choose another measure.")
        if (family(self.measure) == "ranking") != (self.use is not None):
            raise InvalidInput(f"{self.measure}: `use`, what is found with an output, is for measures of a ranking, and those need it.")

    def check(self, group: Group) -> None:
        if self.use is None:
            Reward.check(self, group)
        elif not group.positives:
            raise InvalidInput(f"Query {group.query!r:.80} has no candidate known to help: {self.measure} of what is found says nothing.")

    def measured(self, block: Sequence[Asked], llm: Any, told: Told | None = None) -> list[Measured]:
        """(raw, nothing) in the measure's own unit; `about` has the tokens that were written, one number a run (without, then with)."""
        measure = get(self.measure)
        prompts = sorted({prompt for asked in block for prompt in asked.prompts})
        said = in_parts(partial(llm.complete, max_tokens=self.longest, stop=("\n",)), [Prompt(text=prompt) for prompt in prompts], told)
        outputs = dict(zip(prompts, said, strict=True))
        found = []
        for asked in block:
            each = [outputs[prompt] for prompt in asked.prompts]
            nothing, *raw = self._values(measure, asked.group, each)
            found.append(Measured(nothing, tuple(raw), {"measure": self.measure, "tokens": [one.completion_tokens for one in each]}))
        return found

    def _values(self, measure: Measure, group: Group, outputs: Sequence[Completion]) -> list[float]:
        case = Case(group.id, group.query, {c.key: c.label for c in group.positives}, group.answers, self.choices)
        results = []
        for one in outputs:
            keys = tuple(self.use(group, one.text.strip())) if self.use else ()
            results.append(
                Result(
                    case.id,
                    keys,
                    one.text.strip(),
                    prompt_tokens=one.prompt_tokens,
                    completion_tokens=one.completion_tokens,
                    cost=one.cost,
                )
            )
        sign = -1.0 if measure.better == "lower" else 1.0
        return [sign * value for value in measure.items([case] * len(results), results)]
