"""A stress test at work: it puts records into a bench, asks, and gathers rows. It knows neither which tests there are nor an engine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bowerbird.evals.probes import Probe, far, says
from bowerbird.flow import Chain
from bowerbird.ports import LLM
from bowerbird.stage import Stage
from bowerbird.types import Hit, Record, Scope, Turn, record_id, replace

__all__ = ["Example", "Row", "Subject", "Trial", "Ways", "found", "said", "shown", "ways_of", "wilson"]

_EXAMPLES = 3  # kept of each condition


class Subject(Protocol):
    """What is put under stress: a bower of its own, without records yet. `bowerbird.Engine` is one."""

    @property
    def llm(self) -> LLM | None: ...

    def add(self, thing: Any, *, scope: Scope | str | None = None) -> object: ...

    def run(self, turns: Sequence[Turn], spec: str) -> Sequence[Turn]: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One measured value with its 95 % interval over `n` questions.

    `x` is the condition as a number, where it is one. `better`: "more", "less" or "" (neither). `must`: the value that
    every pipeline owes, None where it is a matter of degree.
    """

    test: str
    condition: str
    measure: str
    value: float
    low: float
    high: float
    n: int
    x: float | None = None
    better: str = "more"
    must: float | None = None

    @property
    def broken(self) -> bool:
        """Whether it owes a value and has another."""
        return self.must is not None and self.value != self.must


@dataclass(frozen=True, slots=True)
class Example:
    """One question that went wrong, to look at."""

    test: str
    condition: str
    query: str
    context: str
    answer: str
    why: str


