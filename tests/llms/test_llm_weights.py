import sys
import threading
import time
import types

import pytest

pytest.importorskip("transformers", reason="the extra 'local' is not installed")

from bowerbird.errors import ModelMissing
from bowerbird.llms import weights


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BOWERBIRD_CACHE", str(tmp_path))
    return tmp_path


def test_damaged_weights_are_refused_and_nothing_is_left(cache, monkeypatch):
    (cache / "part").write_bytes(b"not the weights")
    package = types.ModuleType(weights._PACKAGE)
    package.chunk_paths = lambda: [cache / "part"]
    monkeypatch.setitem(sys.modules, weights._PACKAGE, package)
    monkeypatch.setattr(weights, "have", lambda name: True)
    heard = []
    with pytest.raises(ModelMissing, match=r"SHA-256.*damaged"):
        weights._gemma(heard.append)
    assert heard == ["default model 1/4: putting the parts together"]
    assert sorted(path.suffix for path in cache.iterdir()) == ["", ".lock"]


def test_left_overs_go_and_one_rename_makes_it_appear(cache, monkeypatch):
    dead = cache / f".{weights._CONVERTED}-dead"
    dead.mkdir()

    def convert(folder, tell):
        assert not dead.exists()
        assert not (cache / weights._CONVERTED).exists()
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr(weights, "_convert", convert)
    folder = weights._gemma(lambda _: None)
    assert (folder / "config.json").is_file()
    assert weights.at_hand() == "cache"
    monkeypatch.setattr(weights, "_convert", None)
    assert weights._gemma(lambda _: None) == folder


def test_a_disk_that_is_full_says_so(cache, monkeypatch):
    def convert(folder, tell):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights, "_convert", convert)
    with pytest.raises(ModelMissing, match=r"No space left.*BOWERBIRD_CACHE"):
        weights._gemma(lambda _: None)
    assert not (cache / weights._CONVERTED).exists()


def test_folders_and_unreachable_hubs(tmp_path, cache, monkeypatch):
    with pytest.raises(ModelMissing, match=r"no config.json"):
        weights.folder_of(str(tmp_path))
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    assert weights.folder_of(str(tmp_path)) == tmp_path
    assert weights.at_hand(str(tmp_path)) == "folder"

    def unreachable(name, *, allow_patterns, local_files_only=False):
        raise OSError("not in the cache" if local_files_only else "no route to the hub")

    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=unreachable))
    with pytest.raises(ModelMissing, match=r"'some/model'.*no route to the hub"):
        weights.folder_of("some/model")


def test_names_of_tensors():
    assert weights._name("blk.3.attn_q.weight") == "model.layers.3.self_attn.q_proj.weight"
    assert weights._name("output_norm.weight") == "model.norm.weight"


def test_of_several_at_once_one_converts(cache, monkeypatch):
    converted, heard, begun = [], [], threading.Event()

    def convert(folder, tell):
        converted.append(folder)
        begun.set()
        time.sleep(0.2)

    monkeypatch.setattr(weights, "_convert", convert)
    first = threading.Thread(target=weights._gemma, args=(heard.append,))
    first.start()
    begun.wait(5)
    assert weights._gemma(heard.append).is_dir()
    first.join(5)
    assert len(converted) == 1
    assert heard == ["another process converts the default model: waiting for it"]
