"""Where the time of a run goes when it is limited: to systems whose comparison is still open. Successive elimination.

After Even-Dar, Mannor and Mansour (JMLR 2006), with paired differences in place of means: all systems see the same cases in
the same order, and one leaves when its difference to the leader is clear. Low-rank prediction of missing cells (Zhou et al., On
Speeding Up Language Model Evaluation, arXiv 2407.06172) is not done: a cell that was not run stays empty.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from bowerbird.evals.results import Item

__all__ = ["Race"]

_CLEAR = 3.0  # standard errors: looked at after every batch, so 1.96 would be passed by chance too often
_LEAST = 32  # cases before anybody may leave


class Race:
    """Who runs next. Without a limit in seconds: one system after the other to the end. With one: all side by side.

    Compared is the first of `measures` that is a mean over cases; `better` -1 where less is more. The time is looked at
    between batches, so a slow batch can overrun it; every system gets its first batch in any case.
    """

    def __init__(self, systems: Sequence[str], cases: int, seconds: float | None, measures: Sequence[str], better: int = 1) -> None:
        self._systems, self._cases, self._seconds = list(systems), cases, seconds
        self._measures, self._better = tuple(measures), better
        self._began = time.monotonic()
        self._out: dict[str, str] = {}
        self._late = False

    def next(self, done: Mapping[str, Sequence[Item]], counts: Mapping[str, int] | None = None) -> str | None:
        """The system that runs the next batch; None = it is over."""
        ends = {name: min(self._cases, (counts or {}).get(name, self._cases)) for name in self._systems}
        waiting = [name for name in self._systems if len(done[name]) < ends[name] and name not in self._out]
        if not waiting:
            return None
        if self._seconds is None:
            return waiting[0]
        name = min(waiting, key=lambda name: len(done[name]))  # min keeps the first of equals
        if not done[name]:
            return name
        if time.monotonic() - self._began > self._seconds:
            self._late = True
            return None
        self._eliminate(done)
        waiting = [name for name in waiting if name not in self._out]
        return min(waiting, key=lambda name: len(done[name])) if waiting else None

    def left(self, done: Mapping[str, Sequence[Item]]) -> list[str]:
        """What was not run to the end, in words."""
        said = [f"{name}: stopped after {len(done[name])} of {self._cases} cases: {why}" for name, why in self._out.items()]
        if self._late:
            said += [
                f"{name}: undecided when the time was over, after {len(items)} of {self._cases} cases"
                for name, items in done.items()
                if len(items) < self._cases and name not in self._out
            ]
        return said

    def _eliminate(self, done: Mapping[str, Sequence[Item]]) -> None:
        alive = [name for name in self._systems if name not in self._out]
        shared = min(len(done[name]) for name in alive)
        measure = self._measure(done)
        if measure is None or shared < _LEAST or len(alive) < 2:
            return
        scores = {name: [item.measures.get(measure) for item in done[name][:shared]] for name in alive}
        whole = [i for i in range(shared) if all(scores[name][i] is not None for name in alive)]
        if len(whole) < _LEAST:
            return
        means = {name: math.fsum(scores[name][i] or 0.0 for i in whole) / len(whole) for name in alive}
        leader = max(alive, key=lambda name: self._better * means[name])
        for name in alive:
            gaps = [self._better * ((scores[leader][i] or 0.0) - (scores[name][i] or 0.0)) for i in whole]
            mean = math.fsum(gaps) / len(gaps)
            spread = math.sqrt(math.fsum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1) / len(gaps))
            if name != leader and mean > _CLEAR * spread:
                self._out[name] = f"{measure} is {mean:.3f} ± {1.96 * spread:.3f} behind {leader}, clear of {_CLEAR:g} standard errors"

    def _measure(self, done: Mapping[str, Sequence[Item]]) -> str | None:
        return next((name for name in self._measures if any(name in item.measures for items in done.values() for item in items)), None)
