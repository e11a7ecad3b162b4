"""A dense encoder that was trained here: a folder that sentence-transformers can load, and the kinds it wants instructions for.

It serves a whole bower, since all records are embedded by it: publishing one is a re-embedding (`Engine.reembed`).
"""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bowerbird.encoders.choose import choose
from bowerbird.encoders.sentence_transformers import quiet
from bowerbird.encoders.weights import OWN
from bowerbird.errors import InvalidInput, MissingExtra, UnknownName
from bowerbird.kinds import instructed_kinds
from bowerbird.ports import Encoder, Vectors

__all__ = ["TrainedEncoder"]


class TrainedEncoder:
    """`model`: a SentenceTransformer that was trained, or the folder of one that was kept."""

    def __init__(self, model: Any, instructed: bool | Iterable[str]) -> None:
        self._model, self.instructed = model, instructed_kinds(instructed)

    @property
    def folder(self) -> Path:
        """Where it lies. Raises `InvalidInput` for one that was never kept."""
        if not isinstance(self._model, Path):
            raise InvalidInput("This encoder was not kept yet: save it first.")
        return self._model

    @functools.cached_property
    def _encoder(self) -> Encoder:
        """Through OpenVINO where that is installed, else through torch."""
        made = choose(f"auto:{self.folder}")
        if made is None:
            raise MissingExtra("A trained encoder needs torch: pip install 'bowerbird[openvino]'")
        return made

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) float32 rows of length 1."""
        if isinstance(self._model, Path):
            return self._encoder.encode(texts)
        made = self._model.encode(list(texts), show_progress_bar=False, convert_to_numpy=True, normalize_embeddings=True)
        return np.asarray(made, dtype=np.float32).reshape(len(texts), -1)

    def save(self, folder: Path) -> None:
        """The model's files (safetensors and JSON) and `bowerbird.json`."""
        if isinstance(self._model, Path):
            shutil.copytree(self._model, folder)
            return
        with quiet():
            self._model.save(str(folder), create_model_card=False, safe_serialization=True)
        (folder / OWN).write_text(json.dumps({"instructed": sorted(self.instructed)}) + "\n", "utf-8")

    @classmethod
    def load(cls, folder: Path) -> TrainedEncoder:
        """The one in `folder`; its weights are read when they are needed. Raises `InvalidInput` when there is none."""
        try:
            told = json.loads((folder / OWN).read_text("utf-8"))
            return cls(folder, told["instructed"])
        except (OSError, ValueError, KeyError, TypeError, UnknownName) as error:
            raise InvalidInput(f"{folder} holds no encoder that was trained here: {error}") from error
