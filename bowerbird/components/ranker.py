"""Feature ranker: a small network over what is known of each candidate, in numpy. It knows numbers and their names, no text and no hit.

What the numbers are is `stages/rerank/feature_ranker.py`'s; how they are weighed, `learn/trainers/ranker.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bowerbird.components import files
from bowerbird.errors import InvalidInput

__all__ = ["FeatureRanker"]

_Floats = NDArray[np.float32]


class FeatureRanker:
    """score = w · tanh(W x + b), x the features less their mean, over their spread (Burges et al., ICML 2005: a two-layer net).

    `encoder`: the id of the dense encoder whose scores it was trained on, "" = there was none. `stages`: the stages whose scores are
    read, `kinds`: the kinds that are told apart; the features' number and order follow from them. `mean`, `spread`: (features,).
    `into`: (features, hidden), `bias`: (hidden,), `out`: (hidden,).
    """

    def __init__(
        self,
        encoder: str,
        stages: Sequence[str],
        kinds: Sequence[str],
        mean: _Floats,
        spread: _Floats,
        into: _Floats,
        bias: _Floats,
        out: _Floats,
    ) -> None:
        self.encoder, self.stages, self.kinds = encoder, tuple(stages), tuple(kinds)
        self.mean, self.spread, self.into, self.bias, self.out = (np.asarray(a, np.float32) for a in (mean, spread, into, bias, out))
        if not self.mean.shape == self.spread.shape == self.into.shape[:1] or not self.bias.shape == self.out.shape == self.into.shape[1:]:
            raise InvalidInput(
                f"The arrays of a ranker do not fit: {self.mean.shape}, {self.into.shape}, {self.bias.shape}, {self.out.shape}."
            )

    def score(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n,) from (n, features); higher is better, comparable within one list."""
        if features.shape[1:] != self.mean.shape:
            raise InvalidInput(f"This ranker reads {len(self.mean)} features; got {features.shape[1:]}: fit it anew.")
        # einsum rather than @: a row's number then does not depend on how many rows there are
        inner = np.tanh(np.einsum("nf,fh->nh", (features - self.mean) / self.spread, self.into) + self.bias)
        return np.asarray(np.einsum("nh,h->n", inner, self.out), np.float64)

    def save(self, folder: Path) -> None:
        arrays = {name: getattr(self, name) for name in ("mean", "spread", "into", "bias", "out")}
        files.write(folder, arrays, {"encoder": self.encoder, "stages": list(self.stages), "kinds": list(self.kinds)})

    @classmethod
    def load(cls, folder: Path) -> FeatureRanker:
        """Raises `InvalidInput` when the folder holds no ranker."""
        arrays, settings = files.read(folder)
        try:
            return cls(
                settings.get("encoder", ""),  # not noted by earlier versions: the stage then says to fit it anew
                settings["stages"],
                settings["kinds"],
                *(arrays[name] for name in ("mean", "spread", "into", "bias", "out")),
            )
        except KeyError as error:
            raise InvalidInput(f"{folder} holds no ranker: {error} is missing.") from error
