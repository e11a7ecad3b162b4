"""The doubles pass the suites, and the suites find planted bugs."""

from __future__ import annotations

import numpy as np
import pytest

from bowerbird.testing.encoder_suite import EncoderSuite, PairScorerSuite
from bowerbird.testing.encoders import HashEncoder, OverlapScorer


class TestHashEncoder(EncoderSuite):
    @pytest.fixture
    def encoder(self):
        return HashEncoder()


class TestOverlapScorer(PairScorerSuite):
    @pytest.fixture
    def scorer(self):
        return OverlapScorer()


def test_texts_that_share_words_are_near():
    rows = HashEncoder().encode(["the blue bird sings", "a blue bird sang", "quarterly tax report of 2019"])
    assert rows[0] @ rows[1] > 0.4 > rows[0] @ rows[2]


def test_vectors_are_pinned():
    """The same on every machine and in every release: other parts' tests compare against them."""
    row = HashEncoder(dim=8).encode(["blue bird"])[0]
    np.testing.assert_allclose(row, PINNED, atol=1e-6)


PINNED = [0, 0, -0.196116, 0, 0.784465, 0, 0.588348, 0]


class _Batchy(HashEncoder):
    """Planted: a row depends on its neighbours."""

    def encode(self, texts):
        rows = super().encode(texts)
        rows = rows + 0.1 * rows.mean(axis=0) if len(texts) else rows
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class _Shuffled(HashEncoder):
    """Planted: comes back sorted by length."""

    def encode(self, texts):
        return super().encode(sorted(texts, key=len))


class _Doubles(HashEncoder):
    def encode(self, texts):
        return super().encode(texts).astype(np.float64)


class _Long(HashEncoder):
    def encode(self, texts):
        return super().encode(texts) * np.float32(1.1)


class _Shared(HashEncoder):
    """Planted: hands out its own buffer."""

    def __init__(self):
        super().__init__()
        self._buffer = {}

    def encode(self, texts):
        buffer = self._buffer.setdefault(len(texts), np.zeros((len(texts), self.dim), np.float32))
        buffer[:] = super().encode(texts)
        return buffer


class _NoEmpty(HashEncoder):
    def encode(self, texts):
        return np.stack([super(_NoEmpty, self).encode([text])[0] for text in texts])


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (_Batchy, "test_batch_equals_singles"),
        (_Shuffled, "test_order_is_kept"),
        (_Doubles, "test_shape_type_and_length"),
        (_Long, "test_shape_type_and_length"),
        (_Shared, "test_result_belongs_to_the_caller"),
        (_NoEmpty, "test_empty_batch"),
    ],
)
def test_the_suite_finds_planted_bugs(broken, test):
    with pytest.raises((AssertionError, ValueError)):
        getattr(EncoderSuite(), test)(broken())
