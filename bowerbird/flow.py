"""The only combinators: Chain, Fan, Branch, Loop. Each is a Stage, so they nest; none times itself, only leaves do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from bowerbird.errors import InvalidInput
from bowerbird.roles import Fuse, Gate
from bowerbird.stage import Leaf, Stage
from bowerbird.types import Step, Turn

__all__ = ["Branch", "Chain", "Fan", "Loop"]


@dataclass(frozen=True)
class Chain(Stage):
    """One stage after the other. A chain inside a chain is the same chain."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        flat: list[Stage] = []
        for stage in self.stages:
            flat.extend(stage.stages if isinstance(stage, Chain) else (stage,))
        if not flat:
            raise InvalidInput("A chain needs at least one stage.")
        object.__setattr__(self, "stages", tuple(flat))

    def __str__(self) -> str:
        return " >> ".join(map(str, self.stages))

    def bind(self, parts: Callable[[str], object | None]) -> Self:
        return replace(self, stages=tuple(stage.bind(parts) for stage in self.stages))

    def __call__(self, turns: Sequence[Turn]) -> list[Turn]:
        done = list(turns)
        for stage in self.stages:
            done = stage(done)
        return done


@dataclass(frozen=True)
class Fan(Stage):
    """Several stages over the same turns, and a fuser that merges their hits; the trace keeps every arm's steps.

    Arms that wait for something outside this process (`Stage.waits`) overlap in threads.
    """

    arms: tuple[Stage, ...]
    fuser: Fuse

    def __post_init__(self) -> None:
        if not self.arms:
            raise InvalidInput(f"{self.fuser.name} needs stages to merge, as in {self.fuser.name}(bm25, dense).")
        self.fuser.fits(len(self.arms))

    def __str__(self) -> str:
        alone = str(self.fuser)
        settings = alone[len(self.fuser.name) + 1 : -1]
        return f"{self.fuser.name}({', '.join([*map(str, self.arms), *([settings] if settings else [])])})"

    def bind(self, parts: Callable[[str], object | None]) -> Self:
        return replace(self, arms=tuple(arm.bind(parts) for arm in self.arms), fuser=self.fuser.bind(parts))

    @cached_property
    def _called(self) -> list[dict[str, str]]:
        return _names(self.arms, self.fuser)

    @cached_property
    def _overlaps(self) -> bool:
        return sum(waiting(arm) for arm in self.arms) > 1

    def __call__(self, turns: Sequence[Turn]) -> list[Turn]:
        turns = list(turns)
        if not turns:
            return []
        fresh = [replace(turn, hits=()) if turn.hits else turn for turn in turns]
        if self._overlaps:
            with ThreadPoolExecutor(len(self.arms)) as pool:
                outs = list(pool.map(lambda arm: arm(fresh), self.arms))
        else:
            outs = [arm(fresh) for arm in self.arms]
        done = []
        for i, turn in enumerate(turns):
            steps = [step for out in outs for step in out[i].trace[len(turn.trace) :]]
            hits = self.fuser.merge([out[i].hits for out in outs], self._called)
            info = {"from": [len(out[i].hits) for out in outs], "hits": len(hits)}
            done.append(replace(turn, hits=hits, trace=(*turn.trace, *steps, Step(str(self.fuser), "fuse", 0.0, info))))
        return done


@dataclass(frozen=True)
class Branch(Stage):
    """`gate` sends each turn one way: `yes` where it would retrieve, `no` otherwise. Turns keep their places."""

    gate: Gate
    yes: Stage
    no: Stage

    def __str__(self) -> str:
        return f"branch({self.gate}, {self.yes}, {self.no})"

    def bind(self, parts: Callable[[str], object | None]) -> Self:
        return replace(self, gate=self.gate.bind(parts), yes=self.yes.bind(parts), no=self.no.bind(parts))

    def __call__(self, turns: Sequence[Turn]) -> list[Turn]:
        decided = self.gate(turns)
        ways = [turn.retrieves for turn in decided]
        # The decision chose the way and is used up: inside a branch it must not switch retrieval off as well.
        decided = [replace(turn, decision=before.decision) for turn, before in zip(decided, turns, strict=True)]
        return _split(decided, ways, self.yes, self.no)


