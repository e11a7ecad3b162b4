"""A router: what each model would score on a query, from the query's vector, and what that is worth at its price.

It knows models by the keys of their records, and one frozen encoder; no record, no endpoint and no store. N models, not two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bowerbird.components import files
from bowerbird.errors import InvalidInput
from bowerbird.ports import Vectors

__all__ = ["FAMILIES", "Router"]

FAMILIES = ("knn", "mf", "logistic", "length")
_Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Router:
    """`family` says what `arrays` hold, and how a query's vector (n, dim) becomes qualities (n, models) in [0, 1]:

    - `knn`: `queries` (N, dim) seen in training and their `scores` (N, models), NaN where a model has none; the mean of the `k` nearest,
      weighted by exp(cosine / 0.1) and drawn towards the prior as if one query of that quality were among them.
    - `mf`, `logistic`: `weights` (dim, models) and `bias` (models,); a logistic function of the linear map (RouteLLM, arXiv 2406.18665,
      section 4.2: with the query's vector fixed, its bilinear score is a map of low rank).
    - `length`: the same on the number of words alone: the baseline that a router has to beat.

    `prior`: each model's mean quality, given where the query is farther from all that was seen than `reach` (cosine to the nearest):
    the router abstains. `costs`: mean dollars a query. `wishes`: 101 quantiles of (strong - weak) on held-out queries, so that
    a share of strong calls can be asked for.
    """

    family: str
    encoder: str
    models: tuple[str, ...]
    arrays: Mapping[str, _Floats]
    prior: _Floats
    costs: _Floats
    strong: str
    weak: str
    wishes: _Floats
    reach: float = -1.0
    k: int = 32

    def qualities(self, vectors: Vectors, words: Sequence[int]) -> tuple[_Floats, NDArray[np.bool_]]:
        """(n, models) predicted qualities, and for each query whether it abstains; `words`: how long each query is."""
        if self.family == "length":
            made = _logistic(np.log1p(np.asarray(words, np.float32))[:, None] @ self.arrays["weights"] + self.arrays["bias"])
            return made, np.zeros(len(made), bool)
        near = vectors @ self.arrays["queries"].T if len(self.arrays["queries"]) else np.full((len(vectors), 1), -1.0, np.float32)
        far = near.max(axis=1) < self.reach
        made = self._nearest(near) if self.family == "knn" else _logistic(vectors @ self.arrays["weights"] + self.arrays["bias"])
        made[far] = self.prior
        return made.astype(np.float32), far

    def utilities(
        self, vectors: Vectors, words: Sequence[int], price: float = 0.0, share: float | None = None
    ) -> tuple[_Floats, NDArray[np.bool_]]:
        """(n, models) quality less `price` times mean dollars, and who abstains. `share`: the strong model is held back so that it is
        first for that share of queries like the held-out ones."""
        made, far = self.qualities(vectors, words)
        made = made - np.float32(price) * self.costs
        if share is not None:
            held_back = np.float32(np.interp(100 * (1 - share), np.arange(101), self.wishes))
            made[~far, self.models.index(self.strong)] -= held_back
        return made, far

    def worth_of_prior(self, price: float = 0.0) -> _Floats:
        """(models,) what each is worth where the router abstains."""
        worth: _Floats = (self.prior - np.float32(price) * self.costs).astype(np.float32)
        return worth

    def _nearest(self, near: _Floats) -> _Floats:
        k = min(self.k, near.shape[1])
        places = np.argpartition(-near, k - 1, axis=1)[:, :k]
        weights = np.exp(np.take_along_axis(near, places, axis=1) / 0.1)
        weights /= weights.sum(axis=1, keepdims=True)
        scores = self.arrays["scores"][places]  # (n, k, models)
        known = ~np.isnan(scores)
        held = weights[:, :, None] * known
        total = (held * np.nan_to_num(scores)).sum(axis=1) + self.prior / k
        made: _Floats = (total / (held.sum(axis=1) + 1 / k)).astype(np.float32)
        return made

    def save(self, folder: Path) -> None:
        """Arrays and settings."""
        settings = {
            "family": self.family,
            "encoder": self.encoder,
            "models": list(self.models),
            "strong": self.strong,
            "weak": self.weak,
            "reach": self.reach,
            "k": self.k,
        }
        arrays = {name: np.where(np.isnan(of), np.float32(-1.0), of) if name == "scores" else of for name, of in self.arrays.items()}
        files.write(folder, {**arrays, "prior": self.prior, "costs": self.costs, "wishes": self.wishes}, settings)

    @classmethod
    def load(cls, folder: Path) -> Router:
        """The one in `folder`. Raises `InvalidInput` when it is damaged or of another family."""
        arrays, settings = files.read(folder)
        try:
            prior, costs, wishes = (arrays.pop(name) for name in ("prior", "costs", "wishes"))
            if settings["family"] not in FAMILIES:
                raise InvalidInput(f"{folder} is a router of family {settings['family']!r}; known: {', '.join(FAMILIES)}.")
            if "scores" in arrays:
                arrays["scores"] = np.where(arrays["scores"] < 0, np.float32(np.nan), arrays["scores"])
            given = {**settings, "models": tuple(settings["models"])}
            return cls(**given, arrays=arrays, prior=prior, costs=costs, wishes=wishes)
        except (KeyError, TypeError) as error:
            raise InvalidInput(f"{folder} holds no router that can be read: {error}") from error


def _logistic(values: NDArray[np.floating]) -> _Floats:
    made: _Floats = (1.0 / (1.0 + np.exp(-np.clip(values, -30, 30)))).astype(np.float32)
    return made
