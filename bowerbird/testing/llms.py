"""Language models for tests: they say what the script says, count tokens by a rule that anybody can check, and remember their calls.

They know nothing of language. A token is a word or a single punctuation mark.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bowerbird.errors import InvalidInput, LLMError
from bowerbird.ports import Completion, Prompt

__all__ = ["Call", "ScoringLLM", "ScriptedLLM"]

_TOKEN = re.compile(r"\w+|[^\w\s]")
_PIECE = re.compile(r"\s*(?:\w+|[^\w\s])|\s+$")


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it came in."""

    prompts: tuple[Prompt, ...]
    max_tokens: int
    temperature: float
    stop: tuple[str, ...]
    seed: int
    streamed: bool = False


class ScriptedLLM:
    """A language model that follows a script; can complete and stream.

    `replies`: one string = the answer to every prompt; a sequence = one reply a prompt, in order, and an `LLMError`
    when it is used up; a callable = Prompt -> reply. Stop strings and `max_tokens` cut a reply as a real model's.
    `fail`: an exception raised by every call, or a sequence with one entry a call (None = this call works; past
    its end every call works). `calls` keeps what was asked, `prompts` all prompts so far. Safe in threads.
    """

    def __init__(
        self,
        replies: str | Sequence[str] | Callable[[Prompt], str] = "ok",
        *,
        fail: Exception | Sequence[Exception | None] | None = None,
        name: str = "scripted",
        context_window: int = 8192,
        price_in: float = 0.0,
        price_out: float = 0.0,
    ) -> None:
        self._replies, self._fail = replies, fail
        self._name, self._context_window = name, context_window
        self._price_in, self._price_out = price_in, price_out
        self._calls: list[Call] = []
        self._spoken = 0
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def context_window(self) -> int:
        return self._context_window

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call so far, those that failed too."""
        with self._lock:
            return tuple(self._calls)

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Every prompt so far."""
        return tuple(prompt for call in self.calls for prompt in call.prompts)

    def complete(
        self, prompts: Sequence[Prompt], *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """The script's replies, one a prompt; costs by `price_in` and `price_out` (dollars per million tokens)."""
        call = Call(tuple(prompts), max_tokens, temperature, tuple(stop), seed)
        return [self._completion(prompt, reply, call) for prompt, reply in zip(prompts, self._next(call), strict=True)]

    def stream(
        self, prompt: Prompt, *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = (), seed: int = 0
    ) -> Iterator[str]:
        """The reply token by token; the pieces joined are what `complete` gives."""
        call = Call((prompt,), max_tokens, temperature, tuple(stop), seed, streamed=True)
        yield from _PIECE.findall(self._completion(prompt, self._next(call)[0], call).text)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Words and punctuation marks of each text."""
        return [len(_TOKEN.findall(text)) for text in texts]

    def _next(self, call: Call) -> list[str]:
        """Write the call down, fail if the script says so, and take this call's replies."""
        if call.max_tokens < 1:
            raise InvalidInput(f"max_tokens={call.max_tokens!r}: ask for at least one token.")
        with self._lock:
            turn = len(self._calls)
            self._calls.append(call)
            first, self._spoken = self._spoken, self._spoken + len(call.prompts)
        failure = self._fail
        if failure is not None and not isinstance(failure, Exception):
            failure = failure[turn] if turn < len(failure) else None
        if failure is not None:
            raise failure
        if isinstance(self._replies, str):
            return [self._replies] * len(call.prompts)
        if callable(self._replies):
            return [self._replies(prompt) for prompt in call.prompts]
        if first + len(call.prompts) > len(self._replies):
            raise LLMError(f"The script has {len(self._replies)} replies and was asked for {first + len(call.prompts)}: give it more.")
        return list(self._replies[first : first + len(call.prompts)])

    def _completion(self, prompt: Prompt, reply: str, call: Call) -> Completion:
        for mark in call.stop:
            reply = reply.split(mark, 1)[0] if mark else reply
        pieces, finish = _PIECE.findall(reply), "stop"
        if self.count([reply])[0] > call.max_tokens:
            reply, finish = "".join(pieces[: call.max_tokens]), "length"
        read = sum(self.count([prompt.text, *(message.content for message in prompt.messages)]))
        written = self.count([reply])[0]
        return Completion(reply, read, written, (read * self._price_in + written * self._price_out) / 1e6, finish)


class ScoringLLM(ScriptedLLM):
    """A scripted model that also scores outputs: a token that stands in the prompt has log-probability -0.5, another -4.

    So an output is the likelier the more of its words the prompt holds, which is what a stage that ranks by
    likelihood needs of a double.
    """

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
        """(sum, number of the output's tokens) for each (prompt, output); case does not matter."""
        scores = []
        for prompt, output in pairs:
            known = set(_TOKEN.findall(prompt.lower()))
            tokens = _TOKEN.findall(output.lower())
            scores.append((sum(-0.5 if token in known else -4.0 for token in tokens), len(tokens)))
        return scores
