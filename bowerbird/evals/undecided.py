"""Where the time of a run goes when it is limited: to systems whose comparison is still open.

Successive elimination after Even-Dar, Mannor and Mansour (JMLR 2006), with paired differences in place of means: all systems see the
cases in the same order, and one leaves when its difference to the leader is clear. Of those that stay, the one with the highest upper
bound of its predicted mean runs next (UCB-E with low-rank factors, Zhou et al., arXiv 2407.06172; `lowrank.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np

from bowerbird.evals.lowrank import predict
from bowerbird.evals.results import CEILINGS, Estimate, Item

__all__ = ["Race"]

_CLEAR = 3.0  # standard errors: looked at after every batch, so 1.96 would be passed by chance too often
_WIDE = 1.96
_LEAST = 32  # cases before anybody may leave, and before anything is predicted
_QUICK, _FINAL = 16, 64  # members of an ensemble between batches, and at the end


class Race:
    """Who runs next. Without a limit in seconds: one system after the other to the end. With one: where it is open.

    Compared is the first of `measures` that is a mean over cases; `better` -1 where less is more. What is told the answer (the oracle)
    leads nobody: it leaves when it is clear of the leader, ahead or behind. The time is looked at between batches, so a slow batch
    can overrun it; every system gets its first batch in any case.
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
        return self._promising(waiting, done) if waiting else None

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

    def predicted(self, done: Mapping[str, Sequence[Item]]) -> dict[str, dict[str, Estimate]]:
        """System → measure → what it would have come to on all cases, for those that stopped early; a guess with its 95 % interval."""
        measure = self._measure(done)
        if measure is None or self._seconds is None:
            return {}
        means = self._means(done, measure, _FINAL)
        seen = [item.measures[measure] for items in done.values() for item in items if measure in item.measures]
        low, high = min(seen), max(seen)  # no mean lies outside of what its cases can be
        return {
            name: {measure: Estimate(mean, max(low, mean - _WIDE * error), min(high, mean + _WIDE * error), self._cases)}
            for name, (mean, error) in ((name, (min(high, max(low, mean)), error)) for name, (mean, error) in means.items())
            if len(done[name]) < self._cases
        }

    def _promising(self, waiting: Sequence[str], done: Mapping[str, Sequence[Item]]) -> str:
        """The system that may still turn out the best; the one that has run least where nothing can be predicted yet."""
        least = min(waiting, key=lambda name: len(done[name]))
        measure = self._measure(done)
        rivals = [name for name in waiting if name not in CEILINGS] or list(waiting)
        if measure is None or len(rivals) < 2 or len(done[least]) < _LEAST:
            return least if len(rivals) > 1 else rivals[0]
        means = self._means(done, measure, _QUICK)
        if any(name not in means for name in rivals):
            return least
        return max(rivals, key=lambda name: self._better * means[name][0] + _WIDE * means[name][1])

    def _means(self, done: Mapping[str, Sequence[Item]], measure: str, members: int) -> dict[str, tuple[float, float]]:
        """Predicted mean over all cases and its standard error, of the systems with cases enough."""
        cells = np.full((len(self._systems), self._cases), np.nan)
        for row, name in enumerate(self._systems):
            for place, item in enumerate(done[name]):
                cells[row, place] = item.measures.get(measure, np.nan)
        unseen = np.arange(self._cases) >= max(len(items) for items in done.values())
        cells = cells[:, unseen | ~np.isnan(cells).all(axis=0)]  # a case that the measure says nothing of counts in no mean
        rows = [row for row, have in enumerate((~np.isnan(cells)).sum(axis=1)) if have >= _LEAST]
        if not rows:
            return {}
        found = predict(cells[rows], members)
        return {self._systems[row]: (float(found.mean[i]), float(found.error[i])) for i, row in enumerate(rows)}

    def _eliminate(self, done: Mapping[str, Sequence[Item]]) -> None:
        alive = [name for name in self._systems if name not in self._out]
        measure = self._measure(done)
        rivals = [name for name in alive if name not in CEILINGS]
        if measure is None or len(alive) < 2 or not rivals:
            return
        shared = min(len(done[name]) for name in rivals)
        scores = {name: [item.measures.get(measure) for item in done[name]] for name in alive}
        means = {name: _mean([one for one in scores[name][:shared] if one is not None]) for name in rivals}
        leader = max(rivals, key=lambda name: self._better * means[name])
        for name in alive:
            pairs = [(a, b) for a, b in zip(scores[leader], scores[name], strict=False) if a is not None and b is not None]
            if name == leader or len(pairs) < _LEAST:
                continue
            gaps = [self._better * (a - b) for a, b in pairs]
            mean = _mean(gaps)
            spread = math.sqrt(math.fsum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1) / len(gaps))
            if mean > _CLEAR * spread or (name in CEILINGS and -mean > _CLEAR * spread):
                way = "behind" if mean > 0 else "ahead of"
                self._out[name] = f"{measure} is {abs(mean):.3f} ± {_WIDE * spread:.3f} {way} {leader}, clear of {_CLEAR:g} standard errors"

    def _measure(self, done: Mapping[str, Sequence[Item]]) -> str | None:
        return next((name for name in self._measures if any(name in item.measures for items in done.values() for item in items)), None)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
