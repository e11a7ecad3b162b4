"""`rank_aware`: how far up a candidate brings the gold output among outputs that the model itself would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.evals.metrics.answers import tokens as words
from bowerbird.learn.rewards.reward import Asked, Measured, Reward, Told, in_parts, mean_logs
from bowerbird.ports import LLM, Prompt

__all__ = ["RankAware"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankAware(Reward):
    """raw(q, c) = 1 / rank of the gold output given c; nothing(q) = 1 / rank of it given no candidate; so the improvement of its
    reciprocal rank is raw - nothing, in (-1, 1).

    `samples` outputs are drawn once a query, without a candidate, at temperature 1 with the seeds `seed`, `seed` + 1, …, one line of at
    most `longest` tokens each; equal ones count once, and those equal to an accepted answer (after normalisation) are no rivals. Gold and
    rivals are then ranked by their length-normalised log-likelihood given each candidate: rank = 1 + rivals above + half of those level.
    After the later version of LLM-Embedder ("rank-aware reward", N = 10), which gives no formula for "improves": the reciprocal is ours. It
    tells candidates apart where likelihoods all saturate, and not within a rank. Costs samples + 1 outputs behind each prompt.
    """

    name: ClassVar[str] = "rank_aware"
    powers: ClassVar[tuple[str, ...]] = ("completion", "log-likelihood")

    samples: int = 10
    longest: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        Reward.__post_init__(self)
        if self.samples < 1 or self.longest < 1:
            raise InvalidInput(f"samples={self.samples!r}, longest={self.longest!r}: at least one sample of at least one token.")

    def measured(self, block: Sequence[Asked], llm: Any, told: Told | None = None) -> list[Measured]:
        """(raw, nothing) as reciprocal ranks; `about` has the number of rivals and the gold output's tokens."""
        rivals = self._rivals(block, llm, told)
        outputs = [[asked.template.output(o) for o in (asked.group.answers[0], *each)] for asked, each in zip(block, rivals, strict=True)]
        pairs = [(prompt, o) for asked, each in zip(block, outputs, strict=True) for prompt in asked.prompts for o in each]
        scores = mean_logs(llm, pairs, told)
        found = []
        for asked, each in zip(block, outputs, strict=True):
            nothing, *raw = (_reciprocal([scores[prompt, output][0] for output in each]) for prompt in asked.prompts)
            about = {"rivals": len(each) - 1, "samples": self.samples, "seed": self.seed, "tokens": [scores[asked.prompts[0], each[0]][1]]}
            found.append(Measured(nothing, tuple(raw), about))
        return found

    def _rivals(self, block: Sequence[Asked], llm: LLM, told: Told | None) -> list[list[str]]:
        drawn: list[dict[str, None]] = [{} for _ in block]
        prompts = [Prompt(text=asked.prompts[0]) for asked in block]
        for seed in range(self.seed, self.seed + self.samples):
            said = in_parts(partial(llm.complete, max_tokens=self.longest, temperature=1.0, stop=("\n",), seed=seed), prompts, told)
            for asked, one, kept in zip(block, said, drawn, strict=True):
                text = one.text.strip()
                if text and all(words(text) != words(answer) for answer in asked.group.answers):
                    kept[text] = None
        return [list(kept) for kept in drawn]


def _reciprocal(values: Sequence[float]) -> float:
    """1 / rank of the first value among all; NaN where any value is none, which has no rank."""
    gold, *others = values
    if any(map(math.isnan, values)):
        return math.nan
    return 1 / (1 + sum(value > gold for value in others) + sum(value == gold for value in others) / 2)
