"""100,000 passages in one bower: what `search` adds to the index's own work, `augment` end to end, memory, disk, opening.

    python benchmarks/scale.py                      # vectors from a cheap stand-in, minutes
    python benchmarks/scale.py --encoder real       # vectors from the default encoder: an hour or less of encoding, kept in --cache

Passages are windows of 120 words of real prose: 70 % belong to the tenant, 20 % to the user who asks, 10 % to somebody else; a tenth has
expired; `where` leaves half. Queries are runs of nine words from passages of the user. The stand-in projects words at random and weighs
them by rarity (Arora et al. 2017, without the removed component), so near texts are near each other; for a single text it calls the real
encoder as well and throws its vector away, so `augment` pays for real query encoding.

Everything but building is measured in fresh processes. "bare" makes the very requests of the search before it again and sends them
straight to the shard; "over" is search, less encoding, less bare, query by query. "best" is the shortest of five calls with the same
query, which leaves out most of what else goes on in the machine. "CPU" is the processor time of the process with all its threads, also
the least of five: a busy machine moves it less than the clock. "Net" memory is without what the benchmark held before it began to add.
"""

from __future__ import annotations

import argparse
import cProfile
import ctypes
import gc
import json
import pstats
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from corpora import vectors, windows
from report import Report, megabytes, middle, p95, resident, spread

import bowerbird
from bowerbird.encoders.choose import choose
from bowerbird.ports import Encoder, Vectors
from bowerbird.stages.words import words
from bowerbird.types import Record

WHERE = {"lang": "en"}
OWNERS = ("acme",) * 7 + ("acme/ann",) * 2 + ("other/bob",)
DAY = 86_400.0
AGAIN = 5
MEASURED = (
    *("search", "encoding", "bare", "over", "bare, best", "over, best", "bare, CPU", "over, CPU"),
    *("augment", "augment, best", "augment, CPU", "query encoding"),
)
BUCKETS = 65_536


class Cheap:
    """Random projections of words, weighed by rarity; a single text also costs what the real encoder takes for it."""

    id, dim, instructed = "words-384", 384, frozenset[str]()

    def __init__(self, real: Encoder | None, often: Any) -> None:
        self.real, self.rows = real, dict[int, Vectors]()
        self.often, self.total = often, often.sum()

    def encode(self, texts: Sequence[str]) -> Vectors:
        if len(texts) == 1 and self.real is not None:
            self.real.encode(texts)
        made = np.stack([sum(map(self.row, numbers(text)), np.zeros(384, np.float32)) for text in texts])
        made[:, 0] += 1e-6
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    def row(self, number: int) -> Vectors:
        if number not in self.rows:
            weight = 1e-3 / (1e-3 + self.often[number] / self.total)
            self.rows[number] = (weight * np.random.default_rng(number).standard_normal(384)).astype(np.float32)
        return self.rows[number]


def numbers(text: str) -> list[int]:
    """A number for each word: words of one number share a vector, so that the stand-in's memory has an end."""
    return [zlib.crc32(word.encode()) % BUCKETS for word in text.lower().split()]


def how_often(texts: Sequence[str]) -> Any:
    """How often words occur, by a number of each word."""
    counts = Counter(number for text in texts for number in numbers(text))
    return np.array([counts[number] for number in range(BUCKETS)])


class Known:
    """The real encoder, with the passages' vectors from a file."""

    def __init__(self, real: Encoder, texts: Sequence[str], rows: Vectors) -> None:
        self.id, self.dim, self.instructed, self.real = real.id, real.dim, real.instructed, real
        self.known = dict(zip(texts, rows, strict=True))

    def encode(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self.known[text] for text in texts]) if all(text in self.known for text in texts) else self.real.encode(texts)


class Timed:
    """Notes how long a part's calls take, and their processor time."""

    def __init__(self, part: Any, calls: Sequence[str]) -> None:
        self._part, self._calls, self.seconds, self.cpu = part, calls, 0.0, 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if name not in self._calls:
            return found

        def timed(*given: Any) -> Any:
            began, worked = time.perf_counter(), time.process_time()
            try:
                return found(*given)
            finally:
                self.seconds += time.perf_counter() - began
                self.cpu += time.process_time() - worked

        return timed


class Recording:
    """A shard that remembers the requests it gets."""

    def __init__(self, shard: Any) -> None:
        self._shard, self.requests = shard, list[Any]()

    def query(self, request: Any) -> Any:
        self.requests.append(request)
        return self._shard.query(request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shard, name)


