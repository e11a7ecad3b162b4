"""Weighted sum of normalised scores: for arms whose worth is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.roles import Fuse

__all__ = ["Weighted"]


@dataclass(frozen=True)
class Weighted(Fuse):
    """Sum over the lists of weight x (score - min) / (max - min), min and max those of the list (the convex combination
    of Bruch, Gai and Ingber, arXiv 2210.11934, with plain min-max).

    `weights`: one a list, in the arms' order, () = all 1; they need not sum to 1. Scores are normalised because BM25 and
    cosines share no scale; so the last hit of a list counts as if the list did not hold it, and a list whose scores are
    all equal counts 1 for each of its hits. Cost: linear in the hits.
    """

    name: ClassVar[str] = "weighted"
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for weight in self.weights:
            if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not math.isfinite(weight) or weight < 0:
                raise InvalidInput(f"weighted: weights={self.weights!r} must be finite numbers of at least 0; {weight!r} is none.")

    def fits(self, arms: int) -> None:
        if self.weights and len(self.weights) != arms:
            raise InvalidInput(f"weighted: {len(self.weights)} weights {self.weights!r} for {arms} stages: give one a stage, or none.")

    def fuse(self, lists: Sequence[Sequence[tuple[int, float]]]) -> Mapping[int, float]:
        self.fits(len(lists))
        shares: dict[int, list[float]] = {}
        for pairs, weight in zip(lists, self.weights or (1.0,) * len(lists), strict=True):
            for (id, _), share in zip(pairs, _normal([score for _, score in pairs]), strict=True):
                shares.setdefault(id, []).append(weight * share)
        return {id: math.fsum(parts) for id, parts in shares.items()}


def _normal(scores: Sequence[float]) -> list[float]:
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return [1.0 if low == high else (score - low) / (high - low) for score in scores]
