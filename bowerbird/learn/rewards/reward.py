"""What a reward is: training groups in, the same groups out with a raw reward at every candidate, measured on a language model.

A reward is one file with a subclass of `Reward` and one line in the table. Give it `cached(llm, calls, together=256)` (`evals/cache.py`)
and a run that was killed goes on where it stopped. It knows nothing of what is trained from rewards.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from bowerbird.errors import BowerbirdError, CapabilityMissing, InvalidInput
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.rewards.prompts import Template, cut, template
from bowerbird.learn.trainer import Progress
from bowerbird.ports import LLM, LogLikelihood, capabilities

__all__ = ["Asked", "Measured", "NotANumber", "Reward", "Told", "in_parts", "mean_logs"]

Told = Callable[[int, int], None]  # how much is done, of how much
_Item = TypeVar("_Item")
_Made = TypeVar("_Made")

_BLOCK = 4096  # groups whose prompts are laid side by side: what they share is computed once
_PART = 1024  # of them that reach the model in one call


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
        told = functools.partial(progress, f"reward {self.name}") if progress else None
        done: list[Group] = []
        while len(done) < len(groups):
            block = [self._asked(group, llm) for group in groups[len(done) : len(done) + _BLOCK]]
            done += [self._filled(asked, found, llm) for asked, found in zip(block, self.measured(block, llm, told), strict=True)]
        return done

    def check(self, group: Group) -> None:
        """Raises `InvalidInput` where a group lacks what the reward is measured by: here, a gold output that says something."""
        if not group.answers or not all(answer.strip() for answer in group.answers):
            raise InvalidInput(
                f"Query {group.query!r:.80} has no gold output (or an empty one): the reward {self.name!r} cannot be measured."
            )

    @abstractmethod
    def measured(self, block: Sequence[Asked], llm: Any, told: Told | None = None) -> list[Measured]:
        """One value a group, in order. The model has the power that is needed. `told` hears how many of the model's calls are done."""

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


def mean_logs(llm: LogLikelihood, asked: Sequence[tuple[str, str]], told: Told | None = None) -> dict[tuple[str, str], tuple[float, int]]:
    """(prompt, output) -> (mean log-probability a token, tokens) of each distinct pair. Pairs that begin alike are asked side by side, over
    all groups: an example that is near 16 queries stands in front of all of them once."""
    pairs = sorted(set(asked))
    scores = in_parts(llm.loglikelihood, pairs, told)
    return {pair: (total / max(tokens, 1), tokens) for pair, (total, tokens) in zip(pairs, scores, strict=True)}


def in_parts(call: Callable[[Sequence[_Item]], Sequence[_Made]], items: Sequence[_Item], told: Told | None) -> list[_Made]:
    """What `call` makes of the items, given to it part by part, so that there is something to tell meanwhile."""
    made: list[_Made] = []
    while len(made) < len(items):
        made += call(items[len(made) : len(made) + _PART])
        if told:
            told(len(made), len(items))
    return made
