"""No retrieval: what the model says on its own is the baseline of every augmented answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.roles import Query, Retrieve

__all__ = ["Nothing"]


@dataclass(frozen=True)
class Nothing(Retrieve):
    """Finds nothing, for the closed-book baseline (Roberts et al., arXiv 2002.08910). Costs nothing."""

    name: ClassVar[str] = "none"

    def search(self, queries: Sequence[Query]) -> list[Sequence[tuple[int, float]]]:
        return [() for _ in queries]
