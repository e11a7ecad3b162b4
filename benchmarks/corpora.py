"""Real text for the benchmarks: SciFact with its judgements, and passages cut from whatever real prose the datasets' folder holds."""

from __future__ import annotations

import csv
import functools
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from report import data

__all__ = ["SciFact", "ndcg", "scifact", "vectors", "windows"]

# Prose of many sorts, so that BM25 has a vocabulary and filters cut across topics.
_PROSE = (
    "knowledge/scifact/beir/corpus.jsonl.gz",
    "knowledge/2wikimultihopqa-corpus/*.gz",
    "knowledge/hotpotqa-dev500/corpus.jsonl.gz",
    "knowledge/nq-open-oracle/*.gz",
    "knowledge/cranfield/cran.all.1400",
    "knowledge/cacm/cacm.all.gz",
    "knowledge/xquad/xquad.en.json",
    "knowledge/inscit/dev.json.gz",
    "memory/gutenberg-books/*.txt",
    "memory/wikitext-2/*.txt",
    "examples/ag-news-test/test.csv",
    "citations/*/*.gz",
)
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class SciFact:
    """BEIR's SciFact test set (Wadden et al. 2020; Thakur et al. 2021): (id, title, text), (id, text) of judged queries, qrels."""

    passages: list[tuple[str, str, str]]
    queries: list[tuple[str, str]]
    judged: dict[str, dict[str, int]]


@functools.cache
def scifact() -> SciFact:
    folder = data() / "knowledge/scifact/beir"
    judged: dict[str, dict[str, int]] = {}
    for row in csv.DictReader((folder / "qrels/test.tsv").open(encoding="utf-8"), delimiter="\t"):
        judged.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as lines:
        passages = [(row["_id"], row["title"], row["text"]) for row in map(json.loads, lines)]
    with (folder / "queries.jsonl").open(encoding="utf-8") as lines:
        queries = [(row["_id"], row["text"]) for row in map(json.loads, lines) if row["_id"] in judged]
    return SciFact(passages, queries, judged)


def ndcg(judged: dict[str, dict[str, int]], found: dict[str, dict[str, float]], at: int = 10) -> tuple[float, float]:
    """nDCG@10 and recall@100, by ir-measures."""
    import ir_measures as ir

    measured = ir.calc_aggregate([ir.nDCG @ at, ir.R @ 100], judged, found)
    return measured[ir.nDCG @ at], measured[ir.R @ 100]


def windows(n: int, words: int = 120, skip: str = "") -> list[str]:
    """`n` passages of `words` words in a fixed order, from everywhere in the prose at hand.

    When `n` is more than the prose holds side by side, windows overlap: later rounds begin at other words, so no two are equal.
    `skip`: leave out files whose path holds this.
    """
    texts = [text for text in _texts() if not skip or skip not in text[0]]
    made: list[str] = []
    round = 0
    while len(made) < n:
        start = (round * 37) % words if round else 0
        if round >= words:
            raise SystemExit(f"The prose at {data()} gives {len(made):,} windows of {words} words, not {n:,}.")
        for _, tokens in texts:
            made.extend(" ".join(tokens[i : i + words]) for i in range(start, len(tokens) - words + 1, words))
        round += 1
    return made[:n]


def vectors(texts: list[str], encoder: Any, cache: Path, block: int = 1_000) -> Any:
    """(n, dim) float32 rows of `texts`; blocks are kept in `cache`, so that an encoding that was broken off goes on."""
    cache.mkdir(parents=True, exist_ok=True)
    rows = []
    for start in range(0, len(texts), block):
        part = texts[start : start + block]
        name = hashlib.blake2b("\0".join([encoder.id, *part]).encode(), digest_size=12).hexdigest()
        path = cache / f"{name}.npy"
        if not path.exists():
            fresh = path.with_suffix(".tmp.npy")
            np.save(fresh, encoder.encode(part))
            fresh.replace(path)
        rows.append(np.load(path))
    return np.concatenate(rows)


@functools.cache
def _texts() -> tuple[tuple[str, list[str]], ...]:
    return tuple((name, tokens) for name, text in _read() if len(tokens := _WORD.findall(text)) >= 40)


def _read() -> Iterator[tuple[str, str]]:
    for pattern in _PROSE:
        for path in sorted(data().glob(pattern)):
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            text = content.decode("utf-8", "replace")
            name = str(path.relative_to(data()))
            if ".json" in path.name:
                lines = text.splitlines() if text.lstrip().startswith("{") and "\n{" in text else [text]
                yield name, "\n".join(string for line in lines if line.strip() for string in _strings(json.loads(line)))
            else:
                yield name, text


def _strings(value: object) -> Iterator[str]:
    """Prose in a JSON value: strings of ten words and more."""
    if isinstance(value, str):
        if value.count(" ") >= 10:
            yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
