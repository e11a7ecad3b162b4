"""Scores of (query, text) pairs read together by one transformer, through sentence-transformers.

Knows nothing of hits or stages; slower than vectors by the number of candidates, and better at telling them apart.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bowerbird.encoders import weights
from bowerbird.encoders.sentence_transformers import quiet
from bowerbird.encoders.text import CHARS_PER_TOKEN, checked
from bowerbird.errors import InvalidInput
from bowerbird.need import have, need

__all__ = ["DEFAULT", "CrossEncoderScorer"]

DEFAULT = "cross-encoder/ms-marco-MiniLM-L6-v2"
_MAX_TOKENS = 512


class CrossEncoderScorer:
    """Passage re-ranking with BERT (Nogueira and Cho 2019, arXiv 1901.04085), any model with one output.

    `model`: a hub name, a local folder, or a sentence-transformers CrossEncoder that was just trained. Scores are the model's raw
    logits: higher is better, not comparable between models. One forward pass a pair, up to 512 tokens. The model is loaded by the
    first `score`; calls from several threads take turns. What was trained here is kept and loaded as a component (`save`, `load`).
    """

    def __init__(self, model: Any = DEFAULT, batch_size: int = 32) -> None:
        if batch_size < 1:
            raise InvalidInput(f"batch_size must be at least 1, not {batch_size}.")
        if not have("sentence_transformers"):
            need("sentence_transformers", "local")
        self._name, self._batch_size = model, batch_size
        self._turn = threading.Lock()

    @functools.cached_property
    def _weights(self) -> weights.Weights:
        return weights.find(self._name)

    @functools.cached_property
    def _model(self) -> Any:
        if not isinstance(self._name, str):
            return self._name
        with quiet():
            module = need("sentence_transformers", "local")
            model = module.CrossEncoder(str(self._weights.folder), local_files_only=True)
        if model.num_labels != 1:
            raise InvalidInput(f"{self._name} gives {model.num_labels} numbers a pair; a model with one output is needed to rank.")
        return model

    @property
    def id(self) -> str:
        """`ms-marco-MiniLM-L6-v2@` and 8 digits of the weights' SHA-256."""
        return self._weights.id if isinstance(self._name, str) else "cross-encoder, not kept yet"

    def score(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """(n,) float32 logits. Raises `ModelMissing` when the weights are nowhere."""
        if not pairs:
            return np.zeros(0, np.float32)
        longest = _MAX_TOKENS * CHARS_PER_TOKEN
        queries = checked([query for query, _ in pairs], longest)
        texts = checked([text for _, text in pairs], longest)
        with self._turn:
            torch = need("torch", "local")
            scores = self._model.predict(
                list(zip(queries, texts, strict=True)),
                batch_size=self._batch_size,
                activation_fn=torch.nn.Identity(),
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        return np.asarray(scores, dtype=np.float32).reshape(len(pairs))

    def save(self, folder: Path) -> None:
        """The model's files: safetensors and JSON, as sentence-transformers and transformers load them."""
        with self._turn, quiet():
            self._model.save_pretrained(str(folder), create_model_card=False, safe_serialization=True)

    @classmethod
    def load(cls, folder: Path) -> CrossEncoderScorer:
        """The one in `folder`; its weights are read when they are needed. Raises `InvalidInput` when there are none."""
        if not (folder / "config.json").exists() or not any(folder.glob("*.safetensors")):
            raise InvalidInput(f"{folder} holds no cross-encoder: config.json or *.safetensors is missing.")
        return cls(str(folder))
