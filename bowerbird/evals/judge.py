"""What a protocol is: which systems it sets against each other, and what it makes of a case under each of them.

A protocol is one file in `protocols/` with a subclass of `Judge` and one line in that folder's table. The runner does the
rest: sampling, resuming, files, intervals.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

from bowerbird import spec as specs
from bowerbird.errors import BowerbirdError, CapabilityMissing, InvalidInput
from bowerbird.evals.bench import Corpus, Stopwatch
from bowerbird.evals.measure import Pool, Result
from bowerbird.evals.results import BASELINES, Item
from bowerbird.evals.scoring import of_case
from bowerbird.evals.task import Case, Task
from bowerbird.flow import Chain, leaves
from bowerbird.kinds import kind
from bowerbird.ports import LLM, Encoder, LogLikelihood, capabilities
from bowerbird.stage import Stage
from bowerbird.types import Turn, replace

__all__ = ["Judge", "Runs", "Setting", "System", "Way", "best", "chance", "hit_keys", "retrieval", "shortened", "way"]

_SHOWN = 100  # keys of gold and hits that an item keeps
_CONTEXT = 4000  # characters of a context that an item keeps
_FRAME = 40  # tokens that delimiters put around a record, generously


@dataclass(frozen=True, slots=True)
class System:
    """One row of the table. `about`: its spec, or in words what it does. `budget`: tokens of context, where they are not the run's.

    `keys`: records that it is given by name, best first, which its spec begins with (stage `keys`).
    """

    name: str
    spec: str
    about: str = ""
    keys: Callable[[Case], Sequence[str]] | None = None
    budget: int | None = None


class Runs(Protocol):
    """What can run turns."""

    def run(self, turns: Sequence[Turn], spec: str) -> Sequence[Turn]: ...


@dataclass(frozen=True, slots=True)
class Setting:
    """What a protocol works with. `bench`, `corpus` are empty where a task has no records; `measures` are those that apply.

    `watch` times the work itself: what `bench` and `llm` do is timed already.
    """

    task: Task
    cases: Sequence[Case]
    corpus: Corpus
    bench: Runs | None
    encoder: Encoder | None
    llm: LLM | None
    budget: int
    seed: int
    measures: tuple[str, ...]
    pool: Pool
    watch: Stopwatch


class Judge(ABC):
    """One protocol over one task. `retrieves`: it needs records and a bower; `power`: what it asks of the model; `extra`: measures
    that it takes beside those that the task names."""

    name: ClassVar[str] = ""
    retrieves: ClassVar[bool] = True
    families: ClassVar[tuple[str, ...]] = ()  # of measures that it can take
    extra: ClassVar[tuple[str, ...]] = ()
    power: ClassVar[str] = ""
    batch: ClassVar[int] = 32  # cases that are run, and kept, together

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.left_out: list[str] = []  # baselines that do not apply here, and why
        self._gold: dict[str, tuple[str, ...]] = {}  # as items keep it; that of a labelled task is long, and every system's is the same

    @classmethod
    def asks(cls, tested: Sequence[str]) -> bool:
        """Whether a model is asked: by the protocol, or by what of a spec under test finds records."""
        stages = (specs.parse(retrieval(specs.parse(spec))) for spec in tested)
        return bool(cls.power) or any(
            one.metadata.get("part") == "llm" for stage in stages for leaf in leaves(stage) for one in fields(leaf)
        )

    @classmethod
    def check(cls, task: Task, llm: LLM | None, tested: Sequence[str]) -> None:
        """Raises `CapabilityMissing` where the model at hand cannot do what is asked of it."""
        if llm is None and cls.asks(tested):
            raise CapabilityMissing(
                f"Task {task.name!r} under {cls.name!r} needs a language model: set BOWERBIRD_LLM or give --llm, such as --llm local."
            )
        if cls.power == "log-likelihood" and not isinstance(llm, LogLikelihood):
            able = ", ".join(capabilities(llm)) or "none of the known capabilities"
            raise CapabilityMissing(f"Task {task.name!r} under {cls.name!r} needs log-likelihoods; {getattr(llm, 'name', llm)} has {able}.")

    @classmethod
    def cases(cls, cases: Sequence[Case]) -> list[Case]:
        """The cases as this protocol judges them. Raises `InvalidInput` where it cannot."""
        return list(cases)

    @abstractmethod
    def baselines(self) -> list[System]:
        """Those that apply; the others are named in `left_out`."""

    @abstractmethod
    def system(self, spec: str) -> System:
        """A spec under test, as this protocol runs it. Raises what is wrong with it before anything runs."""

    @abstractmethod
    def judge(self, system: System, cases: Sequence[Case]) -> list[Item]:
        """One item a case, in order."""

    # --- shared by protocols that retrieve ------------------------------------------------------------------------------

    def retrievers(self, k: int, tail: str = "") -> list[System]:
        """The baselines that retrieve, `k` records each, with `tail` behind them: random, recency where there is time, bm25, dense."""
        setting = self.setting
        if setting.encoder is None:
            raise CapabilityMissing(
                "The plain dense encoder is a baseline of every result, and none is set up: pip install 'bowerbird[openvino,weights]'."
            )
        found = [System("random", f"random(k={k}, seed={setting.seed}){tail}")]
        if setting.corpus.timed:
            found.append(_given("recency", k, tail, f"the newest {k} records", lambda case: setting.corpus.newest(case, k)))
        else:
            self.left_out.append("recency: the records say nothing of time")
        return [*found, System("bm25", f"bm25(k={k}){tail}"), System("dense", f"dense(k={k}){tail}")]

    def oracle(self, k: int, tail: str = "") -> list[System]:
        """Gold records, best first; nothing where no case has gold."""
        if not any(case.gold for case in self.setting.cases):
            self.left_out.append("oracle: the cases name no records that help")
            return []
        return [_given("oracle", k, tail, f"the {k} best gold records", lambda case: best(case)[:k])]

    def full(self, llm: LLM, room: int, tail: str = "") -> list[System]:
        """All that a case may see, where that fits into `room` tokens for every case."""
        corpus = self.setting.corpus
        seen = {scope: corpus.visible(scope) for scope in {case.scope for case in self.setting.cases}}
        over = 0
        for records in seen.values():
            letters = sum(len(record.text) for record in records)
            # No tokenizer packs so many letters into a token: that saves the counting.
            over += letters > room * 12 or sum(llm.count([kind(r.kind).show(r) for r in records])) + _FRAME * len(records) > room
        if over:
            self.left_out.append(f"full: the records of {over} of {len(seen)} scopes do not fit into the window of {llm.name}")
            return []

        def everything(case: Case) -> tuple[str, ...]:
            at = case.at
            return tuple(record.key for record in corpus.visible(case.scope) if at is None or record.starts <= at < record.ends)

        most = max([1, *map(len, seen.values())])
        return [replace(_given("full", most, tail, "all records", everything), budget=room)]

    def ran(self, system: System, cases: Sequence[Case], budget: int | None = None) -> list[Turn]:
        """The cases through a system's spec."""
        bench = self.setting.bench
        if bench is None:
            raise BowerbirdError(f"Task {self.setting.task.name!r} has no records to run {system.name!r} over.")
        turns = [
            Turn(
                query=case.query,
                scope=case.scope,
                id=f"{self.setting.task.name}/{case.id}",
                at=case.at,
                keys=tuple(system.keys(case)) if system.keys else (),
                history=case.history,
                budget=budget,
            )
            for case in cases
        ]
        return list(bench.run(turns, system.spec))

    def made(
        self,
        case: Case,
        result: Result,
        turn: Turn | None = None,
        *,
        context: str = "",
        tokens: int = 0,
        facts: Mapping[str, Any] | None = None,
    ) -> Item:
        """What is kept of a case. Stages are summed by name; tokens and dollars are the result's and those that the trace tells.

        `context` and its `tokens` where the turn has none; `facts`: what else a reader of the items may want to know.
        """
        stages = dict(result.seconds)
        prompt, completion, dollars = result.prompt_tokens, result.completion_tokens, result.cost
        for step in turn.trace if turn else ():
            name = step.stage.partition("(")[0]
            stages[name] = round(stages.get(name, 0.0) + step.seconds, 6)
            prompt += step.info.get("prompt_tokens") or 0
            completion += step.info.get("completion_tokens") or 0
            dollars += step.info.get("cost") or 0.0
        if case.id not in self._gold:
            self._gold[case.id] = best(case)[:_SHOWN]
        shown = turn.context if turn else None
        kept = {"score": result.score, "confidence": result.confidence, "nll": result.nll, "scored": result.scored or None, **(facts or {})}
        return Item(
            id=case.id,
            category=case.category,
            query=case.query,
            gold=self._gold[case.id],
            hits=result.keys[:_SHOWN],
            measures=of_case(self.setting.measures, case, result, self.setting.pool),
            tokens=shown.tokens if shown else tokens,
            seconds=round(sum(stages.values()), 6),
            answer=result.output,
            context=shortened(shown.text if shown else context),
            stages=stages,
            prompt_tokens=prompt,
            completion_tokens=completion,
            dollars=dollars,
            facts={name: value for name, value in kept.items() if value is not None},
        )


