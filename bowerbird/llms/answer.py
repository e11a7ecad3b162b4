"""One answer of a local model as it grows: a token drawn, the text so far, and where it ends. It knows tokens and no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bowerbird.need import need

__all__ = ["Answer", "drawn"]


@dataclass(slots=True)
class Answer:
    """What is written behind one prompt of tokens, of at most `limit` tokens; `finish` is "" until it has an end."""

    prompt: list[int]
    limit: int
    chat: bool  # white space in front of an answer is dropped
    stop: tuple[str, ...] = ()
    ids: list[int] = field(default_factory=list)
    text: str = ""
    finish: str = ""

    def add(self, token: int, tokenizer: Any, ends: set[int], stop: Sequence[str]) -> None:
        """Write a token behind it and see whether that is its end."""
        if token in ends:
            self.finish = "stop"
            return
        self.ids.append(token)
        self.text = tokenizer.decode(self.ids)
        if self.chat:
            self.text = self.text.lstrip()
        cuts = [at for mark in (*stop, *self.stop) if mark and (at := self.text.find(mark)) >= 0]
        if cuts:
            self.text, self.finish = self.text[: min(cuts)], "stop"
        elif len(self.ids) >= self.limit:
            self.finish = "length"

    def settled(self, stop: Sequence[str]) -> int:
        """How many characters of the text will stay: all but half a character, or what may become a stop string."""
        if self.finish:
            return len(self.text)
        text = self.text.rstrip("\ufffd")
        held = max((n for mark in (*stop, *self.stop) for n in range(1, len(mark)) if text.endswith(mark[:n])), default=0)
        return len(text) - held


def drawn(logits: Any, draws: Sequence[Any]) -> list[int]:
    """A token for each row of `logits` (rows, vocabulary), with the probabilities of its softmax, by the row's own generator.

    By the inverse of the distribution: one uniform number a row, where `multinomial` draws one for each token of the vocabulary.
    """
    torch = need("torch", "local")
    below = torch.softmax(logits, dim=-1).cumsum(-1)
    at = torch.cat([torch.rand(1, generator=draw) for draw in draws]).to(below.device) * below[:, -1]
    found = torch.searchsorted(below, at[:, None], right=True)[:, 0]
    return [int(token) for token in found.clamp(max=below.shape[1] - 1)]
