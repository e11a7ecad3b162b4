"""A router: what each model would score on a query, from the query's vector, and what that is worth at its price.

It knows models by the keys of their records, and one frozen encoder; no record, no endpoint and no store. N models, not two.
"""

from __future__ import annotations

import math
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
_PARTS = {
    "knn": {"queries", "scores"},
    "mf": {"queries", "weights", "length", "bias"},
    "logistic": {"queries", "weights", "length", "bias"},
    "length": {"length", "bias"},
}
_Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Router:
    """`family` says what `arrays` hold, and how a query's vector (n, dim) becomes qualities (n, models) in [0, 1]:

    - `knn`: `queries` (N, dim) seen in training and their `scores` (N, models), NaN where a model has none; the mean of the `k` nearest,
      weighted by exp(cosine / 0.1) and drawn towards the prior as if one query of that quality were among them.
    - `mf`, `logistic`: `weights` (dim, models), `length` and `bias` (models,); a logistic function of the linear map of the vector and the
      logarithm of 1 + the number of words (RouteLLM, arXiv 2406.18665, section 4.2: with the query's vector fixed, its bilinear score is a
      map of low rank; there without the words).
    - `length`: the same on the number of words alone: the baseline that a router has to beat.

    `prior`: each model's mean quality. `trust` (0 to 1): how much of what sets a prediction apart from the prior came true on held-out
    queries; the rest is taken off. The router abstains, and gives the prior, where `trust` is 0 and where a query is farther from all that
    was seen than `reach` (cosine to the nearest). `costs`: mean dollars a query. `strong`: the model that is best on average.
    `held` (m, models): what it gave for held-out queries, by which a share of strong calls is kept; `prices` (101,): the price up to
    which its first choices kept that many per cent of the strong model's mean score there, beyond chance.
    """

    family: str
    encoder: str
    models: tuple[str, ...]
    arrays: Mapping[str, _Floats]
    prior: _Floats
    costs: _Floats
    strong: str
    held: _Floats
    prices: _Floats
    trust: float = 1.0
    reach: float = -1.0
    k: int = 32

    def qualities(self, vectors: Vectors, words: Sequence[int]) -> tuple[_Floats, NDArray[np.bool_]]:
        """(n, models) predicted qualities, and for each query whether it abstains; `words`: how long each query is."""
        far = np.full(len(vectors), self.trust == 0.0)
        if self.family != "length":
            near = vectors @ self.arrays["queries"].T
            far |= near.max(axis=1) < self.reach
        made = self._nearest(near) if self.family == "knn" else self._linear(vectors, words)
        made = self.prior + np.float32(self.trust) * (made - self.prior)
        made[far] = self.prior
        return made.astype(np.float32), far

    def worth(self, qualities: _Floats, price: float = 0.0, share: float | None = None) -> _Floats:
        """(n, models) qualities less `price` times mean dollars. `share`: the strong model is held back (or pushed) so that it is first for
        that share of queries like the held-out ones, at this price; 0 is never, 1 always. Queries predicted alike go one way."""
        made: _Floats = qualities - np.float32(price) * self.costs
        if share is not None:
            strong = self.models.index(self.strong)
            held = self.held - np.float32(price) * self.costs
            ahead = held[:, strong] - np.delete(held, strong, axis=1).max(axis=1)
            most = 2.0 + price * float(np.ptp(self.costs))  # more than any model can be ahead
            made[:, strong] -= np.float32(np.quantile(ahead, 1 - share) if 0 < share < 1 else most * (1 - 2 * share))
        return made

    def price_of(self, quality: float) -> float:
        """The price up to which first choices kept that share (0 to 1) of the strong model's mean score on held-out queries.

        Raises `InvalidInput` where models have no costs, or all the same: there is nothing to save.
        """
        if np.ptp(self.costs) == 0:
            raise InvalidInput("This router's models have no costs, or all the same: no quality can be had for less. Leave quality out.")
        return float(self.prices[math.ceil(100 * quality - 1e-9)])

    def _linear(self, vectors: Vectors, words: Sequence[int]) -> _Floats:
        made = np.log1p(np.asarray(words, np.float32))[:, None] * self.arrays["length"] + self.arrays["bias"]
        return _logistic(made + vectors @ self.arrays["weights"] if "weights" in self.arrays else made)

    def _nearest(self, near: _Floats) -> _Floats:
        k = min(self.k, near.shape[1])
        places = np.argpartition(-near, k - 1, axis=1)[:, :k]
        weights = np.exp(np.take_along_axis(near, places, axis=1) / 0.1)
        weights /= weights.sum(axis=1, keepdims=True)
        scores = self.arrays["scores"][places]  # (n, k, models)
        held = weights[:, :, None] * ~np.isnan(scores)
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
            "trust": self.trust,
            "reach": self.reach,
            "k": self.k,
        }
        arrays = {name: np.where(np.isnan(of), np.float32(-1.0), of) if name == "scores" else of for name, of in self.arrays.items()}
        files.write(folder, {**arrays, "prior": self.prior, "costs": self.costs, "held": self.held, "prices": self.prices}, settings)

    @classmethod
    def load(cls, folder: Path) -> Router:
        """The one in `folder`. Raises `InvalidInput` when it is damaged or of another family."""
        arrays, settings = files.read(folder)
        try:
            prior, costs, held, prices = (arrays.pop(name) for name in ("prior", "costs", "held", "prices"))
            if settings["family"] not in FAMILIES:
                raise InvalidInput(f"{folder} is a router of family {settings['family']!r}; known: {', '.join(FAMILIES)}.")
            if "scores" in arrays:
                arrays["scores"] = np.where(arrays["scores"] < 0, np.float32(np.nan), arrays["scores"])
            given = {**settings, "models": tuple(settings["models"])}
            made = cls(**given, arrays=arrays, prior=prior, costs=costs, held=held, prices=prices)
        except (KeyError, TypeError) as error:
            raise InvalidInput(f"{folder} holds no router that can be read: {error}") from error
        lengths = {prior.shape[-1], costs.shape[-1], held.shape[-1], len(made.models)}
        if len(lengths) > 1 or prices.shape != (101,) or made.strong not in made.models or arrays.keys() != _PARTS[made.family]:
            raise InvalidInput(f"{folder} holds no router that can be read: its arrays do not fit its {len(made.models)} models.")
        return made


def _logistic(values: NDArray[np.floating]) -> _Floats:
    made: _Floats = (1.0 / (1.0 + np.exp(-np.clip(values, -30, 30)))).astype(np.float32)
    return made
