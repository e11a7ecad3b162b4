"""`history`: what the user said before stands in front of the question, word for word. No model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.roles import Rewrite
from bowerbird.types import Turn

__all__ = ["History"]


@dataclass(frozen=True)
class History(Rewrite):
    """The user's last `turns` messages (0 = all) and the question as one query, in their order; without earlier ones the question stays.

    The usual baseline of conversational search (TREC CAsT 2019; LLM-Embedder's, arXiv 2310.07554, puts the other side's answers in as
    well). Costs nothing.
    """

    name: ClassVar[str] = "history"
    turns: int = 3

    def __post_init__(self) -> None:
        if self.turns < 0:
            raise InvalidInput(f"history: turns={self.turns} must be at least 1, or 0 for all.")

    def rewrite(self, turns: Sequence[Turn]) -> list[tuple[tuple[str, ...], Mapping[str, Any]]]:
        done: list[tuple[tuple[str, ...], Mapping[str, Any]]] = []
        for turn in turns:
            said = [message.content for message in turn.history if message.role == "user"]
            taken = said[-self.turns :] if self.turns else said
            done.append(((" ".join([*taken, turn.query]),) if taken else (), {"turns": len(taken)}))
        return done
