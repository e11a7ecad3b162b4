"""Encoder doubles for tests: no model, no dependency beyond numpy, the same vectors on every machine.

They know words and spellings, not meanings: two texts are near each other when they share them.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from bowerbird.kinds import instructed_kinds
from bowerbird.ports import Vectors

__all__ = ["HashEncoder", "OverlapScorer"]

_WORD = re.compile(r"\w+")


class HashEncoder:
    """Feature hashing (Weinberger et al. 2009, arXiv 0902.2206) of words and, at half their weight, of character trigrams.

    Texts that share words get similar vectors, the more so the larger `dim` is. A text without words, the empty one
    included, gets the first unit vector. Vectors are (n, dim) float32 of length 1.
    """

    def __init__(self, dim: int = 64, instructed: bool | Collection[str] = False) -> None:
        self._dim, self._instructed = dim, instructed_kinds(instructed)

    @property
    def id(self) -> str:
        return f"hash-{self._dim}"

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def instructed(self) -> frozenset[str]:
        return self._instructed

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) float32 rows of length 1."""
        rows = np.zeros((len(texts), self._dim), dtype=np.float64)
        for row, text in zip(rows, texts, strict=True):
            for feature, weight in _features(text).items():
                number = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
                row[number % self._dim] += weight if number & 0x8000_0000 else -weight
            if not row.any():
                row[0] = 1.0
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows.astype(np.float32)


class OverlapScorer:
    """A `PairScorer`: the share of the query's distinct words that the text has, in [0, 1]."""

    @property
    def id(self) -> str:
        return "overlap"

    def score(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """(n,) float32."""
        return np.array([_overlap(query, text) for query, text in pairs], dtype=np.float32)


def _features(text: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for word in _WORD.findall(text.casefold()):
        counts[word] += 2
        counts.update(f"#{word[i : i + 3]}" for i in range(len(word) - 2))
    return counts


def _overlap(query: str, text: str) -> float:
    asked = set(_WORD.findall(query.casefold()))
    return len(asked & set(_WORD.findall(text.casefold()))) / len(asked) if asked else 0.0
