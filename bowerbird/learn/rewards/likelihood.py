"""`likelihood`: how probable the gold output becomes with a candidate in front of the query."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from bowerbird.errors import UnknownName
from bowerbird.learn.rewards.reward import Asked, Measured, Reward, Told, mean_logs

__all__ = ["Likelihood"]

Answers = Literal["first", "best", "mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood(Reward):
    """raw(q, c) = (1/T) · Σ_t ln p(o_t | prompt(c, q), o_<t), over the T tokens of the gold output o alone, log-softmax in fp32
    (REPLUG, arXiv 2301.12652, section 4; LLM-Embedder, arXiv 2310.07554, section 3).

    `nothing` is the same without a candidate, so a candidate's gain is raw - nothing. Of several gold outputs: `answers` = "first"
    takes the canonical one (the least work); "best" the one that is likeliest with this candidate, which favours short aliases; "mean" the
    mean over them. LLM-Embedder draws one at random. Costs one pass a candidate and answer, less what they share (docs/llms.md).
    """

    name: ClassVar[str] = "likelihood"
    powers: ClassVar[tuple[str, ...]] = ("log-likelihood",)

    answers: Answers = "first"

    def __post_init__(self) -> None:
        Reward.__post_init__(self)
        if self.answers not in get_args(Answers):
            raise UnknownName("way of taking several answers", self.answers, get_args(Answers))

    def measured(self, block: Sequence[Asked], llm: Any, told: Told | None = None) -> list[Measured]:
        """(raw, nothing) in nats a token; `about` counts the tokens of each answer that was scored."""
        outputs = [self._outputs(asked) for asked in block]
        pairs = [(prompt, o) for asked, each in zip(block, outputs, strict=True) for prompt in asked.prompts for o in each]
        scores = mean_logs(llm, pairs, told)
        found = []
        for asked, each in zip(block, outputs, strict=True):
            nothing, *raw = (self._of([scores[prompt, output][0] for output in each]) for prompt in asked.prompts)
            tokens = [scores[asked.prompts[0], output][1] for output in each]
            found.append(Measured(nothing, tuple(raw), {"answers": self.answers, "tokens": tokens}))
        return found

    def _outputs(self, asked: Asked) -> list[str]:
        taken = asked.group.answers[:1] if self.answers == "first" else asked.group.answers
        return [asked.template.output(answer) for answer in taken]

    def _of(self, values: Sequence[float]) -> float:
        return math.fsum(values) / len(values) if self.answers == "mean" else max(values)
