"""The language model says the question so that it can be understood without the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bowerbird.errors import InvalidInput, LLMError
from bowerbird.ports import LLM, Prompt
from bowerbird.roles import Rewrite
from bowerbird.stage import part
from bowerbird.types import Turn

__all__ = ["LLMRewrite"]

_SHOWN = """Said before: Who wrote the novel Emma?
Said before: Jane Austen wrote it.
Now: When was she born?
Alone: When was Jane Austen born?

Said before: Which rivers flow through Basel?
Now: How long is the largest?
Alone: How long is the largest river that flows through Basel?

"""
_LETTERS = 400  # of each message before


@dataclass(frozen=True)
class LLMRewrite(Rewrite):
    """The question, resolved from the last `turns` messages (question rewriting as in CANARD; Elgohary et al., EMNLP 2019; few-shot as in
    Yu et al., arXiv 2006.05009). Differs: two examples of our own in the prompt, no training. A question without history is not sent.
    When the model fails, says nothing, or more than four times as much as was asked, the question stays, and the trace says why.
    Cost: one completion a turn with history, of at most `max_tokens`, one call for the batch."""

    name: ClassVar[str] = "llm_rewrite"
    turns: int = 4
    max_tokens: int = 48
    llm: LLM = part("llm")

    def __post_init__(self) -> None:
        if self.turns < 1 or self.max_tokens < 1:
            raise InvalidInput(f"llm_rewrite: turns={self.turns} and max_tokens={self.max_tokens} must be at least 1.")

    def rewrite(self, turns: Sequence[Turn]) -> list[tuple[tuple[str, ...], Mapping[str, Any]]]:
        asked = [i for i, turn in enumerate(turns) if turn.history]
        done: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [((), {}) for _ in turns]
        if not asked:
            return done
        try:
            said = self.llm.complete([Prompt(text=self._prompt(turns[i])) for i in asked], max_tokens=self.max_tokens, stop=("\n",))
        except LLMError as error:
            return [((), {"error": str(error)} if turn.history else {}) for turn in turns]
        for i, one in zip(asked, said, strict=True):
            query, spent = one.text.strip(), {"prompt_tokens": one.prompt_tokens, "completion_tokens": one.completion_tokens}
            good = 0 < len(query) <= 4 * len(turns[i].query) + 200
            told = {**spent, "cost": one.cost, "model": self.llm.name}
            done[i] = ((query,) if good else (), told if good else {**told, "kept": "the model said nothing that could be a question"})
        return done

    def _prompt(self, turn: Turn) -> str:
        before = "".join(f"Said before: {' '.join(m.content.split())[:_LETTERS]}\n" for m in turn.history[-self.turns :])
        return f"{_SHOWN}{before}Now: {' '.join(turn.query.split())}\nAlone:"
