"""What an outsider would check first: our measures, BM25, the encoder and the routers against numbers that are not ours.

Each check says what we have, what it should be, and whether it holds within the tolerance that was set beforehand. Published values:
BEIR (Thakur et al. 2021, arXiv 2104.08663, table 2) for BM25 on SciFact, MTEB's for the encoder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bowerbird.encoders.bm25 import BM25Encoder
from bowerbird.errors import BowerbirdError
from bowerbird.evals.measure import Result
from bowerbird.evals.measure import get as measure
from bowerbird.evals.metrics.ranking import through_ir_measures
from bowerbird.evals.metrics.routing import Questions
from bowerbird.evals.results import Run, item_file, read_items
from bowerbird.evals.scoreboard import Board
from bowerbird.evals.scoring import result_of
from bowerbird.evals.task import Case, get
from bowerbird.need import have
from bowerbird.types import Record

__all__ = ["authority", "by_fields"]

_ROUTING = ("routellm_mmlu", "routellm_gsm8k", "routellm_mtbench")
_OUTSIDE = ("nDCG@10", "Recall@100", "MRR@10")
_SEEDS = 200
_DEEP = 100
Checks = list[dict[str, Any]]


def authority(board: Board, data: Path | None = None) -> Checks:
    """The checks that this board and these data allow, as rows for the page; one that cannot be made says why."""
    folders = {(row.line.task, row.line.protocol): row.folder for row in board.rows if row.folder}
    checks: Checks = []
    for what, check in (
        ("measures", lambda: _measures(folders.get(("scifact", "rank")))),
        ("BM25 and encoder", lambda: _scifact(folders.get(("scifact", "rank")), data)),
        *((f"routing, {name}", _routing(name, folders.get((name, "route")), data)) for name in _ROUTING),
    ):
        checks += _made(what, check)
    return checks


def _made(what: str, check: Callable[[], Checks]) -> Checks:
    try:
        return check()
    except BowerbirdError as error:
        return [_check(what, "–", "–", None, f"not made: {error}")]


def _check(what: str, ours: str, should: str, held: bool | None, how: str) -> dict[str, Any]:
    return {"what": what, "ours": ours, "authority": should, "within": "–" if held is None else "yes" if held else "**no**", "how": how}


def _near(what: str, ours: float, published: float, slack: float, how: str) -> dict[str, Any]:
    off = ours - published
    return _check(what, f"{ours:.4f}", f"{published:g} ± {slack:g}", abs(off) <= slack, f"{how}; {off:+.4f}")


# --- ranking ------------------------------------------------------------------------------------------------------------


def _measures(folder: Path | None) -> Checks:
    """Our measures against ir-measures (trec_eval) on the very rankings of the SciFact run."""
    if folder is None or not have("ir_measures"):
        why = "ir-measures is not installed: pip install 'bowerbird[eval]'" if folder else "no SciFact run"
        return [_check("measures against ir-measures", "–", "equal", None, f"not made: {why}")]
    checks, names = [], [name for name in Run.load(folder).systems if name != "none"]
    for name in _OUTSIDE:
        worst, count = 0.0, 0
        for system in names:
            items = read_items(item_file(folder, system))
            cases = [Case(item.id, item.query, dict.fromkeys(item.gold, 1.0)) for item in items]
            outside = through_ir_measures(name, cases, [result_of(item) for item in items])
            worst = max(worst, *(abs(item.measures[name] - value) for item, value in zip(items, outside, strict=True)))
            count += len(items)
        how = f"largest difference of a case, {count:,} rankings of SciFact ({', '.join(names)})"
        checks.append(_check(f"{name} against ir-measures", f"{worst:.1e}", "0 ± 1e-9", worst <= 1e-9, how))
    return checks


def _scifact(folder: Path | None, data: Path | None) -> Checks:
    task = get("scifact")
    found = task.data(data)
    records, cases = list(task.records(found)), list(task.cases(found, "test"))
    fields = [[str(record.fields.get("title", "")) for record in records], [record.text for record in records]]
    whole = [[f"{title} {text}" for title, text in zip(*fields, strict=True)]]
    settings = "k1 0.9, b 0.4, Porter's stemmer"
    checks = [
        _near(
            "SciFact BM25, published settings",
            by_fields(records, cases, fields),
            0.665,
            0.01,
            f"nDCG@10; {settings}; title and text as two fields, their scores added, as BEIR's index had them",
        ),
        _near(
            "SciFact BM25, one field",
            by_fields(records, cases, whole),
            0.679,
            0.01,
            f"nDCG@10; {settings}; title and text as one field, as Anserini's flat index",
        ),
    ]
    if folder is not None:
        measures, how = Run.load(folder).measures, "nDCG@10 of the run"
        usual = f"{how}; k1 1.2, b 0.75, Snowball's English stemmer, stop words, title and text as one field: other settings, not a fault"
        checks += [
            _near("SciFact BM25, as it is by default", measures["bm25"]["nDCG@10"].value, 0.665, 0.01, usual),
            _near("SciFact, all-MiniLM-L6-v2", measures["dense"]["nDCG@10"].value, 0.645, 0.003, how),
        ]
    return checks


def by_fields(records: Sequence[Record], cases: Sequence[Case], fields: Sequence[Sequence[str]], k1: float = 0.9, b: float = 0.4) -> float:
    """Mean nDCG@10 of BM25 with each of `fields` (one text a record) indexed by itself and their scores added.

    Terms and weights are `BM25Encoder`'s with Porter's stemmer, IDF as the store has it, ln(1 + (N - df + 0.5) / (df + 0.5)), lengths
    against the mean of the field. Costs a few seconds for 5,000 passages; needs no bower.
    """
    found = measure("nDCG@10")
    indexes = [_Field(texts, k1, b) for texts in fields]
    values = []
    for case in cases:
        scores = np.sum([index.scores(case.query) for index in indexes], axis=0)
        order = np.lexsort((np.arange(len(records)), -scores))[:_DEEP]
        keys = tuple(records[place].key for place in order if scores[place] > 0)
        values += found.items([case], [Result(case.id, keys)])
    return float(np.mean(values))


class _Field:
    """One text a record, indexed by its terms."""

    def __init__(self, texts: Sequence[str], k1: float, b: float) -> None:
        lengths = [float(one.values.sum()) for one in BM25Encoder(k1, b, language="porter").encode_queries(texts)]
        self._encoder = BM25Encoder(k1, b, float(np.mean(lengths)), "porter")
        self._size = len(texts)
        held: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
        for place, vector in enumerate(self._encoder.encode_keys(texts)):
            for term, weight in zip(vector.indices.tolist(), vector.values.tolist(), strict=True):
                held[term].append((place, weight))
        self._held = dict(held)

    def scores(self, query: str) -> NDArray[np.float64]:
        """(records,) scores."""
        found = np.zeros(self._size)
        asked = self._encoder.encode_queries([query])[0]
        for term, often in zip(asked.indices.tolist(), asked.values.tolist(), strict=True):
            held = self._held.get(term)
            if held:
                places, weights = zip(*held, strict=True)
                rare = np.log(1 + (self._size - len(held) + 0.5) / (len(held) + 0.5))
                found[list(places)] += often * rare * np.array(weights)
        return found


# --- routing ------------------------------------------------------------------------------------------------------------


def _routing(name: str, folder: Path | None, data: Path | None) -> Callable[[], Checks]:
    def made() -> Checks:
        task = get(name)
        cases = list(task.cases(task.data(data), "all"))
        questions = Questions.of(cases)
        areas = [questions.curve(np.random.default_rng(seed).random(len(cases))).area for seed in range(_SEEDS)]
        mean, spread = float(np.mean(areas)), float(np.std(areas, ddof=1))
        how = (
            f"APGR, mean over {_SEEDS} seeds, {len(cases):,} questions; one seed lies {spread:.3f} (standard deviation) about it, "
            f"{min(areas):.3f} to {max(areas):.3f}"
        )
        checks = [_near(f"{name}: a random router", mean, 0.5, 0.01, how)]
        if folder is not None:
            measures = Run.load(folder).measures
            for system, wanted in (("full", 1.0), ("none", 0.0)):
                value, about = measures[system]["PGR"].value, "always strong" if wanted else "always weak"
                checks.append(_near(f"{name}: {about}", value, wanted, 1e-9, "PGR of the run"))
        return checks

    return made