def _given(name: str, k: int, tail: str, about: str, keys: Callable[[Case], Sequence[str]]) -> System:
    return System(name, f"keys(k={k}){tail}", about + tail, keys)


def best(case: Case) -> tuple[str, ...]:
    """Gold keys, best first; of equal grades in the task's order."""
    return tuple(sorted(case.gold, key=lambda key: -case.gold[key]))


@dataclass(frozen=True, slots=True)
class Way:
    """A spec, parsed: what of it finds, and whether it composes and reads."""

    stage: Stage
    roles: tuple[str, ...]


def way(spec: str, measured: str) -> Way:
    """Parse a spec under test. A name of a baseline is refused: the baselines run anyway."""
    if spec.strip() in BASELINES:
        raise InvalidInput(f"{spec.strip()!r} is a baseline and runs anyway; to vary it, give it a setting, such as bm25(k=20).")
    stage = specs.parse(spec)
    roles = tuple(leaf.role for leaf in leaves(stage))
    if "retrieve" not in roles:
        raise InvalidInput(f"{spec!r} finds nothing that {measured} could judge: it has no stage that retrieves.")
    return Way(stage, roles)


def retrieval(stage: Stage) -> str:
    """The part of a chain that ends in hits: without the stages at its end that compose, read and judge answers."""
    stages = list(stage.stages) if isinstance(stage, Chain) else [stage]
    while len(stages) > 1 and {leaf.role for leaf in leaves(stages[-1])} <= {"compose", "read", "critique"}:
        stages.pop()
    return " >> ".join(map(str, stages))


def hit_keys(turn: Turn, corpus: Corpus) -> tuple[str, ...]:
    """Keys of the hits, best first. A hit that is no record of the task is a fault of the bower."""
    missing = [hit.id for hit in turn.hits if hit.id not in corpus.by_id]
    if missing:
        raise BowerbirdError(f"{len(missing)} hits are no records of the task: the kept bower holds something else. Delete it.")
    return tuple(corpus.by_id[hit.id].key for hit in turn.hits)


def chance(seed: int, case: Case) -> float:
    """A number in [0, 1) for each case, by its id. Not the hash that samples are drawn by: that one is small for all of a sample."""
    digest = hashlib.blake2b(f"{seed}\x00chance\x00{case.id}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def shortened(text: str) -> str:
    """At most a few thousand characters: the beginning and the end."""
    return text if len(text) <= _CONTEXT else f"{text[: _CONTEXT * 3 // 4]}\n[…]\n{text[-_CONTEXT // 4 :]}"
