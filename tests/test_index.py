"""The index follows the catalog: after crashes, lost files, other encoders, other processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from bowerbird import Engine, open
from bowerbird.errors import StoreBusy
from bowerbird.index.points import points
from bowerbird.testing.encoders import HashEncoder

ROWS = [{"key": f"p{n}", "kind": "passage", "text": f"passage number {n} about topic {n % 7}"} for n in range(60)]


def opened(path: Path, encoder: HashEncoder | None = None) -> Engine:
    return open(path, "acme", encoder=encoder or HashEncoder(), llm=None)


def keys(bird: Engine, query: str) -> list[str]:
    return [hit.record.key for hit in bird.search(query, 5) if hit.record]


def test_changes_kept_before_a_crash_are_applied_at_the_next_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as bird:
        bird.add(ROWS)
        monkeypatch.setattr(bird.index, "sync", lambda *a, **k: 0)  # the process dies before the index hears of it
        bird.add([{"key": "late", "kind": "passage", "text": "a late zebra"}])
        bird.delete("p3")
    with opened(tmp_path) as bird:
        assert keys(bird, "late zebra")[0] == "late"
        assert "p3" not in keys(bird, "passage number 3")
        assert bird.verify()[0].clean


def test_the_first_search_after_a_crash_sees_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as bird:
        monkeypatch.setattr(bird.index, "sync", lambda *a, **k: 0)
        bird.add([{"key": f"p{n}", "kind": "passage", "text": f"passage number {n}"} for n in range(600)])
    with opened(tmp_path) as bird:
        assert keys(bird, "passage number 599")[0] == "p599"
        assert bird.index.lag() == 0


@pytest.mark.parametrize("lost", ["indexes", "indexes/hash*[!n]", "indexes/hash*.json"])
def test_a_lost_index_is_made_again(tmp_path: Path, lost: str) -> None:
    with opened(tmp_path) as bird:
        bird.add(ROWS)
        before = keys(bird, "passage number 5")
    (target,) = tmp_path.glob(lost)
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with opened(tmp_path) as bird:
        assert keys(bird, "passage number 5") == before
        assert bird.verify()[0].clean


def test_verify_finds_what_differs_and_rebuild_mends_it(tmp_path: Path) -> None:
    with opened(tmp_path) as bird:
        bird.add(ROWS)
        one, two = bird.get("p1").id, bird.get("p2").id
        (point,) = points([bird.get("p2")], HashEncoder(), bird._parts.sparse)
        bird.index.store.delete([one])
        bird.index.store.put([type(point)(**{**{n: getattr(point, n) for n in point.__slots__}, "hash": "older"})])
        found = bird.verify()[0]
        assert (found.missing, found.stale, found.extra) == ((one,), (two,), ())
        assert keys(bird, "passage number 5")
        assert bird.rebuild() == 60
        assert bird.verify()[0].clean
        assert keys(bird, "passage number 1")[0] == "p1"


def test_another_encoder_says_rebuild_and_rebuild_does_it(tmp_path: Path) -> None:
    with opened(tmp_path) as bird:
        bird.add(ROWS)
    with opened(tmp_path, HashEncoder(32)) as bird:
        report = bird.add([{"key": "new", "kind": "passage", "text": "a new heron"}])
        assert "bowerbird rebuild" in report.note
        assert bird.get("new").text == "a new heron"
        bird.rebuild()
        assert keys(bird, "new heron")[0] == "new"
        assert bird.index.dense == HashEncoder(32).id
        assert bird.verify()[0].clean


HOLDER = """
import sys, bowerbird
from bowerbird.testing.encoders import HashEncoder
with bowerbird.open(sys.argv[1], "acme", encoder=HashEncoder(), llm=None) as bird:
    bird.search("anything")
    print("held", flush=True)
    sys.stdin.readline()
    print([hit.record.key for hit in bird.search("purple gecko", 1)], flush=True)
"""


def test_a_second_process_hears_who_holds_the_index_and_loses_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as bird:
        bird.add(ROWS)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        with opened(tmp_path) as bird:
            with pytest.raises(StoreBusy, match=str(holder.pid)):
                bird.search("anything")
            report = bird.add([{"key": "gecko", "kind": "passage", "text": "a purple gecko"}])
            assert str(holder.pid) in report.note
            assert (report.added, bird.get("gecko").text) == (1, "a purple gecko")
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "['gecko']\n"
    finally:
        holder.communicate(timeout=30)


def test_a_bower_without_dense_vectors_is_searched_by_words(tmp_path: Path) -> None:
    with open(tmp_path, "acme", encoder=None, llm=None) as bird:
        bird.add(ROWS)
        assert bird.spec("search") == "bm25"
        assert "p5" in keys(bird, "number 5")
    with opened(tmp_path) as bird:
        assert bird.spec("search") == "bm25"
        assert "p5" in keys(bird, "number 5")
        assert "rebuild" in bird.stats().note
        bird.rebuild()
        assert bird.spec("search") == "dbsf(bm25, dense)"
        assert "p5" in keys(bird, "number 5")


def test_a_search_does_not_wait_for_an_add_under_way(tmp_path: Path) -> None:
    class Slow(HashEncoder):
        gate = threading.Event()
        slow = False

        def encode(self, texts):  # type: ignore[no-untyped-def]
            if self.slow and len(texts) > 1:
                self.gate.wait(20)
            return super().encode(texts)

    encoder = Slow()
    with opened(tmp_path, encoder) as bird:
        bird.add(ROWS)
        encoder.slow = True
        writer = threading.Thread(target=bird.add, args=([{"key": f"n{n}", "kind": "passage", "text": f"new {n}"} for n in range(5)],))
        writer.start()
        time.sleep(0.2)
        assert keys(bird, "passage number 5")
        assert writer.is_alive()
        encoder.gate.set()
        writer.join(20)
        assert "n3" in keys(bird, "new 3")
