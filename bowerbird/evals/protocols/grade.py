"""`grade`: a judge of whole answers against people: which of two answers is better, or how good one is. Nothing is retrieved.

A judge gives an answer a grade, or two answers a preference; it knows the question and the answers, not what people said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import numpy as np

from bowerbird import table
from bowerbird.errors import CapabilityMissing, InvalidInput, UnknownName
from bowerbird.evals.judge import Judge, System, chance
from bowerbird.evals.measure import Result
from bowerbird.evals.results import BASELINES, Item
from bowerbird.evals.task import Case
from bowerbird.ports import LogLikelihood, Sparse

__all__ = ["JUDGES", "Grade"]

_TIE = "tie"
_LETTERS = 1500  # of an answer that the model reads

JUDGES: Mapping[str, str] = {
    "likelihood": "the model: how likely the answer is behind the question",
    "verdict": "the model: its word on the answers, in both orders",
}


@dataclass(frozen=True, slots=True)
class _Opinion:
    """`score`: the grade of an answer, or how far the first of two is preferred, in [-1, 1]; `flips`: whether another order of the two
    would have turned the preference around."""

    score: float
    flips: bool = False


class Grade(Judge):
    """Of a pair the answer with the higher grade is preferred, with the confidence that the logistic function makes of the difference
    (Bradley and Terry, 1952); equal grades are a tie where the task knows one, else the first. A single answer's grade is held against
    people's marks.

    Baselines: `none` finds all alike, `random` draws, `length` takes the longer answer (log of its words), `bm25` is the
    question's BM25 over the answer, all terms alike rare, `dense` the cosine of question and answer, `oracle` what people said.

    The model under test, by name: `likelihood` is the mean log-probability of the answer's tokens behind the question. `verdict` asks it:
    both answers are shown in both orders, and the mean of the two probabilities is its word, so that a liking for a place cancels out
    (Zheng et al., arXiv 2306.05685, section 3.4; Wang et al., arXiv 2305.17926); `flips` counts where the order would have decided. A
    single answer is asked about with yes and no. It reads the first 1,500 letters of an answer.
    """

    name: ClassVar[str] = "grade"
    retrieves: ClassVar[bool] = False
    families: ClassVar[tuple[str, ...]] = ("classification", "agreement", "calibration")
    batch: ClassVar[int] = 16

    @classmethod
    def asks(cls, tested: Sequence[str]) -> bool:
        return not JUDGES.keys().isdisjoint(tested)

    @classmethod
    def cases(cls, cases: Sequence[Case]) -> list[Case]:
        lacking = [case.id for case in cases if not case.facts.keys() & {"answer", "answers"}]
        if lacking:
            raise InvalidInput(f"{len(lacking)} of {len(cases)} cases have no answer to grade ({', '.join(lacking[:3])}).")
        return list(cases)

    def baselines(self) -> list[System]:
        if self.setting.encoder is None:
            raise CapabilityMissing("The encoder's cosine is a baseline of a judge: pip install 'bowerbird[openvino,weights]'.")
        self.left_out += ["recency: answers have no time", "full: a judge is shown all that there is"]
        return [
            System("none", "", "all are alike"),
            System("random", "", "a draw for each answer"),
            System("length", "", "the longer answer"),
            System("bm25", "", "words that the question and the answer share"),
            System("dense", "", "cosine of question and answer"),
            System("oracle", "", "what people said"),
        ]

    def system(self, spec: str) -> System:
        if spec in BASELINES:
            raise InvalidInput(f"{spec!r} is a baseline and runs anyway; judges to name are {' and '.join(JUDGES)}.")
        if spec not in JUDGES:
            raise UnknownName("judge of answers", spec, JUDGES)
        if not isinstance(self.setting.llm, LogLikelihood):
            raise CapabilityMissing(f"The judge {spec!r} needs a model with log-likelihoods, such as --llm local.")
        return System(spec, "", JUDGES[spec])

    def judge(self, system: System, cases: Sequence[Case]) -> list[Item]:
        with self.setting.watch:
            found = self._opinions(system.name, cases)
        results = [self._result(case, one, system.name == "oracle") for case, one in zip(cases, found, strict=True)]
        return [self.made(case, result, facts={"people": case.facts["human"]}) for case, result in zip(cases, results, strict=True)]

    def _result(self, case: Case, one: _Opinion, certain: bool) -> Result:
        if "answers" not in case.facts:
            return Result(case.id, score=one.score)
        tied = _TIE if _TIE in case.choices else "first"
        said = "first" if one.score > 0 else "second" if one.score < 0 else tied
        return Result(case.id, (), said, score=one.score, confidence=1.0 if certain else (1 + abs(one.score)) / 2, flips=one.flips)

    def _opinions(self, name: str, cases: Sequence[Case]) -> list[_Opinion]:
        if name == "oracle":
            return [_Opinion(_of_people(case)) for case in cases]
        if name == "verdict" and "answers" in cases[0].facts:
            return self._verdicts(cases)
        grades = iter(self._grades(name, [(case, answer) for case in cases for answer in _answers(case)]))
        each = [list(islice(grades, len(_answers(case)))) for case in cases]
        return [_Opinion(mine[0] if len(mine) == 1 else math.tanh((mine[0] - mine[1]) / 2)) for mine in each]

    def _grades(self, name: str, answers: Sequence[tuple[Case, str]]) -> list[float]:
        if name == "none":
            return [0.0] * len(answers)
        if name == "random":
            return [chance(self.setting.seed + place, case) for place, (case, _) in enumerate(answers)]
        if name == "length":
            return [math.log1p(len(answer.split())) for _, answer in answers]
        if name == "bm25":
            terms = table.load("encoders", "bm25")()
            queries, keys = terms.encode_queries([case.query for case, _ in answers]), terms.encode_keys([answer for _, answer in answers])
            return [_product(query, key) for query, key in zip(queries, keys, strict=True)]
        if name == "dense":
            encoder = self.setting.encoder
            assert encoder is not None  # `baselines` has looked
            asked, given = (encoder.encode(texts) for texts in zip(*((case.query, answer) for case, answer in answers), strict=True))
            return [float(value) for value in (asked * given).sum(axis=1)]
        if name == "verdict":
            prompts = [
                f"Question: {case.query}\n\nAnswer: {_line(answer)}\n\nIs this a good answer? Yes or no:" for case, answer in answers
            ]
            yes_no = self._likely([(prompt, word) for prompt in prompts for word in (" Yes", " No")])
            return [yes - no for yes, no in zip(yes_no[::2], yes_no[1::2], strict=True)]
        return self._likely([(f"Question: {case.query}\nAnswer:", f" {_line(answer)}") for case, answer in answers])

    def _verdicts(self, cases: Sequence[Case]) -> list[_Opinion]:
        prompts = [_compared(case, order) for case in cases for order in ((0, 1), (1, 0))]
        letters = self._likely([(prompt, letter) for prompt in prompts for letter in (" A", " B")])
        shares = [1 / (1 + math.exp(min(30.0, b - a))) for a, b in zip(letters[::2], letters[1::2], strict=True)]  # of the one shown first
        found = []
        for ahead, behind in zip(shares[::2], shares[1::2], strict=True):  # the first answer shown first, and shown second
            found.append(_Opinion(ahead - behind, flips=(ahead - 0.5) * (behind - 0.5) > 0))
        return found

    def _likely(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Log-probability a token of each output."""
        llm = self.setting.llm
        assert isinstance(llm, LogLikelihood)  # `system` has looked
        return [total / max(tokens, 1) for total, tokens in llm.loglikelihood(pairs)]


def _product(query: Sparse, key: Sparse) -> float:
    _, ours, theirs = np.intersect1d(query.indices, key.indices, assume_unique=True, return_indices=True)
    return float(query.values[ours] @ key.values[theirs])


def _answers(case: Case) -> Sequence[str]:
    return [str(answer) for answer in case.facts["answers"]] if "answers" in case.facts else [str(case.facts["answer"])]


def _of_people(case: Case) -> float:
    marks: Mapping[str, float] = {"first": 1.0, "second": -1.0, _TIE: 0.0}
    return marks[case.facts["human"]] if "answers" in case.facts else float(case.facts["human"])


def _compared(case: Case, order: tuple[int, int]) -> str:
    first, second = (_line(_answers(case)[place]) for place in order)
    return f"Question: {case.query}\n\nAnswer A: {first}\n\nAnswer B: {second}\n\nThe better answer is Answer"


def _line(answer: str) -> str:
    """An answer as the model reads it; of one that says nothing, a dash."""
    return " ".join(answer.split())[:_LETTERS] or "-"
