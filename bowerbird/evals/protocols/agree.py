"""`agree`: a check of citations against people: is this claim borne out by this evidence. No records and no model are needed.

It knows the check by its verdict and its support; what people said is the gold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bowerbird import spec as specs
from bowerbird.errors import CapabilityMissing, InvalidInput
from bowerbird.evals.judge import Judge, System, chance
from bowerbird.evals.measure import Result
from bowerbird.evals.results import Item
from bowerbird.evals.task import Case
from bowerbird.flow import leaves
from bowerbird.types import Answer, Block, Citation, Context, Hit, Record, Turn, replace

__all__ = ["Agree"]

_MARK = "[1]"
_NOT = "anything else"


class Agree(Judge):
    """People's labels are taken as two: the first of the choices (fully borne out), or anything else. A claim with its evidence is
    put through the check as an answer with one citation; it says yes where the citation stays, and its support is the score.

    `none` believes everything, `random` tosses a coin, `bm25` goes by words alone (`citations(dense=1.0)`), `dense` by the
    encoder where not every word is there (`citations(lexical=1.0)`), `oracle` is what people said.
    """

    name: ClassVar[str] = "agree"
    retrieves: ClassVar[bool] = False
    families: ClassVar[tuple[str, ...]] = ("classification", "agreement")
    extra: ClassVar[tuple[str, ...]] = ("AUC",)
    batch: ClassVar[int] = 64

    @classmethod
    def cases(cls, cases: Sequence[Case]) -> list[Case]:
        lacking = [case.id for case in cases if "claim" not in case.facts or "evidence" not in case.facts]
        if lacking:
            raise InvalidInput(
                f"{len(lacking)} of {len(cases)} cases have no claim with evidence ({', '.join(lacking[:3])}): "
                "a citation check says nothing of them. Judges of whole answers run under `grade`."
            )
        yes = cases[0].choices[0]
        return [replace(case, choices=(yes, _NOT), answers=(yes if case.answers[0] == yes else _NOT,)) for case in cases]

    def baselines(self) -> list[System]:
        if self.setting.encoder is None:
            raise CapabilityMissing("The encoder's cosine is a baseline of the citation check: pip install 'bowerbird[openvino,weights]'.")
        return [
            System("none", "", "everything is believed"),
            System("random", "", "a coin for each claim"),
            System("bm25", "citations(dense=1.0)", "words alone"),
            System("dense", "citations(lexical=1.0)", "cosine, where not every word is there"),
            System("oracle", "", "what people said"),
        ]

    def system(self, spec: str) -> System:
        if {leaf.role for leaf in leaves(specs.parse(spec))} != {"critique"}:
            raise InvalidInput(f"{spec!r} is no check of citations: name a stage that judges answers, such as citations(lexical=0.6).")
        return System(spec, spec)

    def judge(self, system: System, cases: Sequence[Case]) -> list[Item]:
        if not system.spec:
            return [self.made(case, self._fixed(system.name, case)) for case in cases]
        encoder = self.setting.encoder
        stage = specs.parse(system.spec).bind(lambda name: encoder if name == "encoder" else None)
        with self.setting.watch:
            turns = stage([_asked(case) for case in cases])
        items = []
        for case, turn in zip(cases, turns, strict=True):
            assert turn.answer is not None
            stayed = turn.answer.citations
            support = max((one.support for one in (*stayed, *turn.answer.dropped)), default=0.0)
            result = Result(case.id, (), case.choices[0] if stayed else _NOT, score=support)
            items.append(self.made(case, result, turn, facts={"claim": case.facts["claim"]}))
        return items

    def _fixed(self, name: str, case: Case) -> Result:
        if name == "oracle":
            return Result(case.id, (), case.answers[0], score=float(case.answers[0] == case.choices[0]))
        if name == "random":
            wish = chance(self.setting.seed, case)
            return Result(case.id, (), case.choices[wish < 0.5], score=wish)
        return Result(case.id, (), case.choices[0], score=0.0)


def _asked(case: Case) -> Turn:
    """The claim as an answer that cites its evidence, all of it one record."""
    claim, evidence = str(case.facts["claim"]).strip(), case.facts["evidence"]
    text = evidence if isinstance(evidence, str) else "\n".join(map(str, evidence))
    record = Record("evidence", "passage", text, scope=case.scope, version=1)
    block = Block(_MARK, Hit(record.id, 1.0, {}, record), text, 0, "given")
    said = f"{claim} {_MARK}"
    cited = Citation(_MARK, 0, len(said), record.key, record.kind, record.version, (0, len(text)), 1.0)
    context = Context("", text, (block,), (), (), 0, 0, "none")
    return Turn(case.query, case.scope, id=case.id, context=context, answer=Answer(said, (cited,)))
