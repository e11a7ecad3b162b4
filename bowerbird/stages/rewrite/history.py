"""The conversation so far in front of the question: what was said before is searched with, word for word."""

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
    """The user's last `turns` messages and the question as one query (the concatenation of TREC CAsT's runs and of LLM-Embedder's
    conversational search, arXiv 2310.07554, appendix). A question without history stays as it is. Costs nothing."""

    name: ClassVar[str] = "history"
    turns: int = 3

    def __post_init__(self) -> None:
        if self.turns < 1:
            raise InvalidInput(f"history: turns={self.turns} must be at least 1.")

    def rewrite(self, turns: Sequence[Turn]) -> list[tuple[tuple[str, ...], Mapping[str, Any]]]:
        return [((self._whole(turn),) if _said(turn) else (), {}) for turn in turns]

    def _whole(self, turn: Turn) -> str:
        return "\n".join([*_said(turn)[-self.turns :], turn.query])


def _said(turn: Turn) -> list[str]:
    return [message.content for message in turn.history if message.role == "user"]
