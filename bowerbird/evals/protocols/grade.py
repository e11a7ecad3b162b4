"""`grade`: a judge of whole answers against people: which of two answers is better, or how good one is. Nothing is retrieved.

A judge gives an answer a grade, or two answers a preference; it knows the question and the answers, not what people said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bowerbird.errors import CapabilityMissing, UnknownName
from bowerbird.evals.judge import Judge, System, chance
from bowerbird.evals.measure import Result
from bowerbird.evals.results import Item
from bowerbird.evals.task import Case
from bowerbird.ports import LogLikelihood
from bowerbird.stages.words import share, words

__all__ = ["JUDGES", "Grade"]

_TIE = "tie"
_LONGEST = 1500  # letters of an answer that the model reads


@dataclass(frozen=True, slots=True)
class _Opinion:
    """`score`: the grade, or of a pair how much the first is preferred, in [-1, 1]; `facts`: what else there is to know."""

    score: float
    facts: Mapping[str, Any]


class Grade(Judge):
    """Of a pair the answer with the higher grade is said to be better, with a confidence of (1 + |difference|) / 2; equal grades are a tie
    where the task knows one, else the first. A single answer's grade is held against people's marks.

    Baselines: `none` finds all alike, `random` draws, `bm25` is the share of the question's words that the answer has, `dense` the cosine
    of question and answer, `oracle` what people said. Judges under test, by name: `length` (longer is better), `likelihood` (the mean
    log-probability of the answer behind the question), `verdict` (the model is shown both answers and asked, in both orders, so that a
    liking for a place cancels out; `flipped` says where the order decided; after Zheng et al., arXiv 2306.05685, section 3.4).
    """

    name: ClassVar[str] = "grade"
    retrieves: ClassVar[bool] = False
    asks: ClassVar[bool] = True
    families: ClassVar[tuple[str, ...]] = ("classification", "agreement", "calibration")
    batch: ClassVar[int] = 16

    def baselines(self) -> list[System]:
        if self.setting.encoder is None:
            raise CapabilityMissing("The encoder's cosine is a baseline of a judge: pip install 'bowerbird[openvino,weights]'.")
        self.left_out.append("full: there is nothing that could be shown in full")
        return [
            System("none", "", "all are alike"),
            System("random", "", "a draw for each answer"),
            System("bm25", "", "words that question and answer share"),
            System("dense", "", "cosine of question and answer"),
            System("oracle", "", "what people said"),
        ]

    def system(self, spec: str) -> System:
        if spec not in JUDGES:
            raise UnknownName("judge of answers", spec, JUDGES)
        if spec != "length" and not isinstance(self.setting.llm, LogLikelihood):
            raise CapabilityMissing(f"The judge {spec!r} needs a model with log-likelihoods, such as --llm local.")
        return System(spec, "", JUDGES[spec])

    def judge(self, system: System, cases: Sequence[Case]) -> list[Item]:
        with self.setting.watch:
            found = self._opinions(system.name, cases)
        return [self.made(case, self._result(case, one), facts=dict(one.facts)) for case, one in zip(cases, found, strict=True)]

    def _result(self, case: Case, one: _Opinion) -> Result:
        if "answers" not in case.facts:
            return Result(case.id, (), "", score=one.score)
        if one.score == 0.0:
            said = _TIE if _TIE in case.choices else "first"
        else:
            said = "first" if one.score > 0 else "second"
        return Result(case.id, (), said, score=one.score, confidence=(1 + abs(one.score)) / 2)

    def _opinions(self, name: str, cases: Sequence[Case]) -> list[_Opinion]:
        if name == "oracle":
            return [_Opinion(_of_people(case), {}) for case in cases]
        if name == "verdict" and "answers" in cases[0].facts:
            return self._verdicts(cases)
        grades = iter(self._grades(name, [(case, answer) for case in cases for answer in _answers(case)]))
        found = []
        for case in cases:
            mine = [next(grades) for _ in _answers(case)]
            found.append(_Opinion(mine[0] if len(mine) == 1 else math.tanh((mine[0] - mine[1]) / 2), {}))
        return found

    def _grades(self, name: str, pairs: Sequence[tuple[Case, str]]) -> list[float]:
        if name == "none":
            return [0.0] * len(pairs)
        if name == "random":
            return [chance(self.setting.seed + place, case) for place, (case, _) in enumerate(pairs)]
        if name == "length":
            return [math.log1p(len(words_of)) for words_of in (answer.split() for _, answer in pairs)]
        if name == "bm25":
            return [share(words(case.query), words(answer)) for case, answer in pairs]
        if name == "dense":
            encoder = self.setting.encoder
            assert encoder is not None  # `baselines` has looked
            asked, given = (encoder.encode(texts) for texts in zip(*((case.query, answer) for case, answer in pairs), strict=True))
            return [float(value) for value in (asked * given).sum(axis=1)]
        llm = self.setting.llm
        assert isinstance(llm, LogLikelihood)  # `system` has looked
        scored = llm.loglikelihood([(f"Question: {case.query}\nAnswer:", f" {answer[:_LONGEST].strip() or '.'}") for case, answer in pairs])
        return [total / max(tokens, 1) for total, tokens in scored]

    def _verdicts(self, cases: Sequence[Case]) -> list[_Opinion]:
        llm = self.setting.llm
        assert isinstance(llm, LogLikelihood)  # `system` has looked
        prompts = [_compared(case, order) for case in cases for order in ((0, 1), (1, 0))]
        scored = iter(llm.loglikelihood([(prompt, f" {letter}") for prompt in prompts for letter in "AB"]))
        found = []
        for _ in cases:
            shares = []
            for _ in range(2):
                (a, _n), (b, _m) = next(scored), next(scored)
                shares.append(1 / (1 + math.exp(min(30.0, max(-30.0, b - a)))))
            first, second = shares[0], 1 - shares[1]  # of the first answer, shown first and shown second
            found.append(_Opinion(first + second - 1, {"flipped": (first > 0.5) != (second > 0.5)}))
        return found


def _answers(case: Case) -> Sequence[str]:
    return [str(answer) for answer in case.facts["answers"]] if "answers" in case.facts else [str(case.facts["answer"])]


def _of_people(case: Case) -> float:
    marks: Mapping[str, float] = {"first": 1.0, "second": -1.0, _TIE: 0.0}
    return marks[case.facts["human"]] if "answers" in case.facts else float(case.facts["human"])


def _compared(case: Case, order: tuple[int, int]) -> str:
    answers = _answers(case)
    shown = [" ".join(answers[place].split())[:_LONGEST] for place in order]
    return f"Question: {case.query}\n\nAnswer A: {shown[0]}\n\nAnswer B: {shown[1]}\n\nThe better answer is Answer"


JUDGES: Mapping[str, str] = {
    "length": "the longer answer",
    "likelihood": "the likelier answer behind the question",
    "verdict": "the model's word on both, in both orders",
}
