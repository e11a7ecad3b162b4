"""Dense vectors of sentence-transformers models on a CPU through OpenVINO: the same vectors, several times as fast.

After the first start neither torch nor transformers is imported: the converted graph and the tokenizer come from the cache.
Knows nothing of stores or kinds; the instruction pair of a kind is already part of the texts it gets.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Collection, Sequence

import numpy as np

from bowerbird.encoders import weights
from bowerbird.encoders.convert import FAITHFUL, converted
from bowerbird.encoders.graph import Graph, Runner
from bowerbird.encoders.text import CHARS_PER_TOKEN, checked
from bowerbird.errors import InvalidInput
from bowerbird.kinds import instructed_kinds
from bowerbird.need import have, need
from bowerbird.ports import Vectors

__all__ = ["OpenVINOEncoder"]


class OpenVINOEncoder:
    """Rows of length 1 that equal torch's to a cosine of 0.9999, and do not depend on the other texts at all.

    `model` is a hub name or a local folder; `instructed`: the kinds that it was trained with instructions for (True = all, None = what
    its folder says). `precision`: "f32"; "bf16" (half the time on a CPU that has it; cosine to torch 0.99997 for the default model);
    "auto" takes bf16 when the CPU has it and the conversion measured at least 0.9999 with it. Nothing is loaded before it is needed:
    `id` hashes the weights (0.07 s), `dim` converts them if this has never been done (10 s, needs torch), the first `encode` compiles
    (0.2 s). Safe in threads; a single text does not wait for a long batch of another thread.
    """

    def __init__(self, model: str = weights.DEFAULT, instructed: bool | Collection[str] | None = None, precision: str = "auto") -> None:
        if precision not in ("auto", "f32", "bf16"):
            raise InvalidInput(f"precision is 'auto', 'f32' or 'bf16', not {precision!r}.")
        for module in ("openvino", "tokenizers"):
            if not have(module):
                need(module, "openvino")
        self._name, self._given, self._precision = model, instructed, precision
        self._loading = threading.Lock()

    @functools.cached_property
    def _weights(self) -> weights.Weights:
        return weights.find(self._name)

    @functools.cached_property
    def _graph(self) -> Graph:
        return converted(self._weights)

    @functools.cached_property
    def _runner(self) -> Runner:
        made = self._graph
        precision = self._precision
        if precision == "auto":
            precision = "bf16" if made.bf16 is not None and made.bf16 >= FAITHFUL else "f32"
        return Runner(made, precision)

    @property
    def id(self) -> str:
        """The weights alone name the vectors: `all-MiniLM-L6-v2@53aa5117`, as with torch."""
        return self._weights.tag(self.instructed)

    @property
    def dim(self) -> int:
        with self._loading:
            return self._graph.dim

    @functools.cached_property
    def instructed(self) -> frozenset[str]:
        return self._weights.instructed if self._given is None else instructed_kinds(self._given)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) float32 rows of length 1. Raises `ModelMissing` when the weights are nowhere."""
        with self._loading:
            runner = self._runner
        good = checked(texts, runner.graph.max_tokens * CHARS_PER_TOKEN)
        rows = runner.one(good[0]) if len(good) == 1 else runner.many(good)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return rows
