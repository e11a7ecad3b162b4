"""The gate `small_talk`: how many real questions it stops, how much small talk it catches, and what a turn costs.

    python benchmarks/small_talk.py

Real questions are NQ-open (dev and EfficientQA dev), Banking77 (train and test) and CLINC150 (all parts without the
intents greeting, goodbye and thank_you); small talk is those three intents, on which no phrase was tuned. Data is read
from $BOWERBIRD_DATA (default ../shared/data).
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import platform
import statistics
import time
from pathlib import Path

from bowerbird.stages.gate.small_talk import SmallTalk
from bowerbird.types import Scope, Turn

DATA = Path(os.environ.get("BOWERBIRD_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data")
TALK = ("greeting", "goodbye", "thank_you")


def main() -> None:
    nq = []
    for path in sorted((DATA / "knowledge/nq-open").glob("*.jsonl")):
        nq += [json.loads(line)["question"] for line in path.read_text(encoding="utf-8").splitlines()]
    banking = []
    for name in ("train", "test"):
        with (DATA / f"examples/banking77/{name}.csv").open(encoding="utf-8", newline="") as file:
            banking += [row["text"] for row in csv.DictReader(file)]
    with gzip.open(DATA / "examples/clinc150/data_full.json.gz", "rt", encoding="utf-8") as file:
        clinc = [(text, intent) for part in json.load(file).values() for text, intent in part]
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{'turns':32} {'n':>7} {'stopped':>8} {'share':>8} {'µs/turn':>8}")
    rows = [("NQ-open", nq), ("Banking77", banking), ("CLINC150 but small talk", [text for text, intent in clinc if intent not in TALK])]
    rows += [(f"CLINC150 {intent}", [text for text, own in clinc if own == intent]) for intent in TALK]
    for name, texts in rows:
        turns = [Turn(text, Scope("local")) for text in texts]
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            decisions = SmallTalk().decide(turns)
            seconds.append(time.perf_counter() - start)
        stopped = [text for text, decision in zip(texts, decisions, strict=True) if not decision.retrieve]
        each = statistics.median(seconds) / len(texts) * 1e6
        print(f"{name:32} {len(texts):7,} {len(stopped):8,} {len(stopped) / len(texts):8.3%} {each:8.1f}")
        if not name.endswith(TALK):
            for text in stopped:
                print(f"    {text!r}")


if __name__ == "__main__":
    main()
