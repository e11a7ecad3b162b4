"""Another encoder beside the one that serves: prepared, stopped, switched, gone back to, dropped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from bowerbird import Engine, open
from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.index import index as indexes
from bowerbird.ports import Vectors
from bowerbird.testing.encoders import HashEncoder
from bowerbird.types import Scope


class Counting(HashEncoder):
    """Counts the records that it encodes; a search's single query does not count."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.records: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.records += texts if len(texts) > 1 else ()
        return super().encode(texts)


def rows(start: int, end: int, words: str = "topic") -> list[dict[str, str]]:
    return [{"key": f"p{n}", "kind": "passage", "text": f"passage number {n} about {words} {n % 7}"} for n in range(start, end)]


def opened(path: Path, encoder: HashEncoder) -> Engine:
    return open(path, "acme", encoder=encoder, llm=None)


def keys(bird: Engine, query: str) -> list[str]:
    return [hit.record.key for hit in bird.search(query, 5) if hit.record]


def dense(bird: Engine, query: str) -> list[str]:
    return [hit.record.key for hit in bird.search(query, 5, spec="dense") if hit.record]


def test_there_and_back_encodes_only_what_changed(tmp_path: Path) -> None:
    old, new = Counting(64), Counting(32)
    with opened(tmp_path, old) as bird:
        bird.add(rows(0, 60))
        assert bird.reembed(new) == 60
        assert bird.index.dense == new.id
        assert dense(bird, "passage number 7 about topic 0")[0] == "p7"
        assert bird.verify()[0].clean
        assert [(kept.encoder, kept.serving, kept.ready, kept.waiting) for kept in bird.encoders()] == [
            (new.id, True, True, 0),
            (old.id, False, True, 0),
        ]
        bird.add([*rows(0, 2, "zebras"), *rows(60, 63)])
        bird.delete("p5")
        assert bird.encoders()[1].waiting == 6
        old.records, new.records = [], []
        assert bird.reembed(old) == 6
        assert (len(old.records), new.records) == (5, [])
        assert bird.verify()[0].clean
        assert dense(bird, "passage number 61 about topic 5")[0] == "p61"
        assert "p5" not in dense(bird, "passage number 5 about topic 5")


def test_what_was_encoded_before_a_kill_is_not_encoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dies(Counting):
        def encode(self, texts: Sequence[str]) -> Vectors:
            if len(self.records) > 600:
                raise KeyboardInterrupt
            return super().encode(texts)

    with opened(tmp_path, HashEncoder()) as bird:
        bird.add(rows(0, 800))
        with pytest.raises(KeyboardInterrupt):
            bird.reembed(Dies(32))
        assert bird.index.dense == "hash-64"
        assert not bird.encoders()[1].ready
        with pytest.raises(InvalidInput, match="prepare it first"):
            bird.index.switch(HashEncoder(32))
        bird.add(rows(0, 3, "zebras"))  # changed behind the place where it stopped
    again = Counting(32)
    with opened(tmp_path, HashEncoder()) as bird:
        bird.reembed(again)
        assert 0 < len(again.records) < 100
        assert bird.verify()[0].clean
        assert dense(bird, "passage number 2 about zebras 2")[0] == "p2"


def test_changes_are_kept_for_a_kept_index_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Counting(64)
    with opened(tmp_path, old) as bird:
        bird.add(rows(0, 60))
        bird.reembed(HashEncoder(32))
        left = bird.catalog.pruned()
        bird.add(rows(60, 90))
        assert bird.catalog.pruned() == left
        monkeypatch.setattr(indexes, "_WAITED_FOR", 10)
        bird.add(rows(90, 120))
        assert bird.catalog.pruned() == 109
        bird.delete(["p0", "p1"])
        old.records = []
        assert bird.reembed(old) == 60  # compared by fingerprint, not encoded again
        assert len(old.records) == 60
        assert not {f"passage number {n} about topic {n % 7}" for n in range(60)} & set(old.records)
        assert bird.verify()[0].clean


def test_dropping(tmp_path: Path) -> None:
    with opened(tmp_path, HashEncoder()) as bird:
        bird.add(rows(0, 20))
        bird.reembed(HashEncoder(32))
        serving, kept = bird.encoders()
        with pytest.raises(InvalidInput, match="serves"):
            bird.index.drop(serving.name)
        with pytest.raises(UnknownName):
            bird.index.drop("nothing")
        bird.index.drop(kept.name)
        assert bird.encoders() == [serving]
        assert bird.catalog.pruned() == 19
    assert [path.name for path in sorted((tmp_path / "indexes").iterdir())] == [serving.name, f"{serving.name}.json"]


