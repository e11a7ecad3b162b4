"""Retrieval quality through the whole engine on SciFact (BEIR test, 300 queries, 5,183 abstracts): nDCG@10 and recall@100.

    python benchmarks/quality.py

Abstracts are passages with a title field, encoded by the default encoder. Published for comparison: BM25 0.665 and
all-MiniLM-L6-v2 0.645 (BEIR, Thakur et al. 2021, and sentence-transformers' model card).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from corpora import ndcg, scifact
from report import Report, spread

import bowerbird
from bowerbird.types import Record

SPECS = {
    "bm25(k=100)": 0.66,
    "dense(k=100)": 0.642,
    "rrf(bm25(k=100), dense(k=100))": 0.69,
    "rrf(bm25(k=10), dense(k=10))": None,
    "rrf(bm25(k=100), dense(k=100), k=10)": None,
    "dbsf(bm25(k=100), dense(k=100))": None,
    "weighted(bm25(k=100), dense(k=100))": None,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bower", type=Path, help="keep the bower here and use it again")
    parser.add_argument("--encoder", default="auto")
    parser.add_argument("--spec", action="append", help="instead of the built-in list; may be given again")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    task = scifact()
    report = Report("Quality on SciFact", ["spec", "nDCG@10", "recall@100", "goal", "ms a query"], given.out, ["openvino", "ir-measures"])
    with tempfile.TemporaryDirectory() as scratch, bowerbird.open(given.bower or scratch, "bench", encoder=given.encoder, llm=None) as bird:
        began = time.perf_counter()
        done = bird.add([Record(id, "passage", text, {"title": title}) for id, title, text in task.passages])
        bird.optimize()
        print(f"  {done.kept:,} abstracts kept in {time.perf_counter() - began:.1f} s with {bird.stats().encoder}")
        for spec in given.spec or SPECS:
            found: dict[str, dict[str, float]] = {}
            times = []
            for id, query in task.queries:
                start = time.perf_counter()
                hits = bird.search(query, 100, spec=spec)
                times.append(time.perf_counter() - start)
                # by rank: the order that callers see decides ties, not the metric's own rule
                found[id] = {hit.record.key: float(-rank) for rank, hit in enumerate(hits) if hit.record is not None}
            gain, recall = ndcg(task.judged, found)
            report.add(spec, round(gain, 4), round(recall, 4), SPECS.get(spec), spread(times, "ms"))
    report.close()


if __name__ == "__main__":
    main()
