"""`perplexity`: how probable the model finds the next piece of a text, behind the pieces of its past that a spec finds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.evals.judge import Judge, Setting, System, hit_keys, retrieval, way
from bowerbird.evals.measure import Result
from bowerbird.evals.results import Item
from bowerbird.evals.task import Case
from bowerbird.kinds import kind
from bowerbird.ports import LogLikelihood

__all__ = ["Perplexity"]

_K = 4


class Perplexity(Judge):
    """The found pieces in the order of the text, then the piece before, then the next one is scored (LLM-Embedder, arXiv 2310.07554,
    section 4; kNN-LM's simplest form). Pieces that do not fit the budget are left away, the worst first.

    There is no gold piece, so no oracle; `recency` is the nearest past.
    """

    name: ClassVar[str] = "perplexity"
    families: ClassVar[tuple[str, ...]] = ("likelihood",)
    extra: ClassVar[tuple[str, ...]] = ("nll",)
    power: ClassVar[str] = "log-likelihood"
    batch: ClassVar[int] = 8

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        assert isinstance(setting.llm, LogLikelihood)  # `check` has seen to it
        self.scorer: LogLikelihood = setting.llm
        self.places: dict[int, int] = {record.id: place for place, record in enumerate(setting.corpus.records)}

    @classmethod
    def cases(cls, cases: Sequence[Case]) -> list[Case]:
        if any(not case.answers for case in cases):
            raise InvalidInput("Perplexity needs the text that comes next as a case's answer; some cases have none.")
        return list(cases)

    def baselines(self) -> list[System]:
        assert self.setting.llm is not None
        room = self.setting.llm.context_window - 1024
        found = [System("none", "none", "the piece before alone"), *self.retrievers(_K), *self.oracle(_K)]
        return [*found, *self.full(self.setting.llm, min(room, self.setting.budget))]

    def system(self, spec: str) -> System:
        return System(spec, retrieval(way(spec, "a likelihood").stage))

    def judge(self, system: System, cases: Sequence[Case]) -> list[Item]:
        turns, llm, corpus = self.ran(system, cases), self.setting.llm, self.setting.corpus
        assert llm is not None
        prompts, sizes = [], []
        for case, turn in zip(cases, turns, strict=True):
            records = [corpus.by_id[hit.id] for hit in turn.hits]
            texts = [kind(record.kind).show(record) for record in records]
            taken, tokens = [], 0
            for record, text, size in zip(records, texts, llm.count(texts) if texts else [], strict=True):
                if tokens + size <= self.setting.budget:
                    taken.append((self.places[record.id], text))
                    tokens += size
            prompts.append("\n\n".join([*(text for _, text in sorted(taken)), case.query]))
            sizes.append(tokens)
        start = time.perf_counter()
        scores = self.scorer.loglikelihood([(prompt, f" {case.answers[0]}") for prompt, case in zip(prompts, cases, strict=True)])
        seconds = {"score": round((time.perf_counter() - start) / len(cases), 6)}
        items = []
        for case, turn, prompt, tokens, (total, count), read in zip(cases, turns, prompts, sizes, scores, llm.count(prompts), strict=True):
            result = Result(case.id, hit_keys(turn, corpus), nll=-total, scored=count, prompt_tokens=read + count, seconds=seconds)
            items.append(self.made(case, result, turn, context=prompt, tokens=tokens))
        return items
