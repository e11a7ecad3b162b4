"""Agreement of the citation check with people, by threshold: BEGIN (dev) and WiCE (dev). Words alone; no model is loaded.

    python benchmarks/citations.py

A claim counts as kept when `share of words >= threshold` and its numbers stand in the evidence. Reported: balanced accuracy,
precision and recall of "kept" against the people's "fully attributable" (BEGIN) or "supported" (WiCE; partly supported left out).
"""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path

from bowerbird.stages.words import best_window, share, words

DATA = Path(os.environ.get("BOWERBIRD_DATA", "../shared/data")) / "citations"


def scored(claim: str, evidence: str) -> float:
    said = words(claim)
    if not said.numbers <= words(evidence).numbers:
        return 0.0
    window = best_window(said, evidence, 0, len(evidence))
    return share(said, words(evidence[window.start : window.end]))


def begin() -> list[tuple[float, bool]]:
    rows = []
    for path in sorted((DATA / "begin").glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                rows.append((scored(row["response"], row["knowledge"]), row["begin_label"].strip() == "Fully attributable"))
    return rows


def wice() -> list[tuple[float, bool]]:
    rows = []
    with gzip.open(DATA / "wice" / "dev.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            if row["label"] != "partially_supported":
                rows.append((scored(row["claim"], " ".join(row["evidence"])), row["label"] == "supported"))
    return rows


def main() -> None:
    for name, rows in (("BEGIN", begin()), ("WiCE", wice())):
        good = sum(label for _, label in rows)
        print(f"{name}: {len(rows)} claims, {good} hold")
        for threshold in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
            kept = [(score >= threshold, label) for score, label in rows]
            hit = sum(k and label for k, label in kept)
            recall, specificity = hit / good, sum(not k and not label for k, label in kept) / (len(rows) - good)
            precision = hit / max(1, sum(k for k, _ in kept))
            print(f"  {threshold:.1f}: balanced accuracy {(recall + specificity) / 2:.3f}  precision {precision:.3f}  recall {recall:.3f}")


if __name__ == "__main__":
    main()