def test_rebuild_leaves_one_index(tmp_path: Path) -> None:
    with opened(tmp_path, HashEncoder()) as bird:
        bird.add(rows(0, 20))
        for _ in range(2):
            assert bird.rebuild() == 20
            assert len(bird.encoders()) == 1
            assert bird.verify()[0].clean
    with opened(tmp_path, HashEncoder()) as bird:
        assert dense(bird, "passage number 7 about topic 0")[0] == "p7"
        bird.reembed(HashEncoder(32))
        assert bird.reembed(HashEncoder()) == 0
    assert len(list((tmp_path / "indexes").iterdir())) == 4


@pytest.mark.parametrize("stopped", [False, True])
def test_a_bower_with_one_unnamed_index_goes_on(tmp_path: Path, stopped: bool) -> None:
    encoder = Counting(64)
    with opened(tmp_path, encoder) as bird:
        bird.add(rows(0, 60))
        name = bird.encoders()[0].name
        bird.catalog.set_fact("index", name if stopped else "")
    state = json.loads((tmp_path / f"indexes/{name}.json").read_text("utf-8"))
    del state["filled"]
    (tmp_path / "index.json").write_text(json.dumps(state), "utf-8")
    (tmp_path / f"indexes/{name}.json").unlink()
    if not stopped:  # otherwise the folder was moved, and the process killed before the state followed
        (tmp_path / "indexes" / name).rename(tmp_path / "index")
        shutil.rmtree(tmp_path / "indexes")
    encoder.records = []
    with opened(tmp_path, encoder) as bird:
        assert bird.index.dense == encoder.id
        assert dense(bird, "passage number 7 about topic 0")[0] == "p7"
        assert [kept.name for kept in bird.encoders()] == [name]
        assert bird.verify()[0].clean
        bird.add(rows(60, 61))
        assert "p60" in keys(bird, "passage number 60")
    assert encoder.records == []
    assert not (tmp_path / "index").exists()
    assert not (tmp_path / "index.json").exists()


def test_nobody_waits_or_errs_while_another_encoder_comes(tmp_path: Path) -> None:
    errors: list[BaseException] = []
    added: list[str] = []
    searches = 0
    done = threading.Event()

    def adding(bird: Engine) -> None:
        number = 1000
        while not done.is_set():
            assert bird.add(rows(number, number + 2)).added == 2
            added.extend([f"p{number}", f"p{number + 1}"])
            number += 2

    def searching(bird: Engine) -> None:
        nonlocal searches
        while not done.is_set():
            for spec in ("dense", "bm25"):
                found = [hit.record.key for hit in bird.search("passage number 7 about topic 0", 1, spec=spec) if hit.record]
                assert found == ["p7"]
            searches += 1

    def guarded(work, bird: Engine) -> None:  # type: ignore[no-untyped-def]
        try:
            work(bird)
        except BaseException as error:  # noqa: BLE001 - told in the main thread
            errors.append(error)

    with opened(tmp_path, HashEncoder()) as bird, opened(tmp_path, HashEncoder()) as other:
        bird.add(rows(0, 400))
        threads = [threading.Thread(target=guarded, args=work) for work in ((searching, bird), (searching, bird), (adding, bird))]
        for thread in threads:
            thread.start()
        for number, dim in enumerate((32, 64, 96)):
            assert other.add(rows(5000 + number, 5001 + number)).added == 1  # another engine, which cannot have the index
            bird.reembed(HashEncoder(dim))
        bird.rebuild()
        done.set()
        for thread in threads:
            thread.join(30)
        assert errors == []
        assert searches > 3
        assert bird.index.sync() >= 0
        assert bird.verify()[0].clean
        assert bird.catalog.count(bird._scope(None))["passage"] == 403 + len(added)
        assert all(dense(bird, f"passage number {key[1:]} about topic {int(key[1:]) % 7}")[0] == key for key in (*added[:2], "p5002"))


def test_a_search_does_not_wait_for_an_encoder_under_way(tmp_path: Path) -> None:
    class Slow(HashEncoder):
        begun, gate = threading.Event(), threading.Event()

        def encode(self, texts: Sequence[str]) -> Vectors:
            self.begun.set()
            self.gate.wait(20)
            return super().encode(texts)

    with opened(tmp_path, HashEncoder()) as bird:
        bird.add(rows(0, 20))
        thread = threading.Thread(target=bird.reembed, args=(Slow(32),))
        thread.start()
        assert Slow.begun.wait(20)
        assert bird.add(rows(20, 21)).added == 1
        assert dense(bird, "passage number 20 about topic 6")[0] == "p20"
        assert bird.index.dense == "hash-64"
        Slow.gate.set()
        thread.join(20)
        assert bird.index.dense == "hash-32"
        assert dense(bird, "passage number 20 about topic 6")[0] == "p20"


