"""Query adapter: a small map on the query side of a frozen encoder. Keys stay as they are: nothing is encoded again.

It knows vectors and the names of kinds; of stores, texts and training nothing (`learn/trainers/adapter.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bowerbird.components import files
from bowerbird.errors import InvalidInput
from bowerbird.ports import Vectors

__all__ = ["SHARED", "QueryAdapter"]

SHARED = ""  # the name of the part that every kind shares
Factors = tuple[NDArray[np.float32], ...]


class QueryAdapter:
    """q' = normalise(q + q R_shared + q R_kind), where each R is a product of low-rank factors (dim, r)(r, dim), or one full matrix.

    The residual form and its low rank are those of adapters and LoRA (Houlsby et al., arXiv 1902.00751; Hu et al., arXiv
    2106.09685), here on a finished query vector instead of inside the network. A kind without a map of its own gets the shared
    one; without either its queries stay as they are, to the bit.

    `levels`: for a kind what is added to an adapted inner product, so that questions about nothing that is kept score as they did
    before: a threshold on the plain cosine then keeps its meaning for them; see `levelled`. Cost of a query: one product of dim x dim
    for each part, or two of dim x r; tens of microseconds.
    """

    def __init__(self, encoder: str, maps: Mapping[str, Sequence[Vectors]], levels: Mapping[str, float] | None = None) -> None:
        self.encoder = encoder
        self.maps: dict[str, Factors] = {name: tuple(np.asarray(f, np.float32) for f in factors) for name, factors in maps.items()}
        self.levels = {name: float(level) for name, level in (levels or {}).items()}
        shapes = {(factors[0].shape[0], factors[-1].shape[1]) for factors in self.maps.values()}
        if any(rows != columns for rows, columns in shapes) or len(shapes) > 1:
            raise InvalidInput(f"An adapter's maps must all lead from the encoder's vectors to themselves; got {sorted(shapes)}.")

    def changes(self, kind: str) -> bool:
        """Whether queries for `kind` are mapped at all."""
        return kind in self.maps or SHARED in self.maps

    def apply(self, vectors: Vectors, kind: str) -> Vectors:
        """Query vectors (n, dim) as they are searched with for `kind`: (n, dim) float32 rows of length 1."""
        parts = [self.maps[name] for name in (SHARED, kind) if name in self.maps]
        if not parts:
            return vectors
        mapped = vectors.astype(np.float32)
        for factors in parts:
            # einsum rather than @: a row's numbers then do not depend on how many rows there are
            residual = vectors
            for factor in factors:
                residual = np.einsum("nd,dr->nr", residual, factor)
            mapped = mapped + residual
        return np.asarray(mapped / np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-12), np.float32)

    def levelled(self, pairs: Sequence[tuple[int, float]], kind: str) -> Sequence[tuple[int, float]]:
        """Results (record id, score) of a search for `kind`, their scores at the plain encoder's level. Order stays."""
        level = self.levels.get(kind, self.levels.get(SHARED, 0.0))
        return [(id, score + level) for id, score in pairs] if level and self.changes(kind) else pairs

    def save(self, folder: Path) -> None:
        arrays = {f"{name}:{place}": factor for name, factors in self.maps.items() for place, factor in enumerate(factors)}
        files.write(folder, arrays, {"encoder": self.encoder, "levels": self.levels})

    @classmethod
    def load(cls, folder: Path) -> QueryAdapter:
        """Raises `InvalidInput` when the folder holds no adapter."""
        arrays, settings = files.read(folder)
        maps: dict[str, list[Vectors]] = {}
        for name in sorted(arrays):
            maps.setdefault(name.rpartition(":")[0], []).append(arrays[name])
        return cls(str(settings.get("encoder", "")), maps, settings.get("levels", {}))
