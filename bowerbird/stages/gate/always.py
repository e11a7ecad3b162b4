"""Always retrieve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.roles import Gate
from bowerbird.types import Decision, Turn

__all__ = ["Always"]


@dataclass(frozen=True)
class Always(Gate):
    """Lets every turn retrieve, also one that an earlier gate had stopped. Costs nothing."""

    name: ClassVar[str] = "always"

    def decide(self, turns: Sequence[Turn]) -> list[Decision]:
        return [Decision(True, "every turn retrieves") for _ in turns]
