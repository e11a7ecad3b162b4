"""Reciprocal rank fusion: ranks are comparable where scores are not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.roles import Fuse

__all__ = ["RRF"]


@dataclass(frozen=True)
class RRF(Fuse):
    """Sum over the lists of 1 / (k + rank), ranks from 1 (Cormack, Clarke and Büttcher, SIGIR 2009; k = 60 there).

    As in the paper. The sum is exact before it is rounded (`math.fsum`), so the order of the arms changes no score.
    Cost: linear in the hits.
    """

    name: ClassVar[str] = "rrf"
    k: int = 60

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 0:
            raise InvalidInput(f"rrf: k={self.k} must be at least 0 (60 is usual): it is added to every rank.")

    def fuse(self, lists: Sequence[Sequence[tuple[int, float]]]) -> Mapping[int, float]:
        shares: dict[int, list[float]] = {}
        for pairs in lists:
            for rank, (id, _) in enumerate(pairs, start=1):
                shares.setdefault(id, []).append(1.0 / (self.k + rank))
        return {id: math.fsum(parts) for id, parts in shares.items()}
