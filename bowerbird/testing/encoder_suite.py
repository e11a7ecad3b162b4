"""Conformance suites of the encoder ports: inherit one, give the fixture, and pytest runs it against your encoder.

    class TestMine(EncoderSuite):
        @pytest.fixture
        def encoder(self): return MyEncoder()  # or hand on a module-scoped fixture when it is slow to load

They check the contract (shape, type, length, order, independence, threads), not how good the vectors are.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from bowerbird.kinds import instructed_kinds
from bowerbird.ports import Encoder, PairScorer, Sparse, SparseEncoder

__all__ = ["TEXTS", "EncoderSuite", "PairScorerSuite", "SparseEncoderSuite"]

TEXTS: tuple[str, ...] = (
    "The satin bowerbird decorates its bower with blue things.",
    "A cat sleeps on the warm stove.",
    "def read_json(path): return json.loads(open(path).read())",
    "Inhibition of the mTOR pathway extends the life of mice. " * 12,
    "?",
    "",
    "   \n\t ",
    "園丁鳥はあずまやを飾る。",
    "طائر التعريشة يجمع الأشياء الزرقاء",
    "naïve café — e\u0301 and é, ﬁne; 👩‍👩‍👧 🐦",
    "nul \x00, bell \x07, escape \x1b[31m, no-break \u00a0, bidi \u202e abc \u202c, byte order \ufeff",
    "half a pair: \ud83d",
    "[CLS] [SEP] [MASK] [PAD] <s> </s>",
    "cat",
)
HUGE = "bowerbird builds bowers " * 50_000


class EncoderSuite:
    """What every `Encoder` must do. `tolerance` is the largest 1 - cosine between the same text encoded in two ways."""

    tolerance = 1e-5

    @pytest.fixture
    def encoder(self) -> Encoder:
        raise NotImplementedError("Give the encoder under test: override the fixture `encoder`.")

    def test_id_and_dim_are_stable(self, encoder: Encoder) -> None:
        before = (encoder.id, encoder.dim, encoder.instructed)
        encoder.encode(["a"])
        assert (encoder.id, encoder.dim, encoder.instructed) == before
        assert encoder.id.strip() == encoder.id != ""
        assert encoder.dim > 0
        assert encoder.instructed == instructed_kinds(encoder.instructed)

    def test_shape_type_and_length(self, encoder: Encoder) -> None:
        rows = encoder.encode(TEXTS)
        assert rows.shape == (len(TEXTS), encoder.dim)
        assert rows.dtype == np.float32
        assert np.isfinite(rows).all()
        assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-4

    def test_empty_batch(self, encoder: Encoder) -> None:
        rows = encoder.encode([])
        assert rows.shape == (0, encoder.dim)
        assert rows.dtype == np.float32

    def test_batch_equals_singles(self, encoder: Encoder) -> None:
        singles = np.concatenate([encoder.encode([text]) for text in TEXTS])
        assert _apart(encoder.encode(TEXTS), singles) < self.tolerance

    def test_order_is_kept(self, encoder: Encoder) -> None:
        rows = encoder.encode(TEXTS)
        turned = encoder.encode(TEXTS[::-1])[::-1]
        assert _apart(rows, turned) < self.tolerance

    def test_any_sequence_and_duplicates(self, encoder: Encoder) -> None:
        rows = encoder.encode(("cat", "dog", "cat"))
        assert _apart(rows[:1], rows[2:]) < self.tolerance
        assert _apart(rows[:1], rows[1:2]) > self.tolerance

    def test_large_batch(self, encoder: Encoder) -> None:
        texts = [f"thing number {i} " + "and more " * (i % 7) for i in range(150)]
        rows = encoder.encode(texts)
        assert rows.shape == (150, encoder.dim)
        assert _apart(rows[77:78], encoder.encode(texts[77:78])) < self.tolerance

    def test_huge_text(self, encoder: Encoder) -> None:
        rows = encoder.encode([HUGE, "cat"])
        assert np.isfinite(rows).all()
        assert _apart(rows[1:], encoder.encode(["cat"])) < self.tolerance

    def test_threads(self, encoder: Encoder) -> None:
        expected = encoder.encode(TEXTS)
        with ThreadPoolExecutor(8) as pool:
            for rows in pool.map(lambda _: encoder.encode(TEXTS), range(16)):
                assert _apart(rows, expected) < self.tolerance

    def test_result_belongs_to_the_caller(self, encoder: Encoder) -> None:
        rows = encoder.encode(["cat"])
        kept = rows.copy()
        encoder.encode(["something else"])
        assert np.array_equal(rows, kept)
        rows[:] = 0
        assert np.linalg.norm(encoder.encode(["cat"])[0]) > 0.9


class SparseEncoderSuite:
    """What every `SparseEncoder` must do."""

    @pytest.fixture
    def encoder(self) -> SparseEncoder:
        raise NotImplementedError("Give the encoder under test: override the fixture `encoder`.")

    def test_shape_and_type(self, encoder: SparseEncoder) -> None:
        for made in (encoder.encode_keys(TEXTS), encoder.encode_queries(TEXTS)):
            assert len(made) == len(TEXTS)
            for sparse in made:
                assert sparse.indices.dtype == np.uint32
                assert sparse.values.dtype == np.float32
                assert sparse.indices.shape == sparse.values.shape == (len(sparse.indices),)
                assert (np.diff(sparse.indices.astype(np.int64)) > 0).all()
                assert np.isfinite(sparse.values).all()

    def test_empty_batch_and_empty_text(self, encoder: SparseEncoder) -> None:
        assert encoder.encode_keys([]) == [] == encoder.encode_queries([])
        assert len(encoder.encode_keys([""])[0].indices) == 0
        assert len(encoder.encode_queries([""])[0].indices) == 0

    def test_batch_equals_singles(self, encoder: SparseEncoder) -> None:
        for encode in (encoder.encode_keys, encoder.encode_queries):
            for one, many in zip([encode([text])[0] for text in TEXTS], encode(TEXTS), strict=True):
                assert _same(one, many)

    def test_huge_text(self, encoder: SparseEncoder) -> None:
        assert 0 < len(encoder.encode_keys([HUGE])[0].indices) < 100_000

    def test_threads(self, encoder: SparseEncoder) -> None:
        expected = encoder.encode_keys(TEXTS)
        with ThreadPoolExecutor(8) as pool:
            for made in pool.map(lambda _: encoder.encode_keys(TEXTS), range(16)):
                assert all(_same(a, b) for a, b in zip(made, expected, strict=True))


class PairScorerSuite:
    """What every `PairScorer` must do. `tolerance` is the largest difference between scores of the same pair."""

    tolerance = 1e-4

    @pytest.fixture
    def scorer(self) -> PairScorer:
        raise NotImplementedError("Give the scorer under test: override the fixture `scorer`.")

    def test_shape_and_type(self, scorer: PairScorer) -> None:
        scores = scorer.score([("cat", text) for text in TEXTS])
        assert scores.shape == (len(TEXTS),)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
        assert scorer.id.strip() == scorer.id != ""

    def test_empty_batch(self, scorer: PairScorer) -> None:
        scores = scorer.score([])
        assert scores.shape == (0,)
        assert scores.dtype == np.float32

    def test_batch_equals_singles(self, scorer: PairScorer) -> None:
        pairs = [("blue things of a bird", text) for text in TEXTS]
        singles = np.concatenate([scorer.score([pair]) for pair in pairs])
        assert np.abs(scorer.score(pairs) - singles).max() < self.tolerance

    def test_order_is_kept(self, scorer: PairScorer) -> None:
        pairs = [("blue things of a bird", text) for text in TEXTS]
        assert np.abs(scorer.score(pairs) - scorer.score(pairs[::-1])[::-1]).max() < self.tolerance


def _apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """The largest 1 - cosine between rows of unit length, in double precision."""
    return float((1 - (a.astype(np.float64) * b.astype(np.float64)).sum(axis=1)).max())


def _same(a: Sparse, b: Sparse) -> bool:
    return np.array_equal(a.indices, b.indices) and np.array_equal(a.values, b.values)
