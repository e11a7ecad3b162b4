"""Error memory: how often complaints about the first hit change it, for the query they are about and for others.

    python benchmarks/error_memory.py --out docs/learned/error_memory.json

1,500 labelled questions of Banking77 are kept as examples. Of 50 test questions, one an intent, the first hit is complained of 0 to 10
times; looked at are those questions, others of the same intents, and questions of the other 27 intents, all behind `rrf(bm25, dense)`.
Intervals: 95 %, Wilson.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import tempfile
from collections import defaultdict
from pathlib import Path

from report import Report, data

from bowerbird import Engine, open
from bowerbird.types import Scope, Turn

SPEC = "rrf(bm25, dense)"
COMPLAINTS = (0, 1, 2, 3, 5, 10)
SEED, RECORDS, ASKED = 0, 1500, 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the rows as JSON")
    report = Report("Error memory", ["complaints", "queries", "changed", "low", "high", "n"], parser.parse_args().out, ["openvino"])
    draw = random.Random(SEED)
    kept = draw.sample(_rows("train"), RECORDS)
    by_intent: defaultdict[str, list[str]] = defaultdict(list)
    for row in _rows("test"):
        by_intent[row["category"]].append(row["text"])
    intents = sorted(by_intent)
    draw.shuffle(intents)
    complained = {draw.choice(by_intent[intent]): intent for intent in intents[:ASKED]}
    asked = {
        "complained": list(complained),
        "same intent": [next(text for text in by_intent[intent] if text != said) for said, intent in complained.items()],
        "others": [text for intent in intents[ASKED:] for text in draw.sample(by_intent[intent], 10)],
    }
    with tempfile.TemporaryDirectory() as folder, open(folder, "bench", llm=None) as bird:
        bird.add(
            [{"key": f"e{i}", "kind": "example", "text": row["text"], "fields": {"label": row["category"]}} for i, row in enumerate(kept)]
        )
        first = {name: _firsts(bird, queries) for name, queries in asked.items()}
        noted = 0
        for count in COMPLAINTS:
            for query, key in zip(asked["complained"], first["complained"], strict=True):
                for _ in range(count - noted):
                    bird.feedback(bird.augment(query, spec=f"{SPEC} >> budget"), -1, keys=key)
            noted = count
            for name, queries in asked.items():
                changed = sum(a != b for a, b in zip(first[name], _firsts(bird, queries), strict=True))
                report.add(count, name, changed / len(queries), *_wilson(changed, len(queries)), len(queries))
    report.close()


def _rows(part: str) -> list[dict[str, str]]:
    with (data() / f"examples/banking77/{part}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _firsts(bird: Engine, queries: list[str]) -> list[str]:
    found = bird.run([Turn(query, Scope("bench")) for query in queries], f"{SPEC} >> error_memory", records=True)
    return [turn.hits[0].record.key if turn.hits and turn.hits[0].record else "" for turn in found]


def _wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The interval of a share (Wilson 1927)."""
    share, room = hits / n, z * z / n
    middle, half = share + room / 2, z * math.sqrt(share * (1 - share) / n + room / (4 * n))
    return max(0.0, (middle - half) / (1 + room)), min(1.0, (middle + half) / (1 + room))


if __name__ == "__main__":
    main()
