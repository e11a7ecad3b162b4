"""How long an answer took: percentiles over the cases of the seconds in a trace, of one stage or of all of them together.

`p95` is of the whole, `p95@retrieve` of the stage `retrieve`. Linear between the nearest ranks, as NumPy has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Measure, OfPlaces, Pool, Result
from bowerbird.evals.task import Case

__all__ = ["p50", "p95"]


def _made(percent: int, stage: str) -> Measure:
    name = f"p{percent}@{stage}" if stage else f"p{percent}"

    def whole(cases: Sequence[Case], results: Sequence[Result], pool: Pool) -> OfPlaces:
        if stage and not any(stage in result.seconds for result in results):
            known = sorted({known for result in results for known in result.seconds})
            raise InvalidInput(f"{name}: no trace has a stage {stage!r}; there are {', '.join(known) or 'none'}.")
        taken = np.array([result.seconds.get(stage, 0.0) if stage else math.fsum(result.seconds.values()) for result in results])
        return lambda places: float(np.percentile(taken[places], percent))

    about = f"seconds that {percent} % of the cases stay below" + (f", stage {stage}" if stage else "")
    return Measure(name, about, whole=whole, better="lower", high=math.inf)


def p50(argument: str) -> Measure:
    """The median."""
    return _made(50, argument)


def p95(argument: str) -> Measure:
    """What all but one in twenty stay below."""
    return _made(95, argument)
