"""Distribution-based score fusion: a score counts by where it stands among its list's scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.roles import Fuse

__all__ = ["DBSF"]


@dataclass(frozen=True)
class DBSF(Fuse):
    """Each list is mapped so that mean - 3 sigma is 0 and mean + 3 sigma is 1, then scores are summed (Mazzeschi 2023,
    "Distribution-Based Score Fusion", as Qdrant implements it; sigma is the sample's, n - 1).

    Nothing is clipped: an outlier may score beyond [0, 1], so an arm that is sure of a few hits outweighs one that finds all of them
    much the same. A list whose scores are all equal counts 0.5 for each of its hits. Differs from Qdrant: sums are exact before they are
    rounded, and a list shorter than the longest is taken to go on with zeros (its lowest score, where that is below 0), for what an arm
    did not find it gave nothing: the one record that holds a part number stands out as far as it does.
    Cost: linear in the hits.
    """

    name: ClassVar[str] = "dbsf"

    def fuse(self, lists: Sequence[Sequence[tuple[int, float]]]) -> Mapping[int, float]:
        shares: dict[int, list[float]] = {}
        longest = max(map(len, lists), default=0)
        for pairs in lists:
            scores = [score for _, score in pairs]
            for (id, _), share in zip(pairs, _normal(scores, longest), strict=True):
                shares.setdefault(id, []).append(share)
        return {id: math.fsum(parts) for id, parts in shares.items()}


def _normal(scores: Sequence[float], length: int) -> list[float]:
    """The shares of a list's scores, as if it went on to `length`."""
    low = min(scores, default=0.0)
    every = [*scores, *[min(0.0, low)] * (length - len(scores))]
    if min(every, default=0.0) == max(every, default=0.0):
        return [0.5] * len(scores)
    mean = math.fsum(every) / len(every)
    sigma = math.sqrt(math.fsum((score - mean) ** 2 for score in every) / (len(every) - 1))
    if sigma == 0.0:  # a spread so small that its square is 0
        return [0.5] * len(scores)
    return [0.5 + (score - mean) / (6 * sigma) for score in scores]
