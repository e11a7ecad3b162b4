"""`llm_rewrite`: the language model says the question so that it can be understood without the conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from bowerbird.errors import InvalidInput, LLMError
from bowerbird.ports import LLM, Completion, Prompt
from bowerbird.roles import Rewrite
from bowerbird.stage import part
from bowerbird.stages.asking import completions
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
_LETTERS = 400  # of each message before: a long answer must not push the question that it answers out of the budget


@dataclass(frozen=True)
class LLMRewrite(Rewrite):
    """The question, resolved from the conversation so far (CANARD; Elgohary et al., EMNLP 2019), few-shot (Yu et al., arXiv 2006.05009).
    Differs: two examples of our own in the prompt, nothing is trained.

    The prompt shows the latest messages that fit into `budget` tokens, cut after 400 letters each. A question without history is not
    sent. When the model fails, says nothing, or is cut off at `max_tokens`, the question stays as it is and the trace says why (`kept`).
    Cost: one call for the batch, a completion of at most `max_tokens` for each turn with history.
    """

    name: ClassVar[str] = "llm_rewrite"
    waits: ClassVar[bool] = True
    budget: int = 400
    max_tokens: int = 48
    llm: LLM = part("llm")

    def __post_init__(self) -> None:
        if self.budget < 1 or self.max_tokens < 1:
            raise InvalidInput(f"llm_rewrite: budget={self.budget} and max_tokens={self.max_tokens} must be at least 1.")

    def rewrite(self, turns: Sequence[Turn]) -> list[tuple[tuple[str, ...], Mapping[str, Any]]]:
        asked = [i for i, turn in enumerate(turns) if turn.history]
        said = completions(self.llm, self._prompts([turns[i] for i in asked]), max_tokens=self.max_tokens, stop=("\n",))
        done: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [((), {"kept": "nothing was said before"}) for _ in turns]
        for i, one in zip(asked, said, strict=True):
            done[i] = self._resolved(one)
        return done

    def _resolved(self, said: Completion | LLMError) -> tuple[tuple[str, ...], Mapping[str, Any]]:
        if isinstance(said, LLMError):
            return (), {"model": self.llm.name, "kept": "the model failed", "error": str(said)}
        told = {
            "model": self.llm.name,
            "prompt_tokens": said.prompt_tokens,
            "completion_tokens": said.completion_tokens,
            "cost": said.cost,
        }
        query = said.text.strip().removeprefix("Alone:").strip()
        if not query:
            return (), {**told, "kept": "the model said nothing"}
        if said.finish == "length":
            return (), {**told, "kept": f"the model was not done after {self.max_tokens} tokens"}
        return (query,), told

    def _prompts(self, turns: Sequence[Turn]) -> list[Prompt]:
        shown = [[f"Said before: {_line(message.content)[:_LETTERS]}\n" for message in turn.history] for turn in turns]
        lines = [line for of_turn in shown for line in of_turn]
        sizes = iter(self.llm.count(lines) if lines else [])
        prompts = []
        for turn, of_turn in zip(turns, shown, strict=True):
            room, first = self.budget, len(of_turn)
            for size in reversed(list(islice(sizes, len(of_turn)))):
                if size > room:
                    break
                room, first = room - size, first - 1
            prompts.append(Prompt(text=f"{_SHOWN}{''.join(of_turn[first:])}Now: {_line(turn.query)}\nAlone:"))
        return prompts


def _line(text: str) -> str:
    return " ".join(text.split())