@dataclass(frozen=True, slots=True)
class Ways:
    """The spec in parts. `finds`: up to the reader, with a composer; `reads`: from the composer on; `answers`: all, "" = nothing does."""

    finds: str
    reads: str
    answers: str
    notes: tuple[str, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether nothing answers."""
        return not self.answers


def ways_of(stage: Stage, llm: LLM | None) -> Ways:
    """Take a pipeline apart. What only a language model can do is left out where there is none, and noted."""
    stages = stage.stages if isinstance(stage, Chain) else (stage,)
    roles = [one.role for one in stages]
    reader = next((i for i, role in enumerate(roles) if role in ("read", "critique")), len(stages))
    composer = next((i for i, role in enumerate(roles) if role == "compose"), None)
    finds, notes = [str(one) for one in stages[:reader]], []
    needs = [str(one) for one in stages[reader:] if any(f.metadata.get("part") == "llm" for f in _fields(one))]
    if composer is None:
        finds.append("budget")
        notes.append("The spec composes no context: the default composer (budget) was put behind it.")
    silent = ""
    if "read" not in roles:
        silent = "the spec ends before a reader (such as llm or extractive)"
    elif needs and llm is None:
        silent = f"{' and '.join(needs)} needs a language model, and there is none"
    elif composer is None:
        silent = "the spec composes no context that could be given to its reader"
    if silent:
        notes.append(f"Nothing that needs an answer was run: {silent}.")
        return Ways(" >> ".join(finds), "", "", tuple(notes))
    return Ways(" >> ".join(finds), " >> ".join(map(str, stages[composer:])), str(stage), tuple(notes))


def _fields(stage: Stage) -> tuple[Any, ...]:
    return tuple(getattr(stage, "__dataclass_fields__", {}).values())


class Trial:
    """One test at work: puts records, asks, and gathers rows. Made and dropped by `stress`."""

    def __init__(
        self, test: str, bench: Subject, ways: Ways, asked: Sequence[Probe], seed: int, seconds: float, background: Sequence[Record]
    ) -> None:
        self.test, self.bench, self.ways, self.probes, self.seed, self.seconds = test, bench, ways, tuple(asked), seed, seconds
        self.background = background
        self.rows: list[Row] = []
        self.left: list[str] = list(ways.notes)
        self.examples: list[Example] = []

    def scope(self, name: str) -> Scope:
        return Scope("stress", f"{self.test}-{self.seed}", name)

    def keep(self, records: Iterable[Record], scope: Scope) -> None:
        self.bench.add(list(records), scope=scope)

    def far(self, count: int, start: int = 0) -> list[Record]:
        """Easy distractors number `start` to `start + count`: the caller's passages first, then made-up ones."""
        own = [replace(record, key=f"own-{i}") for i, record in enumerate(self.background)][start : start + count]
        return [*own, *far(count - len(own), self.seed, start + len(own))]

    def turns(self, scope: Scope, at: float | None = None) -> list[Turn]:
        return [Turn(probe.query, scope, id=f"{scope}-{probe.key}", at=at) for probe in self.probes]

    def ask(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """The turns through all of the spec where it can answer, otherwise up to the context."""
        return self.bench.run(turns, self.ways.answers or self.ways.finds)

    def given(self, turns: Sequence[Turn], orders: Sequence[Sequence[str]]) -> Sequence[Turn]:
        """The turns with these records as hits, best first, through composer and reader alone."""
        held = [
            replace(
                turn, hits=tuple(Hit(record_id(turn.scope, key), 1.0 - i / 100, {"given": 1.0 - i / 100}) for i, key in enumerate(keys))
            )
            for turn, keys in zip(turns, orders, strict=True)
        ]
        return self.bench.run(held, self.ways.reads)

    def share(
        self, condition: str, measure: str, were: Sequence[bool], x: float | None = None, better: str = "more", must: float | None = None
    ) -> None:
        """A row: the share of True, with Wilson's interval (1927)."""
        if were:
            value = sum(were) / len(were)
            low, high = wilson(sum(were), len(were))
            self.rows.append(Row(self.test, condition, measure, value, low, high, len(were), x, better, must))

    def judge(self, condition: str, done: Sequence[Turn], x: float | None = None) -> None:
        """Whether the record with the answer was found, its value shown, and the answer right."""
        self.share(condition, "found", [found(turn, probe.key) for probe, turn in zip(self.probes, done, strict=True)], x)
        self.share(condition, "shown", [says(shown(turn), probe.answer) for probe, turn in zip(self.probes, done, strict=True)], x)
        self.answered(condition, done, x)

    def answered(self, condition: str, done: Sequence[Turn], x: float | None = None) -> None:
        if not self.ways.silent:
            pairs = [(probe, turn) for probe, turn in zip(self.probes, done, strict=True) if not self.died(condition, turn)]
            self.share(condition, "answered", [says(said(turn), probe.answer) for probe, turn in pairs], x)

    def died(self, condition: str, turn: Turn) -> bool:
        """Whether the model failed at this turn: such an answer is no wrong answer, and counts nowhere."""
        errors = [step.info["error"] for step in turn.trace if step.role == "read" and step.info.get("error")]
        if errors:
            self.left.append(f"{self.test}, {condition}: questions at which the model failed ({errors[0]})")
        return bool(errors)

    def show(self, condition: str, turn: Turn, why: str) -> None:
        if sum(example.condition == condition for example in self.examples) < _EXAMPLES:
            self.examples.append(Example(self.test, condition, turn.query, shown(turn), said(turn), why))


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; it is right at 0 and 1 as well, where the usual one has no width."""
    z = 1.959964
    share, z2 = hits / n, z * z / n
    middle, half = share + z2 / 2, z * math.sqrt(share * (1 - share) / n + z2 / (4 * n))
    low, high = (middle - half) / (1 + z2), (middle + half) / (1 + z2)
    return (0.0 if hits == 0 else max(0.0, low)), (1.0 if hits == n else min(1.0, high))


def found(turn: Turn, key: str) -> bool:
    """Whether the record of that name is among the hits."""
    return record_id(turn.scope, key) in {hit.id for hit in turn.hits}


def shown(turn: Turn) -> str:
    """The text of the context."""
    return turn.context.text if turn.context is not None else ""


def said(turn: Turn) -> str:
    """The text of the answer."""
    return turn.answer.text if turn.answer is not None else ""
