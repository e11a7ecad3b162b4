"""An encoder in training: texts to vectors, and the gradients of a loss on them, chunk by chunk, so that a large batch fits small memory.

It knows one sentence-transformers model; no group, no objective and no optimiser.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bowerbird.errors import InvalidInput
from bowerbird.need import need
from bowerbird.ports import Vectors

__all__ = ["Net", "chunks"]

_TOGETHER = 128  # texts that go through the model at once, at most
_LONGER = 1.5  # and the longest of them against the shortest: what is padded is computed too


class Net:
    """`model`, whose vectors are scaled to length 1; it reads `tokens` of a text, and holds the activations of `chunk` tokens at once (0 =
    of all). Matrix products are in bfloat16 with `precision` "bf16", and with "auto" where the device has it; weights stay float32."""

    def __init__(self, model: Any, tokens: int, chunk: int = 0, precision: str = "f32") -> None:
        if precision not in ("auto", "f32", "bf16"):
            raise InvalidInput(f"precision is 'auto', 'f32' or 'bf16', not {precision!r}.")
        self._torch = need("torch", "local")
        self.model, self.device = model, model.device
        self._read, self._chunk = min(tokens, int(model.max_seq_length)), chunk
        self.bf16 = precision == "bf16" or (precision == "auto" and self._native())
        self._known: dict[str, list[int]] = {}

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) float32 rows of length 1, without a gradient."""
        with self._torch.no_grad():
            made: Vectors = self._vectors(self._tokens(texts)).cpu().numpy().astype(np.float32)
        return made

    def backward(self, texts: Sequence[str], loss: Callable[[Any], Any]) -> float:
        """Add the gradients of `loss` of the (n, dim) vectors to the parameters'; its value.

        More than `chunk` tokens go through twice (GradCache, Gao et al., arXiv 2101.06983): all without a graph, for the gradient on the
        vectors, then each chunk with one. The same gradients up to rounding, since there is no dropout; a third more time.
        """
        torch = self._torch
        rows = self._tokens(texts)
        parts = chunks([len(row) for row in rows], self._chunk)
        if len(parts) == 1:
            value = loss(self._vectors(rows))
            value.backward()
            return float(value.detach())
        with torch.no_grad():
            whole = self._vectors(rows)
        whole.requires_grad_()
        value = loss(whole)
        value.backward()
        for part in parts:
            (self._vectors([rows[i] for i in part]) * whole.grad[list(part)]).sum().backward()
        return float(value.detach())

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        if fresh:
            made = self.model.tokenizer(fresh, truncation=True, max_length=self._read)["input_ids"]
            self._known.update(zip(fresh, made, strict=True))
        return [self._known[text] for text in texts]

    def _vectors(self, rows: Sequence[Sequence[int]]) -> Any:
        """(n, dim) in order; texts of like length go through together, which spares padding."""
        torch = self._torch
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        together: list[list[int]] = []
        for i in order:
            if together and len(together[-1]) < _TOGETHER and len(rows[i]) <= _LONGER * len(rows[together[-1][0]]):
                together[-1].append(i)
            else:
                together.append([i])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):  # one for all parts: weights are cast once
            parts = [self._forward([rows[i] for i in part]) for part in together]
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order, dtype=torch.long)] = torch.arange(len(order))
        return torch.nn.functional.normalize(torch.cat(parts).float(), dim=1)[back.to(self.device)]

    def _forward(self, rows: Sequence[Sequence[int]]) -> Any:
        torch = self._torch
        longest = max(1, *map(len, rows))
        padding = self.model.tokenizer.pad_token_id or 0
        ids = torch.tensor([[*row, *[padding] * (longest - len(row))] for row in rows], device=self.device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=self.device)
        return self.model({"input_ids": ids, "attention_mask": mask})["sentence_embedding"]

    def _native(self) -> bool:
        torch = self._torch
        if self.device.type == "cuda":
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return self.device.type == "cpu" and bool(able.get("avx512_bf16"))


def chunks(lengths: Sequence[int], limit: int) -> list[tuple[int, ...]]:
    """Places in chunks of like length, each at most `limit` tokens with its padding (0 = one chunk); a longer text is one by itself."""
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    found: list[list[int]] = [[]]
    for i in order:
        if limit and found[-1] and (len(found[-1]) + 1) * lengths[i] > limit:
            found.append([])
        found[-1].append(i)
    return [tuple(chunk) for chunk in found if chunk]
