"""What a system that stopped early would have come to on all cases: predicted from how the others did on the cases it did not see.

After Zhou et al., On Speeding Up Language Model Evaluation (arXiv 2407.06172): a matrix of systems and cases has low rank, since cases
are hard or easy for all. Numbers alone; it knows no system by name. A prediction is no measurement and is never shown as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bowerbird.errors import InvalidInput

__all__ = ["Prediction", "predict"]

_Floats = NDArray[np.float64]
_RANKS = (0, 1, 2)
_SWEEPS = 8
_LEAST = 8  # cells that a system needs
_DOUBT = 4  # cells with the error of all systems that each is taken to have besides its own


@dataclass(frozen=True, slots=True)
class Prediction:
    """(systems,) each: the mean over all cases, measured where a cell was, predicted where none was; and its standard error as a guess at
    the mean of a whole run (0 where nothing is missing). `rank`: of the factors, chosen by the cells that were held out."""

    mean: _Floats
    error: _Floats
    rank: int


def predict(cells: _Floats, members: int = 32, ridge: float = 1.0, seed: int = 0) -> Prediction:
    """Fill (systems, cases) `cells`, NaN where a system was not run.

    Each member of the ensemble draws every system's cells anew (a bootstrap) and fits a level for each system and factors of rank r
    by alternating least squares with `ridge`; the cells that were not drawn are held out and tell the error of a single cell.
    The standard error of a mean is the spread of the members and that of the missing cells together, raised a little towards that of
    all systems where a system has few cells. Differs from the paper: the
    level is apart from the factors and no ridge pulls it, so that rank 0 is the plain mean; the rank is chosen among 0, 1 and 2; the
    ensemble is a bootstrap, not one of random starts alone. Raises `InvalidInput` for a system with fewer than 8 cells. Costs
    members x cases x systems x some hundred operations.
    """
    known = ~np.isnan(cells)
    if cells.ndim != 2 or known.sum(axis=1).min(initial=_LEAST) < _LEAST:
        raise InvalidInput(f"A prediction needs a matrix of systems and cases with at least {_LEAST} cells a system; got {cells.shape}.")
    rng = np.random.default_rng(seed)
    counts = np.zeros((members, *cells.shape))
    for row, have in enumerate(known):
        places = np.flatnonzero(have)
        counts[:, row, places] = rng.multinomial(len(places), np.full(len(places), 1 / len(places)), size=members)
    values = np.where(known, cells, 0.0)
    out = known[None] & (counts == 0)
    tried = []
    for rank in _RANKS:
        fitted = _factored(values, counts, rank, ridge, rng)
        misses = np.where(out, (values[None] - fitted) ** 2, 0.0).sum(axis=(0, 2)) / np.maximum(out.sum(axis=(0, 2)), 1)
        tried.append((float(misses.mean()), rank, fitted, misses))
    _, rank, fitted, misses = min(tried, key=lambda one: (one[0], one[1]))
    total, absent = cells.shape[1], (~known).sum(axis=1)
    guessed = np.where(known[None], 0.0, fitted).sum(axis=2)  # (members, systems): what the missing cells add up to
    mean = (values.sum(axis=1) + guessed.mean(axis=0)) / total
    have = known.sum(axis=1)
    doubt = _DOUBT * (misses.mean() - misses) / (have + _DOUBT)  # a system that failed in every cell so far is not sure to fail in all
    level = guessed.var(axis=0, ddof=1) + absent**2 * np.maximum(doubt, 0.0) / have
    error = np.sqrt(level + absent * (misses + np.maximum(doubt, 0.0))) / total
    return Prediction(mean, error, rank)


def _factored(values: _Floats, weights: _Floats, rank: int, ridge: float, rng: np.random.Generator) -> _Floats:
    """(members, systems, cases): level of the system + product of the factors, fitted to `values` at the `weights`."""
    members, systems, cases = weights.shape
    level = (weights * values).sum(axis=2) / weights.sum(axis=2)
    if rank == 0:
        return np.repeat(level[:, :, None], cases, axis=2)
    left = values[None] - level[:, :, None]
    scale = np.sqrt((weights * left**2).sum(axis=(1, 2)) / weights.sum(axis=(1, 2)))[:, None, None] + 1e-12
    scaled = values[None] / scale  # so that the ridge means the same for every measure
    of_system = np.concatenate([level[:, :, None] / scale, 1 + 0.1 * rng.standard_normal((members, systems, rank))], axis=2)
    of_case = np.ones((members, cases, 1 + rank))  # the first factor of every case is 1: what meets it is the level, which no ridge pulls
    for _ in range(_SWEEPS):
        gram = np.einsum("msc,msi,msj->mcij", weights, of_system[..., 1:], of_system[..., 1:], optimize=True) + ridge * np.eye(rank)
        met = np.einsum("msc,msc,msi->mci", weights, scaled - of_system[..., :1], of_system[..., 1:], optimize=True)
        of_case[..., 1:] = np.linalg.solve(gram, met[..., None])[..., 0]
        pull = np.diag([1e-9, *[ridge] * rank])
        gram = np.einsum("msc,mci,mcj->msij", weights, of_case, of_case, optimize=True) + pull
        of_system = np.linalg.solve(gram, np.einsum("msc,msc,mci->msi", weights, scaled, of_case, optimize=True)[..., None])[..., 0]
    filled: _Floats = np.einsum("msi,mci->msc", of_system, of_case, optimize=True) * scale
    return filled
