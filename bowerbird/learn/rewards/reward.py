"""What a reward is: training groups in, the same groups out with a raw reward at every candidate, measured on a language model.

A reward is one file with a subclass of `Reward` and one line in the table. Give it `cached(llm, calls, together=256)` (`evals/cache.py`)
and a run that was killed goes on where it stopped. It knows nothing of what is trained from rewards.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from bowerbird.errors import BowerbirdError, CapabilityMissing, InvalidInput
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.rewards.prompts import Template, cut, template
from bowerbird.learn.trainer import Progress
from bowerbird.ports import LLM, LogLikelihood, capabilities

__all__ = ["Asked", "Measured", "NotANumber", "Reward", "mean_logs"]

_BLOCK = 64  # groups whose prompts reach the model together: their candidates and queries share work


class NotANumber(BowerbirdError):
    """A reward came out as NaN or infinite: the model or its numbers are broken, and nothing may be trained from it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one group: the reward without any candidate, that with each (in their order), and what is to be known of them (plain JSON)."""

    nothing: float
    raw: tuple[float, ...]
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A group as the model sees it: the prompt without a candidate, then one a candidate."""

    group: Group
    template: Template
    prompts: tuple[str, ...]
    cut: tuple[str, ...]  # keys of the candidates that were too long


def _text(group: Group, candidate: Candidate) -> str:
    return candidate.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward(ABC):
    """`powers`: what of the model it needs, in the words of `capabilities`.

    `tokens`: what of a candidate is shown at most (512, as LLM-Embedder). `show`: a candidate as a prompt shows it; by default its text,
    which of an example is the input alone: give what its kind shows where outputs matter.
    """

    name: ClassVar[str] = ""
    powers: ClassVar[tuple[str, ...]] = ()

    tokens: int = 512
    show: Callable[[Group, Candidate], str] = _text

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise InvalidInput(f"tokens={self.tokens!r}: show at least one token of a candidate.")

    def score(self, groups: Sequence[Group], llm: LLM, progress: Progress | None = None) -> list[Group]:
        """The groups in order, each candidate with its `raw`, each group with `nothing` and what is `about` them; rewards are untouched.

        Raises, before the model is asked anything, `CapabilityMissing` for a model that cannot, and `InvalidInput` for a group that
        cannot be scored; `NotANumber`, with the candidate's key, for a value that is none.
        """
        able = capabilities(llm)
        if not set(self.powers) <= set(able):
            raise CapabilityMissing(
                f"The reward {self.name!r} needs a model with {' and '.join(self.powers)}; {getattr(llm, 'name', llm)} has "
                f"{', '.join(able) or 'neither'}. A local model has it: local, or local:FOLDER."
            )
        for group in groups:
            self.check(group)
        done: list[Group] = []
        while len(done) < len(groups):
            block = [self._asked(group, llm) for group in groups[len(done) : len(done) + _BLOCK]]
            done += [self._filled(asked, found, llm) for asked, found in zip(block, self.measured(block, llm), strict=True)]
            if progress:
                progress(f"reward {self.name}", len(done), len(groups))
        return done

    def check(self, group: Group) -> None:
        """Raises `InvalidInput` where a group lacks what the reward is measured by: here, a gold output that says something."""
        if not group.answers or not all(answer.strip() for answer in group.answers):
            raise InvalidInput(
                f"Query {group.query!r:.80} has no gold output (or an empty one): the reward {self.name!r} cannot be measured."
            )

    @abstractmethod
    def measured(self, block: Sequence[Asked], llm: Any) -> list[Measured]:
        """One value a group, in order. The model has the power that is needed."""

    def _asked(self, group: Group, llm: LLM) -> Asked:
        words, whole = template(group.kind), [self.show(group, candidate) for candidate in group.candidates]
        texts = [cut(text, self.tokens, llm) for text in whole]
        short = tuple(c.key for c, text, full in zip(group.candidates, texts, whole, strict=True) if text != full)
        return Asked(group, words, (words.prompt(group.query), *(words.prompt(group.query, text) for text in texts)), short)

    def _filled(self, asked: Asked, found: Measured, llm: LLM) -> Group:
        group = asked.group
        for name, value in (("the run without candidates", found.nothing), *zip((c.key for c in group.candidates), found.raw, strict=True)):
            if not math.isfinite(value):
                raise NotANumber(f"The reward {self.name!r} of {name!r} for query {group.query!r:.80} is {value} with {llm.name}.")
        about = {"reward": self.name, "model": llm.name, "template": asked.template.id, **found.about}
        if asked.cut:
            about["cut"] = list(asked.cut)
        candidates = tuple(replace(c, raw=value) for c, value in zip(group.candidates, found.raw, strict=True))
        return replace(group, candidates=candidates, nothing=found.nothing, about={**group.about, **about})


def mean_logs(llm: LogLikelihood, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[float, int]]:
    """(prompt, output) -> (mean log-probability a token, tokens) of each distinct pair. Pairs that begin alike are asked side by side."""
    pairs = sorted(set(asked))
    scores = llm.loglikelihood(pairs)
    return {pair: (total / max(tokens, 1), tokens) for pair, (total, tokens) in zip(pairs, scores, strict=True)}
