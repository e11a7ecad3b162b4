"""Encoders: throughput, latency and agreement against SentenceTransformer.encode with its defaults; quality on SciFact.

    python benchmarks/encoders.py [--texts 192] [--repeats 5] [--no-quality]

The contestants take turns within each repeat, so that a busy machine slows all of them; medians, and the spread as
[least, most]. SciFact is read from $BOWERBIRD_DATA (default ../shared/data); without it the texts are generated and
quality is left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bowerbird.encoders import weights
from bowerbird.encoders.bm25 import BM25Encoder
from bowerbird.encoders.openvino import OpenVINOEncoder
from bowerbird.encoders.sentence_transformers import load
from bowerbird.ports import Sparse

DATA = Path(os.environ.get("BOWERBIRD_DATA", Path(__file__).parents[2] / "shared" / "data")) / "knowledge" / "scifact" / "beir"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=192)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-quality", action="store_true")
    asked = parser.parse_args()

    print(machine())
    documents, queries, relevant = scifact() if DATA.is_dir() else generated()
    keys, texts = list(documents), list(documents.values())
    sample = texts[:: max(1, len(texts) // asked.texts)][: asked.texts]
    asks = list(queries.values())[:100]
    torch_model, fast, exact, bm25 = load(weights.find()), OpenVINOEncoder(), OpenVINOEncoder(precision="f32"), BM25Encoder()
    expected = torch_model.encode(sample)
    contestants: dict[str, Callable[[Sequence[str]], Any]] = {
        "SentenceTransformer.encode": torch_model.encode,
        f"openvino ({fast._runner.precision})": fast.encode,
        "openvino (f32)": exact.encode,
    }
    for name, encoder in (("auto", fast), ("f32", exact)):
        rows = encoder.encode(sample)
        print(f"cosine to torch, {name}: least {(rows * expected).sum(axis=1).min():.7f}")

    short = [text[:300] for text in sample]
    for title, batch in ((f"{len(sample)} passages", sample), (f"{len(short)} texts of 300 characters", short)):
        race(f"texts/s, {title}", contestants, batch, asked.repeats)
    print("\nms for one query, median [least, most]")
    waits: dict[str, list[float]] = {name: [] for name in contestants}
    for ask in [*asks[:3], *asks]:
        for name, encode in contestants.items():
            waits[name].append(clocked(encode, [ask]))
    base = statistics.median(next(iter(waits.values()))[3:])
    for name, times in waits.items():
        middle = statistics.median(times[3:])
        print(f"  {name:28} {1e3 * middle:8.2f} [{1e3 * min(times[3:]):.2f}, {1e3 * max(times[3:]):.2f}]  x{base / middle:.2f}")

    words = statistics.mean(len(text.split()) for text in texts[:1000])
    rate = [len(texts[:1000]) / clocked(BM25Encoder().encode_keys, texts[:1000]) for _ in range(asked.repeats)]
    print(f"\nbm25 keys: {statistics.median(rate):.0f} texts/s of {words:.0f} words, vocabulary unknown at the start")

    if relevant and not asked.no_quality:
        print("\nnDCG@10, SciFact test")
        print(f"  bm25   {ndcg(relevant, keys, sparse_scores(bm25, texts, [queries[q] for q in relevant])):.4f}   {bm25.id}")
        started = time.perf_counter()
        rows = fast.encode(texts)
        took = time.perf_counter() - started
        scores = fast.encode([queries[q] for q in relevant]) @ rows.T
        print(f"  dense  {ndcg(relevant, keys, scores):.4f}   {fast.id}, {len(texts) / took:.0f} texts/s over the whole corpus")


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    parts = ", ".join(
        f"{name} {version(name)}" for name in ("numpy", "torch", "sentence-transformers", "openvino", "tokenizers", "PyStemmer")
    )
    name = names[0] if names else platform.processor()
    return f"{name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}, {parts}"


def clocked(encode: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> float:
    started = time.perf_counter()
    encode(texts)
    return time.perf_counter() - started


def race(title: str, contestants: dict[str, Callable[[Sequence[str]], Any]], texts: Sequence[str], repeats: int) -> None:
    """Turns of all contestants on the same texts; the ratio is the median of the ratios within each repeat."""
    for encode in contestants.values():
        encode(texts[:16])
    seconds = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, encode in contestants.items():
            seconds[name].append(clocked(encode, texts))
    first = next(iter(seconds.values()))
    print(f"\n{title}, median [least, most]")
    for name, times in seconds.items():
        rates = [len(texts) / took for took in times]
        ratio = statistics.median(a / b for a, b in zip(first, times, strict=True))
        print(f"  {name:28} {statistics.median(rates):8.1f} [{min(rates):.1f}, {max(rates):.1f}]  x{ratio:.2f}")


def scifact() -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]]]:
    with gzip.open(DATA / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        documents = {row["_id"]: f"{row['title']} {row['text']}".strip() for row in map(json.loads, file)}
    queries = {row["_id"]: row["text"] for row in map(json.loads, (DATA / "queries.jsonl").read_text(encoding="utf-8").splitlines())}
    relevant: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (DATA / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        relevant[query][document] = int(grade)
    return documents, queries, dict(relevant)


def generated() -> tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]]]:
    """Words of many lengths, drawn by Zipf's law; nothing is relevant to anything."""
    draw = np.random.default_rng(0)
    syllables = ["ba", "ke", "li", "mo", "nu", "ra", "si", "ta", "ve", "zu"]
    vocabulary = ["".join(draw.choice(syllables, draw.integers(1, 5))) for _ in range(5000)]

    def text(words: int) -> str:
        return " ".join(vocabulary[min(number, 5000) - 1] for number in draw.zipf(1.3, words))

    return {f"d{i}": text(int(draw.integers(50, 300))) for i in range(1000)}, {f"q{i}": text(12) for i in range(100)}, {}


def sparse_scores(encoder: BM25Encoder, texts: Sequence[str], asks: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Exact scores of every text for every query (asks, texts), as a store would give them."""
    holders: dict[int, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for place, key in enumerate(encoder.encode_keys(texts)):
        for term, weight in _items(key):
            holders[term][0].append(place)
            holders[term][1].append(weight)
    scores = np.zeros((len(asks), len(texts)))
    for row, query in zip(scores, encoder.encode_queries(asks), strict=True):
        for term, weight in _items(query):
            if term in holders:
                places, key_weights = holders[term]
                idf = math.log(1 + (len(texts) - len(places) + 0.5) / (len(places) + 0.5))
                row[places] += weight * idf * np.array(key_weights)
    return scores


def _items(sparse: Sparse) -> Any:
    return zip(sparse.indices.tolist(), sparse.values.tolist(), strict=True)


def ndcg(relevant: dict[str, dict[str, int]], keys: Sequence[str], scores: np.ndarray[Any, Any]) -> float:
    import ir_measures

    run = {}
    for query, row in zip(relevant, scores, strict=True):
        best = np.argsort(-row, kind="stable")[:100]
        run[query] = {keys[i]: float(row[i]) for i in best}
    return float(ir_measures.calc_aggregate([ir_measures.nDCG @ 10], relevant, run)[ir_measures.nDCG @ 10])


if __name__ == "__main__":
    main()
