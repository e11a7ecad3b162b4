"""A language model with a purse: a loop over questions cannot run away with time, tokens or money.

It knows nothing of what the calls are for. It offers completion alone: what streams or scores is not accounted for, so a
stage that needs that must be given the model itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bowerbird.errors import InvalidInput, LLMError
from bowerbird.ports import LLM, Completion, Prompt

__all__ = ["Budgeted", "Spent"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What all calls so far have taken; `seconds` of side-by-side calls add up, `cost` is in dollars."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cost: float = 0.0


class Budgeted:
    """`llm`, until a limit is reached; then each call raises `LLMError` without reaching it.

    `max_tokens_total` (prompts and answers) is never passed, as far as `llm.count` is right: a call that could pass it is
    refused before it starts. `max_seconds` and `max_cost` (dollars) can be passed by the calls under way. Safe in threads.
    """

    def __init__(
        self, llm: LLM, *, max_tokens_total: int | None = None, max_seconds: float | None = None, max_cost: float | None = None
    ) -> None:
        for setting, value in (("max_tokens_total", max_tokens_total), ("max_seconds", max_seconds), ("max_cost", max_cost)):
            if value is not None and value < 0:
                raise InvalidInput(f"{setting}={value!r}: 0 or more, or None for no limit.")
        self._llm = llm
        self._max_tokens_total, self._max_seconds, self._max_cost = max_tokens_total, max_seconds, max_cost
        self._spent, self._held = Spent(), 0
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._llm.name

    @property
    def context_window(self) -> int:
        return self._llm.context_window

    @property
    def spent(self) -> Spent:
        """So far, calls under way not included."""
        with self._lock:
            return self._spent

    def count(self, texts: Sequence[str]) -> list[int]:
        """As the model counts."""
        return self._llm.count(texts)

    def complete(
        self, prompts: Sequence[Prompt], *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """As the model does, or `LLMError` saying which limit was reached. A call that fails costs its time alone."""
        texts = [text for prompt in prompts for text in (prompt.text, *(message.content for message in prompt.messages)) if text]
        most = sum(self._llm.count(texts)) + max_tokens * len(prompts) if self._max_tokens_total is not None and prompts else 0
        self._hold(most)
        began, answers = time.perf_counter(), list[Completion]()
        try:
            answers = self._llm.complete(prompts, max_tokens=max_tokens, temperature=temperature, stop=stop, seed=seed)
        finally:
            with self._lock:
                self._held -= most
                self._spent = Spent(
                    self._spent.calls + 1,
                    self._spent.prompt_tokens + sum(answer.prompt_tokens for answer in answers),
                    self._spent.completion_tokens + sum(answer.completion_tokens for answer in answers),
                    self._spent.seconds + time.perf_counter() - began,
                    self._spent.cost + sum(answer.cost for answer in answers),
                )
        return answers

    def _hold(self, tokens: int) -> None:
        """Set aside what a call may take at most, so that calls side by side cannot pass the limit together."""
        with self._lock:
            spent = self._spent
            used = spent.prompt_tokens + spent.completion_tokens + self._held
            for what, limit, taken, over in (
                (
                    "tokens (this call's most included)",
                    self._max_tokens_total,
                    used + tokens,
                    used + tokens > (self._max_tokens_total or 0),
                ),
                ("seconds", self._max_seconds, spent.seconds, spent.seconds >= (self._max_seconds or 0)),
                ("dollars", self._max_cost, spent.cost, spent.cost >= (self._max_cost or 0)),
            ):
                if limit is not None and over:
                    raise LLMError(f"The budget for {self._llm.name} is {limit:g} {what}; used: {taken:g}. Raise it or ask for less.")
            self._held += tokens
