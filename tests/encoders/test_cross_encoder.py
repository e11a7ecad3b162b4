from __future__ import annotations

import pytest

from bowerbird.encoders.cross_encoder import DEFAULT, CrossEncoderScorer
from bowerbird.errors import InvalidInput, ModelMissing
from bowerbird.testing.encoder_suite import PairScorerSuite

pytest.importorskip("sentence_transformers")


@pytest.fixture(scope="module")
def tiny_scorer(tiny_cross):
    return CrossEncoderScorer(str(tiny_cross))


class TestCrossEncoderScorer(PairScorerSuite):
    @pytest.fixture
    def scorer(self, tiny_scorer):
        return tiny_scorer


def test_reads_both_sides(tiny_scorer):
    a, b, c = tiny_scorer.score([("cat", "blue bird"), ("bower", "blue bird"), ("cat", "satin bower")])
    assert a != b
    assert a != c


def test_scores_are_logits(tiny_cross, tiny_scorer):
    """The model's own sigmoid is left out: it would press good candidates together."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tiny_cross))
    model = AutoModelForSequenceClassification.from_pretrained(str(tiny_cross)).eval()
    expected = model(**tokenizer("cat", "blue bird", return_tensors="pt")).logits.item()
    assert tiny_scorer.score([("cat", "blue bird")])[0] == pytest.approx(expected, abs=1e-5)


def test_missing_model(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelMissing, match=DEFAULT):
        CrossEncoderScorer().score([("a", "b")])


def test_wrong_input(tiny_scorer):
    with pytest.raises(InvalidInput, match="no string"):
        tiny_scorer.score([("a", None)])
    with pytest.raises(InvalidInput, match="batch_size"):
        CrossEncoderScorer(batch_size=0)
