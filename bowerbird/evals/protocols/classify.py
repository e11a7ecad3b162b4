"""`classify`: the language model chooses among closed outputs, behind the examples that a spec finds.

It knows what the model finds likeliest, not how sure it is.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from typing import ClassVar

from bowerbird.errors import CapabilityMissing
from bowerbird.evals.judge import Judge, Setting, System, hit_keys, retrieval, way
from bowerbird.evals.measure import Result
from bowerbird.evals.results import Item
from bowerbird.evals.task import Case
from bowerbird.kinds import kind
from bowerbird.ports import LLM, LogLikelihood, Prompt, capabilities
from bowerbird.types import Turn, replace

__all__ = ["Classify"]

_K = 8
_SCORED = 16  # up to so many choices are scored one by one, which needs log-likelihoods; among more, any model that writes can choose


class Classify(Judge):
    """k examples, the nearest last (Liu et al., arXiv 2101.06804, section 4), then the input; budget as the run's.

    Up to 16 choices: the one with the highest log-probability a token is taken (Brown et al., arXiv 2005.14165, section
    2.4). More: the choices are listed, the model writes a line, and what of it counts as a choice is `metrics/classification.py`'s
    to say. Records that are no examples are shown as they are, before a question.
    """

    name: ClassVar[str] = "classify"
    families: ClassVar[tuple[str, ...]] = ("classification", "agreement", "calibration")
    power: ClassVar[str] = "completion"
    batch: ClassVar[int] = 8

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        assert setting.llm is not None  # `check` has seen to it
        self.llm: LLM = setting.llm
        self.examples = any(record.kind == "example" for record in setting.corpus.records)
        self.scored = max(len(case.choices) for case in setting.cases) <= _SCORED
        longest = {choice for case in setting.cases for choice in case.choices}
        self.longest = max(self.llm.count(sorted(longest)), default=1) + 2
        if self.scored and not isinstance(self.llm, LogLikelihood):
            able = ", ".join(capabilities(self.llm))
            raise CapabilityMissing(f"Choosing among {_SCORED} outputs or fewer needs log-likelihoods; {self.llm.name} has {able}.")

    def baselines(self) -> list[System]:
        room = self.llm.context_window - self.setting.budget
        found = [System("none", "none", "the model without examples"), *self.retrievers(_K), *self.oracle(_K)]
        return [*found, *self.full(self.llm, room)]

    def system(self, spec: str) -> System:
        return System(spec, retrieval(way(spec, "a choice").stage))

    def judge(self, system: System, cases: Sequence[Case]) -> list[Item]:
        turns = self.ran(system, cases)
        budget = self.setting.budget if system.budget is None else system.budget
        shown = [self._shown(turn, budget) for turn in turns]
        prompts = [self._prompt(case, text) for case, (text, _) in zip(cases, shown, strict=True)]
        chosen = self._scored(cases, prompts) if self.scored else self._written(cases, prompts)
        items = []
        for case, turn, (text, tokens), result in zip(cases, turns, shown, chosen, strict=True):
            result = replace(result, keys=hit_keys(turn, self.setting.corpus))
            items.append(self.made(case, result, turn, context=text, tokens=tokens, facts={"label": case.answers[0]}))
        return items

    def _shown(self, turn: Turn, budget: int) -> tuple[str, int]:
        """The records of the hits under the budget, the best nearest to the question; and their tokens."""
        records = [self.setting.corpus.by_id[hit.id] for hit in turn.hits]
        texts = [kind(record.kind).show(record) for record in records]
        taken: list[str] = []
        tokens = 0
        for text, size in zip(texts, self.llm.count(texts) if texts else [], strict=True):
            if tokens + size > budget:
                break
            taken.insert(0, text)
            tokens += size
        return "\n\n".join(taken), tokens

    def _prompt(self, case: Case, context: str) -> str:
        asked = f"Input: {case.query}\nOutput:" if self.examples else f"Question: {case.query}\nAnswer:"
        listed = "" if self.scored else f"Outputs: {', '.join(case.choices)}"
        said = "\n".join(f"{message.role}: {message.content}" for message in case.history)
        return "\n\n".join(part for part in (listed, context, said, asked) if part)

    def _scored(self, cases: Sequence[Case], prompts: Sequence[str]) -> list[Result]:
        """One call for the batch; the model sorts it by length. The score is the first choice's share of the probability."""
        llm = self.llm
        assert isinstance(llm, LogLikelihood)
        start = time.perf_counter()
        pairs = [(prompt, f" {choice}") for case, prompt in zip(cases, prompts, strict=True) for choice in case.choices]
        scores = iter(llm.loglikelihood(pairs))
        seconds = round((time.perf_counter() - start) / len(cases), 6)
        chosen = []
        for case, size in zip(cases, self.llm.count(prompts), strict=True):
            each = [total / max(tokens, 1) for total, tokens in itertools.islice(scores, len(case.choices))]
            odds = [math.exp(score - max(each)) for score in each]
            said = case.choices[each.index(max(each))]
            share = [odd / sum(odds) for odd in odds]
            read = size * len(case.choices)
            chosen.append(Result(case.id, (), said, score=share[0], confidence=max(share), prompt_tokens=read, seconds={"choose": seconds}))
        return chosen

    def _written(self, cases: Sequence[Case], prompts: Sequence[str]) -> list[Result]:
        start = time.perf_counter()
        said = self.llm.complete([Prompt(text=prompt) for prompt in prompts], max_tokens=self.longest, stop=("\n",))
        seconds = {"choose": round((time.perf_counter() - start) / len(cases), 6)}
        return [
            Result(
                case.id,
                (),
                one.text.strip(),
                prompt_tokens=one.prompt_tokens,
                completion_tokens=one.completion_tokens,
                cost=one.cost,
                seconds=seconds,
            )
            for case, one in zip(cases, said, strict=True)
        ]