def bare(shard: Any, requests: Sequence[Any]) -> list[list[tuple[int, float]]]:
    """The same requests made anew and sent, as somebody without Bowerbird would."""
    import qdrant_edge as q

    found = []
    for r in requests:
        conditions = [q.FieldCondition(c.key, match=c.match, range=c.range) for c in r.filter.must]
        request = q.QueryRequest(limit=r.limit, query=r.query, filter=q.Filter(must=conditions), params=r.params)
        found.append([(point.id, point.score) for point in shard.query(request)])
    return found


def build(folder: Path, texts: list[str], encoder: Encoder) -> dict[str, float]:
    now = time.time()
    with bowerbird.open(folder, encoder=encoder, llm=None) as bird:
        took = {"held": _held()}
        began = time.perf_counter()
        for start in range(0, len(texts), 10_000):
            for owner in sorted(set(OWNERS)):
                mine = [i for i in range(start, min(start + 10_000, len(texts))) if OWNERS[i % 10] == owner]
                bird.add([passage(i, texts[i], now) for i in mine], scope=owner)
            print(f"  {min(start + 10_000, len(texts)):,} added, {time.perf_counter() - began:.0f} s, {resident():.0f} MB", flush=True)
        took["add"] = time.perf_counter() - began
        took["most adding"] = resident("VmHWM")
        _held()
        began = time.perf_counter()
        bird.optimize()
        took["optimize"] = time.perf_counter() - began
        took["most optimizing"] = resident("VmHWM")
    return took