def test_the_bower_remembers_the_encoder_by_name(tmp_path: Path) -> None:
    with opened(tmp_path, HashEncoder()) as bird:
        bird.add(rows(0, 20))
        bird.reembed("none")
    with open(tmp_path, "acme", llm=None) as bird:
        assert bird.stats().encoder is None
        assert bird.stats().note == ""
        assert bird.spec("search") == "bm25"
        assert "p7" in keys(bird, "number 7")


def test_structures_are_built_by_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "DUE", 10)
    seen: list[str] = []
    with opened(tmp_path, HashEncoder()) as bird:
        bird.add(rows(0, 20))
        bird.reembed(HashEncoder(32), lambda doing, done, of: seen.append(doing))
        assert "building search structures" in seen
        assert dense(bird, "passage number 7 about topic 0")[0] == "p7"
        assert not bird.index.due
        assert bird.verify()[0].clean


KILLED = """
import os, signal, sys, bowerbird
from bowerbird.index.places import Place
from bowerbird.catalog import Catalog
from bowerbird.stores.edge import EdgeStore
from bowerbird.testing.encoders import HashEncoder
from bowerbird.types import Scope

def dying(owner, name, left, after):
    real = getattr(owner, name)
    def called(*args, **named):
        if left[0] == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **named)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return result
    setattr(owner, name, called)

with bowerbird.open(sys.argv[1], "acme", encoder=HashEncoder(), llm=None) as bird:
    bird.search("anything")
    owner, name, left, after = eval(sys.argv[2])
    dying(owner, name, [left], after)
    bird.reembed(HashEncoder(32))
"""

MOMENTS = {  # what is called, for the how manieth time, and whether it ends before the kill: which encoder serves afterwards
    "(Place, 'write', 0, True)": 64,
    "(HashEncoder, 'encode', 1, False)": 64,
    "(EdgeStore, 'put', 1, True)": 64,
    "(Place, 'write', 1, False)": 64,
    "(Catalog, 'set_facts', 0, False)": 64,
    "(Catalog, 'set_facts', 0, True)": 32,
}


def test_a_stopped_rebuild_leaves_the_old_index_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path, HashEncoder()) as bird:
        bird.add(rows(0, 20))
        name = bird.encoders()[0].name
        with monkeypatch.context() as patch:
            patch.setattr(bird.catalog, "set_facts", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                bird.rebuild()
        assert [(kept.name, kept.serving) for kept in bird.encoders()] == [(name, True), (f"{name}-again", False)]
        assert dense(bird, "passage number 7 about topic 0")[0] == "p7"
        bird.reembed(HashEncoder(32))
        assert [kept.encoder for kept in bird.encoders()] == ["hash-32", "hash-64"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_kill(tmp_path: Path, moment: str) -> None:
    with opened(tmp_path, HashEncoder()) as bird:
        bird.add(rows(0, 400))
        bird.add(rows(0, 5, "zebras"))
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), moment], env={**os.environ}, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    with opened(tmp_path, HashEncoder(MOMENTS[moment])) as bird:
        assert bird.index.dense == f"hash-{MOMENTS[moment]}"
        assert bird.verify()[0].clean
        assert dense(bird, "passage number 3 about zebras 3")[0] == "p3"
        new = Counting(32)
        bird.reembed(new)
        assert bird.verify()[0].clean
        assert bird.catalog.totals()["records"] == 400
        assert dense(bird, "passage number 399 about topic 0")[0] == "p399"


def test_another_encoder_by_hand_leaves_no_trained_one_serving_on_the_shelf(tmp_path: Path) -> None:
    class Kept:
        def save(self, folder: Path) -> None:
            folder.mkdir(parents=True)

    with opened(tmp_path, HashEncoder(64)) as bird:
        bird.add(rows(0, 5))
        kept = bird.shelf.keep("encoder", Kept(), Scope("acme"), {})
        bird.shelf.publish("encoder", kept.version, kept.scope)
        assert bird.shelf.serving("encoder", kept.scope) is not None
        bird.reembed(HashEncoder(32))
        assert bird.shelf.serving("encoder", kept.scope) is None