@dataclass(frozen=True)
class Loop(Stage):
    """Runs `body` up to `times` times; a turn leaves once `until` says that no more retrieval is needed.

    Every round's hits replace the last round's.
    """

    body: Stage
    times: int = 2
    until: Gate | None = None

    def __post_init__(self) -> None:
        if isinstance(self.times, bool) or not isinstance(self.times, int) or not 1 <= self.times <= 100:
            raise InvalidInput(f"loop: times={self.times!r} must be a whole number from 1 to 100.")

    def __str__(self) -> str:
        times = f", times={self.times}" if self.times != 2 else ""
        return f"loop({self.body}{times}{f', until={self.until}' if self.until else ''})"

    def bind(self, parts: Callable[[str], object | None]) -> Self:
        return replace(self, body=self.body.bind(parts), until=self.until.bind(parts) if self.until else None)

    def __call__(self, turns: Sequence[Turn]) -> list[Turn]:
        done = list(turns)
        going = list(range(len(done)))
        for _ in range(self.times):
            if not going:
                break
            out = self.body([done[i] for i in going])
            decisions = [turn.decision for turn in out]
            if self.until is not None:
                out = self.until(out)
            for i, turn, decision in zip(going, out, decisions, strict=True):
                done[i] = replace(turn, decision=decision)
            going = [i for i, turn in zip(going, out, strict=True) if self.until is None or turn.retrieves]
        return done


def leaves(stage: Stage) -> Iterable[Leaf]:
    """Every leaf of a pipeline, in the order it would run."""
    if isinstance(stage, Leaf):
        yield stage
    elif isinstance(stage, Chain):
        for inner in stage.stages:
            yield from leaves(inner)
    elif isinstance(stage, Fan):
        for inner in (*stage.arms, stage.fuser):
            yield from leaves(inner)
    elif isinstance(stage, Branch):
        for inner in (stage.gate, stage.yes, stage.no):
            yield from leaves(inner)
    elif isinstance(stage, Loop):
        for inner in (stage.body, *((stage.until,) if stage.until else ())):
            yield from leaves(inner)


def waiting(stage: Stage) -> bool:
    """Whether any leaf of it spends its time waiting."""
    return any(leaf.waits for leaf in leaves(stage))


def _names(arms: Sequence[Stage], fuser: Fuse) -> list[dict[str, str]]:
    """For each arm, what its scores are called after the merge: two arms with a `dense` give `dense` and `dense#2`.

    Read off the pipeline, not off the hits, so a name means the same for every record.
    """
    taken = {fuser.name}
    called: list[dict[str, str]] = []
    for arm in arms:
        own = dict.fromkeys(_scores(arm))
        names = {}
        for name in own:
            shown, number = name, 1
            while shown in taken or (shown != name and shown in own):
                number += 1
                shown = f"{name}#{number}"
            names[name] = shown
        taken.update(names.values())
        called.append(names)
    return called


def _scores(stage: Stage) -> Iterable[str]:
    """The names under which hits may carry scores once `stage` has run."""
    if isinstance(stage, Leaf):
        yield stage.name
    elif isinstance(stage, Fan):
        for names in _names(stage.arms, stage.fuser):
            yield from names.values()
        yield stage.fuser.name
    elif isinstance(stage, Chain):
        for inner in stage.stages:
            yield from _scores(inner)
    elif isinstance(stage, Branch):
        yield from (*_scores(stage.yes), *_scores(stage.no))
    elif isinstance(stage, Loop):
        yield from _scores(stage.body)


def _split(turns: Sequence[Turn], ways: Sequence[bool], yes: Stage, no: Stage) -> list[Turn]:
    done: list[Turn] = list(turns)
    for stage, way in ((yes, True), (no, False)):
        mine = [i for i, w in enumerate(ways) if w is way]
        for i, turn in zip(mine, stage([turns[i] for i in mine]) if mine else [], strict=True):
            done[i] = turn
    return done