def _held() -> float:
    """Memory in use now, MB; from here on the kernel counts the most anew. What is free is given back, so that nobody hides in it."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return resident()


def passage(i: int, text: str, now: float) -> Record:
    fields = {"lang": "en" if i // 10 % 2 else "de", "year": 1990 + i % 35, "title": " ".join(text.split()[:5])}
    ends = {"valid_to": now - DAY} if i // 10 % 10 == 3 else {}
    return Record(f"p{i:06}", "passage", text, fields, **ends)


def measure(folder: Path, asked: Path, kind: str, profile: bool) -> None:
    """Open a bower that another process made, and search it; prints JSON."""
    queries = json.loads(asked.read_text("utf-8"))
    real = choose("auto")
    encoder = Timed(real if kind == "real" else Cheap(real, np.load(asked.with_name("often.npy"))), ["encode"])
    encoder.encode(["the first text compiles the model"])
    before, began = resident(), time.perf_counter()
    bird = bowerbird.open(folder, "acme/ann", encoder=encoder, llm=None)
    took = {"open": time.perf_counter() - began}
    bird._parts.sparse = sparse = Timed(bird._parts.sparse, ["encode_queries"])
    bird.search(queries[0], where=WHERE)
    took["first search"] = time.perf_counter() - began
    store: Any = bird.index.store
    shard = store._shard
    for query in queries[:20]:
        bird.search(query, where=WHERE)
        bird.augment(query, where=WHERE)
    found: dict[str, list[float]] = {name: [] for name in MEASURED}
    hits, kept = [], []
    for query in queries:
        store._shard = recording = Recording(shard)
        bird.search(query, 10, where=WHERE)
        store._shard = shard
        rests, bares, worked, bare_worked = [], [], [], []
        for again in range(AGAIN):
            encoder.seconds = sparse.seconds = encoder.cpu = sparse.cpu = 0.0
            began, cpu = time.perf_counter(), time.process_time()
            hits.append(len(bird.search(query, 10, where=WHERE)))
            took_now, encoding = time.perf_counter() - began, encoder.seconds + sparse.seconds
            rests.append(took_now - encoding)
            worked.append(time.process_time() - cpu - encoder.cpu - sparse.cpu)
            began, cpu = time.perf_counter(), time.process_time()
            bare(shard, recording.requests)
            bares.append(time.perf_counter() - began)
            bare_worked.append(time.process_time() - cpu)
            if not again:
                found["search"].append(took_now)
                found["encoding"].append(encoding)
        found["bare"].append(bares[0])
        found["over"].append(rests[0] - bares[0])
        found["over, best"].append(min(rests) - min(bares))
        found["bare, best"].append(min(bares))
        found["bare, CPU"].append(min(bare_worked))
        found["over, CPU"].append(min(worked) - min(bare_worked))
    for query in queries:
        calls, worked = [], []
        for again in range(AGAIN):
            words.cache_clear()  # what a text's words are is remembered; a new question brings new texts
            encoder.seconds = 0.0
            began, cpu = time.perf_counter(), time.process_time()
            turn = bird.augment(query, where=WHERE)
            calls.append(time.perf_counter() - began)
            worked.append(time.process_time() - cpu)
            if not again:
                found["query encoding"].append(encoder.seconds)
        found["augment"].append(calls[0])
        found["augment, best"].append(min(calls))
        found["augment, CPU"].append(min(worked))
        kept.append(len(turn.context.blocks) if turn.context else 0)
    if profile:
        for name, call in (("search", bird.search), ("augment", bird.augment)):
            profiler = cProfile.Profile()
            profiler.enable()
            for query in queries:
                call(query, where=WHERE)
            profiler.disable()
            print(f"profile of {len(queries)} x {name}", file=sys.stderr)
            pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(28)
    result = {
        **took,
        "requests": len(recording.requests),
        **found,
        "hits": middle(hits),
        "blocks": middle(kept),
        "before": before,
        "resident": resident(),
        "anonymous": resident("RssAnon"),
    }
    bird.close()
    print(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--encoder", choices=("cheap", "real"), default="cheap")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3, help="fresh processes that measure")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "bowerbird-bench")
    parser.add_argument("--folder", type=Path, help="keep the bower here, and measure it again where it is there already")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        folder, asked, kind = given.measure
        measure(Path(folder), Path(asked), kind, given.profile)
        return
    title = f"{given.passages:,} passages, vectors {given.encoder}"
    report = Report(title, ["what", "value", "goal", "spread"], given.out, ["openvino"])
    texts = windows(given.passages)
    rng = random.Random(0)
    mine = [i for i in range(len(texts)) if OWNERS[i % 10] == "acme/ann"]
    lines = [texts[i].split() for i in rng.sample(mine, given.queries)]
    queries = [" ".join(line[at : at + 9]) for line in lines for at in [rng.randrange(len(line) - 9)]]
    scratch = Path(tempfile.mkdtemp())
    folder = given.folder or scratch / "bower"
    try:
        asked = scratch / "queries.json"
        asked.write_text(json.dumps(queries), "utf-8")
        often = how_often(texts[:20_000])
        np.save(asked.with_name("often.npy"), often)
        if not (folder / "catalog.db").exists():
            if given.encoder == "real":
                real = choose("auto")
                assert real is not None
                keyed = ["\n".join([passage(i, text, 0.0).fields["title"], text]) for i, text in enumerate(texts)]
                encoder: Any = Known(real, keyed, vectors(keyed, real, given.cache))
            else:
                encoder = Cheap(None, often)
                for number in range(BUCKETS):  # now, so that they do not count as memory of adding
                    encoder.row(number)
            built = build(folder, texts, encoder)
            report.add("add, s", round(built["add"], 1), None, "vectors given" if given.encoder == "real" else "with the stand-in")
            report.add("optimize, s", round(built["optimize"], 1), None, "")
            report.add("memory at its most while adding, MB", round(built["most adding"]), "≤ 1,500", "")
            net = built["most adding"] - built["held"]
            report.add("  net, MB", round(net), None, f"{built['held']:.0f} held by the benchmark before")
            report.add("memory at its most while optimizing, MB", round(built["most optimizing"]), None, "")
        runs = []
        for _ in range(given.repeats):
            command = [sys.executable, __file__, "--measure", str(folder), str(asked), given.encoder]
            command += ["--profile"] if given.profile and not runs else []
            runs.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
        all_of = {name: [x for run in runs for x in run[name]] for name in MEASURED}
        goals = {"over": "≤ 1", "over, best": "≤ 1", "augment": "≤ 12", "augment, best": "≤ 12"}
        for name in MEASURED:
            report.add(f"{name}, ms", round(1e3 * middle(all_of[name]), 2), goals.get(name), spread(all_of[name], "ms"))
            if name.startswith("augment"):
                context = f"{runs[0]['blocks']:g} blocks, {runs[0]['hits']:g} hits"
                report.add(f"{name} p95, ms", round(1e3 * p95(all_of[name]), 2), "≤ 25", context)
        alone = f"{runs[0]['before']:.0f} before opening; {runs[0]['anonymous']:.0f} not mapped from files"
        report.add("memory, MB", round(max(run["resident"] for run in runs)), "≤ 1,500", alone)
        raw = sum(len(text.encode()) for text in texts) / 2**20
        plain = raw + len(texts) * 384 * 4 / 2**20
        kept = {"catalog": megabytes(*folder.glob("catalog.db*")), "index": megabytes(folder / "indexes")}
        report.add("disk / (text + vectors)", round(sum(kept.values()) / plain, 2), "≤ 2.5", f"{kept}, text {raw:.0f}, both {plain:.0f} MB")
        report.add("open in a new process, s", round(middle([run["open"] for run in runs]), 3), "≤ 1", "")
        report.add("  and first search, s", round(middle([run["first search"] for run in runs]), 3), None, "")
        report.close()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
