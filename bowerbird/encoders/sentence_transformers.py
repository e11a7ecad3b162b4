"""Dense vectors through sentence-transformers on torch: runs every model that library can load, on a GPU where there is one.

Knows nothing of stores or kinds; the instruction pair of a kind is already part of the texts it gets.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from bowerbird.encoders import weights
from bowerbird.encoders.text import CHARS_PER_TOKEN, checked
from bowerbird.errors import InvalidInput
from bowerbird.kinds import instructed_kinds
from bowerbird.need import have, need
from bowerbird.ports import Vectors

__all__ = ["SentenceTransformerEncoder", "load", "quiet"]


class SentenceTransformerEncoder:
    """`SentenceTransformer.encode` with unit length. The model is loaded by the first `encode` or `dim` (some seconds).

    `model` is a hub name or a local folder; `instructed`: the kinds that it was trained with instructions for (True = all, None = what
    its folder says). A prompt that the model's own settings would put before every text is left out: kinds have instructions for that.
    Calls from several threads take turns, since tokenizers keep state.
    """

    def __init__(self, model: str = weights.DEFAULT, instructed: bool | Collection[str] | None = None, batch_size: int = 32) -> None:
        if batch_size < 1:
            raise InvalidInput(f"batch_size must be at least 1, not {batch_size}.")
        if not have("sentence_transformers"):
            need("sentence_transformers", "local")
        self._name, self._given, self._batch_size = model, instructed, batch_size
        self._turn = threading.Lock()

    @functools.cached_property
    def _weights(self) -> weights.Weights:
        return weights.find(self._name)

    @functools.cached_property
    def _model(self) -> Any:
        return load(self._weights)

    @property
    def id(self) -> str:
        """The weights alone name the vectors: `all-MiniLM-L6-v2@53aa5117`."""
        return self._weights.tag(self.instructed)

    @property
    def dim(self) -> int:
        with self._turn:
            return width(self._model)

    @functools.cached_property
    def instructed(self) -> frozenset[str]:
        return self._weights.instructed if self._given is None else instructed_kinds(self._given)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) float32 rows of length 1. Raises `ModelMissing` when the weights are nowhere."""
        with self._turn:
            model = self._model
            good = checked(texts, model.max_seq_length * CHARS_PER_TOKEN)
            if not good:
                return np.zeros((0, width(model)), np.float32)
            rows = model.encode(
                good, batch_size=self._batch_size, show_progress_bar=False, convert_to_numpy=True, normalize_embeddings=True
            )
            return np.ascontiguousarray(rows, dtype=np.float32)


def load(found: weights.Weights, device: str | None = None) -> Any:
    """The `SentenceTransformer` in a weights folder, on `device` (None = the best there is), without the hub."""
    with quiet():
        module = need("sentence_transformers", "local")
        model = module.SentenceTransformer(str(found.folder), device=device, local_files_only=True)
    model.default_prompt_name = None
    if model.max_seq_length is None:
        model.max_seq_length = 512  # the model has no limit of its own; attention grows with the square of it
    return model.eval()


def width(model: Any) -> int:
    """The length of a model's vectors."""
    return int(model.get_embedding_dimension())


@contextmanager
def quiet() -> Iterator[None]:
    """Loading without progress bars and notes on the terminal; the caller's settings come back afterwards."""
    settings = need("transformers", "local").utils.logging
    level, bars = settings.get_verbosity(), settings.is_progress_bar_enabled()
    settings.set_verbosity_error()
    settings.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # notes of torch and transformers about themselves
            yield
    finally:
        settings.set_verbosity(level)
        if bars:
            settings.enable_progress_bar()
