"""Kill -9 at random moments of an ingest: no acknowledged record lost, none half there, `verify` clean.

    python benchmarks/kill.py --kills 50 --records 20000

A child process adds batch after batch (records that are new, and newer versions of some of the batch before) and says so after each `add`
has returned. This process kills it at a random moment between the opening of the bower and the batch after next, opens the bower itself,
compares every record with what was acknowledged, and lets the next child go on. An ingest that ends before the last kill begins
again with newer versions of everything.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from report import Report

import bowerbird
from bowerbird.testing.encoders import HashEncoder
from bowerbird.types import Record

SCOPE = "acme/ann"
AGAIN = 10  # every tenth record of the batch before gets a newer version


def record(number: int, revision: int) -> Record:
    words = " ".join(f"w{(number * 7919 + revision * 104729 + i * i) % 5000}" for i in range(60))
    return Record(f"r{number:06}", "passage", f"Record {number}, revision {revision}: {words}", {"x_n": number, "x_revision": revision})


def batch(number: int, size: int, batches: int) -> list[Record]:
    """Batch `number` counts on over rounds: new records at even revisions, then odd ones for those that change at once."""
    round, place = divmod(number, batches)
    made = [record(place * size + i, 2 * round + 1) for i in range(size)]
    if place:
        made += [record((place - 1) * size + i, 2 * round + 2) for i in range(0, size, AGAIN)]
    return made


def child(folder: Path, first: int, size: int, batches: int, last: int) -> None:
    print("opening", flush=True)
    with bowerbird.open(folder, SCOPE, encoder=HashEncoder(), llm=None) as bird:
        for number in range(first, last):
            report = bird.add(batch(number, size, batches))
            if report.failures or bird.index.lag():
                raise SystemExit(f"batch {number}: {report}")
            print(number, flush=True)


class Life:
    """One child process, from its opening to its death; `acknowledged` is the last batch that it said was kept."""

    def __init__(self, folder: Path, first: int, size: int, batches: int, last: int) -> None:
        command = [sys.executable, __file__, "--child", str(folder), str(first), str(size), str(batches), str(last)]
        self.acknowledged = first - 1
        self.times: list[float] = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.began = time.perf_counter()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):  # a line that was cut short acknowledges nothing
                self.acknowledged = int(line)
                self.times.append(time.perf_counter() - self.began)

    def kill(self, after: float) -> bool:
        """Whether it was still at work when the signal came."""
        try:
            self.process.wait(max(0.0, self.began + after - time.perf_counter()))
        except subprocess.TimeoutExpired:
            os.kill(self.process.pid, signal.SIGKILL)
        code = self._ended()
        if code not in (0, -signal.SIGKILL):
            raise SystemExit(f"The child ended by itself with {code}.")
        return code != 0

    def finish(self) -> None:
        if self._ended() != 0:
            raise SystemExit(f"The child ended with {self.process.returncode}.")

    def _ended(self) -> int:
        code = self.process.wait()
        self.reader.join()
        return code


def check(folder: Path, acknowledged: int, size: int, batches: int) -> dict[str, int]:
    """Open the bower and compare: how many records it has, lost and half there; how the index differs before and after it catches up."""
    expected: dict[str, int] = {}
    for number in range(acknowledged + 1):
        expected.update((made.key, made.fields["x_revision"]) for made in batch(number, size, batches))
    began = time.perf_counter()
    with bowerbird.open(folder, SCOPE, encoder=HashEncoder(), llm=None) as bird:
        lost, half = set(expected), 0
        kept, last = 0, -1
        while page := bird.catalog.scan(last):
            last = max(page)
            for found in page.values():
                kept += 1
                number, revision = found.fields["x_n"], found.fields["x_revision"]
                whole = record(number, revision)
                half += (found.key, found.text, dict(found.fields)) != (whole.key, whole.text, dict(whole.fields))
                if revision >= expected.get(found.key, 0):
                    lost.discard(found.key)
        opened = time.perf_counter() - began
        behind = bird.index.lag()
        if expected:  # a search that must find what was acknowledged last
            wanted = batch(acknowledged, size, batches)[-1]
            if not bird.search(wanted.text, 1) or bird.search(wanted.text, 1)[0].record is None:
                lost.add(wanted.key)
        bird.index.sync()
        difference, altered = bird.verify()
    wrong = len(difference.missing) + len(difference.extra) + len(difference.stale) + difference.waiting + len(altered)
    return {"kept": kept, "lost": len(lost), "half": half, "behind": behind, "wrong": wrong, "open_ms": round(1e3 * opened)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        folder, *numbers = given.child
        child(Path(folder), *map(int, numbers))
        return
    size, batches = given.batch, -(-given.records // given.batch)
    columns = ["kill", "after s", "acknowledged", "kept", "lost", "half", "behind", "wrong", "open_ms"]
    report = Report(f"{given.kills} kill -9 during an ingest of {size * batches:,} records, seed {given.seed}", columns, given.out)
    rng = random.Random(given.seed)
    folder = Path(tempfile.mkdtemp())
    try:
        trial = Life(folder / "trial", 0, size, batches, 4)
        trial.finish()
        window = trial.times[2]  # opening and three batches: a life keeps one and a half batches on average, and may end before its first
        acknowledged, kills, bad = -1, 0, 0
        while kills < given.kills:
            last = (acknowledged + 1) // batches * batches + batches
            life = Life(folder / "bower", acknowledged + 1, size, batches, last)
            after = rng.uniform(0, window)
            kills += life.kill(after)
            acknowledged = life.acknowledged
            found = check(folder / "bower", acknowledged, size, batches)
            bad += found["lost"] + found["half"] + found["wrong"]
            acknowledged_records = min(acknowledged + 1, batches) * size
            report.add(kills, round(after, 3), acknowledged_records, *(found[name] for name in columns[3:]))
        if (acknowledged + 1) % batches:
            last = (acknowledged // batches + 1) * batches
            Life(folder / "bower", acknowledged + 1, size, batches, last).finish()
            found = check(folder / "bower", last - 1, size, batches)
            bad += found["lost"] + found["half"] + found["wrong"]
            report.add("end", None, size * batches, *(found[name] for name in columns[3:]))
        report.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{kills} kills: {'nothing lost, nothing half there, verify clean' if not bad else f'{bad} records wrong'}")
    raise SystemExit(1 if bad else 0)


if __name__ == "__main__":
    main()
