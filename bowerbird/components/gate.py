"""A gate: how likely it is that retrieval helps with a query, from its vector and its surface, kind by kind.

It knows no record and no store.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bowerbird.components import files
from bowerbird.errors import InvalidInput
from bowerbird.ports import Vectors

__all__ = ["NeedGate", "surface"]

_Floats = NDArray[np.float32]
_WORD = re.compile(r"\w+")


def surface(queries: Sequence[str]) -> _Floats:
    """(n, 4) what a query looks like: logarithm of its words, share of digits, whether it asks, share of capitals."""
    rows = []
    for query in queries:
        letters = max(1, len(query))
        digits, capitals = sum(map(str.isdigit, query)), sum(map(str.isupper, query))
        rows.append((np.log1p(len(_WORD.findall(query))) / 3, digits / letters, float("?" in query), capitals / letters))
    return np.array(rows, np.float32).reshape(len(rows), 4)


@dataclass(frozen=True)
class NeedGate:
    """For each of `kinds` a logistic function of (vector, surface): `weights` (dim + 4, kinds) and `biases` (kinds,); `thresholds`
    (kinds,): the chance from which on that kind is retrieved (0 = always, above 1 = never)."""

    encoder: str
    kinds: tuple[str, ...]
    weights: _Floats
    biases: _Floats
    thresholds: _Floats

    def chances(self, vectors: Vectors, queries: Sequence[str]) -> _Floats:
        """(n, kinds) chance that retrieval of the kind helps."""
        linear = np.concatenate([vectors, surface(queries)], axis=1) @ self.weights + self.biases
        made: _Floats = (1.0 / (1.0 + np.exp(-np.clip(linear, -30, 30)))).astype(np.float32)
        return made

    def save(self, folder: Path) -> None:
        """Arrays and settings."""
        arrays = {"weights": self.weights, "biases": self.biases, "thresholds": self.thresholds}
        files.write(folder, arrays, {"encoder": self.encoder, "kinds": list(self.kinds)})

    @classmethod
    def load(cls, folder: Path) -> NeedGate:
        """The one in `folder`. Raises `InvalidInput` when it is damaged."""
        arrays, settings = files.read(folder)
        try:
            made = cls(settings["encoder"], tuple(settings["kinds"]), arrays["weights"], arrays["biases"], arrays["thresholds"])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"{folder} holds no gate that can be read: {error}") from error
        if {made.weights.shape[-1], *made.biases.shape, *made.thresholds.shape} != {len(made.kinds)}:
            raise InvalidInput(f"{folder} holds no gate that can be read: its arrays do not fit its {len(made.kinds)} kinds.")
        return made
