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

    Nothing is clipped: an outlier may score beyond [0, 1]. A list that says nothing of its spread (one hit, or all
    scores equal) counts 0.5 for each of its hits. Differs from Qdrant: sums are exact before they are rounded.
    Cost: linear in the hits.
    """

    name: ClassVar[str] = "dbsf"

    def fuse(self, lists: Sequence[Sequence[tuple[int, float]]]) -> Mapping[int, float]:
        shares: dict[int, list[float]] = {}
        for pairs in lists:
            for (id, _), share in zip(pairs, _normal([score for _, score in pairs]), strict=True):
                shares.setdefault(id, []).append(share)
        return {id: math.fsum(parts) for id, parts in shares.items()}


def _normal(scores: Sequence[float]) -> list[float]:
    if len(scores) < 2 or min(scores) == max(scores):
        return [0.5] * len(scores)
    mean = math.fsum(scores) / len(scores)
    sigma = math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / (len(scores) - 1))
    if sigma == 0.0:  # a spread so small that its square is 0
        return [0.5] * len(scores)
    return [0.5 + (score - mean) / (6 * sigma) for score in scores]
