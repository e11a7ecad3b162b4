"""Never retrieve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.roles import Gate
from bowerbird.types import Decision, Turn

__all__ = ["Never"]


@dataclass(frozen=True)
class Never(Gate):
    """Stops retrieval for every turn: the closed-book side of a comparison, or the end of a loop. Costs nothing."""

    name: ClassVar[str] = "never"

    def decide(self, turns: Sequence[Turn]) -> list[Decision]:
        return [Decision(False, "no turn retrieves") for _ in turns]
