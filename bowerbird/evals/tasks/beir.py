"""Any folder in BEIR layout as a task: `corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv`, each also with `.gz`.

Knows nothing of where the folder comes from, so it pins the files as it finds them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from bowerbird.errors import InvalidInput
from bowerbird.evals.rows import json_lines, table_rows
from bowerbird.evals.task import Case, DataMissing, File, Task
from bowerbird.types import Record, Scope

__all__ = ["cases", "judgements", "records", "task"]

SCOPE = Scope("eval")
_MEASURES = ("nDCG@10", "Recall@100", "MRR@10")


def records(corpus: Path) -> Iterator[Record]:
    """The passages of a corpus file, one at a time."""
    for row in json_lines(corpus):
        title = str(row.get("title") or "")
        yield Record(str(row["_id"]), "passage", str(row["text"]), {"title": title} if title else {}, SCOPE)


def judgements(qrels: Path) -> dict[str, dict[str, float]]:
    """query id -> key -> grade, of those above 0; in the order of the file."""
    judged: dict[str, dict[str, float]] = {}
    for row in table_rows(qrels, "\t", quoted=False):
        try:
            query, key, grade = (row[column].strip() for column in ("query-id", "corpus-id", "score"))
        except KeyError as error:
            raise InvalidInput(f"{qrels} has no column {error}; the header is query-id, corpus-id, score.") from error
        if float(grade) > 0:
            judged.setdefault(query, {})[key] = float(grade)
    return judged


def cases(queries: Path, qrels: Path) -> Iterator[Case]:
    """The queries that `qrels` judges, in the order of the queries file."""
    judged = judgements(qrels)
    for row in json_lines(queries):
        if gold := judged.get(str(row["_id"])):
            yield Case(str(row["_id"]), str(row["text"]), gold, scope=SCOPE)


def task(folder: str | Path, name: str = "") -> Task:
    """The folder as a task called `name` (default: the folder's name); its splits are the files in `qrels/`, test first.

    Reads all of it once, to pin the files and to compare them: judgements of passages that the corpus does not hold and
    of queries that are not there raise `InvalidInput` with how many and which. Missing files raise `DataMissing`.
    """
    home = Path(folder).resolve()
    corpus, queries = _one(home, "corpus.jsonl"), _one(home, "queries.jsonl")
    qrels = {path.name.split(".")[0]: path for path in sorted((home / "qrels").glob("*.tsv*"))}
    if not qrels:
        raise DataMissing(f"{home} is no folder in BEIR layout: there is no qrels/<split>.tsv.")
    known, asked = {str(row["_id"]) for row in json_lines(corpus)}, {str(row["_id"]) for row in json_lines(queries)}
    for path in qrels.values():
        judged = judgements(path)
        _all_there(path, "passages", [key for gold in judged.values() for key in gold if key not in known], corpus)
        _all_there(path, "queries", [query for query in judged if query not in asked], queries)
    return Task(
        name=name or home.name,
        kind="passage",
        about=f"{len(known)} passages in BEIR layout",
        source=str(home),
        revision="",
        licence="unknown",
        citation="",
        protocols=("rank",),
        measures=_MEASURES,
        splits=tuple(sorted(qrels, key=lambda split: (split != "test", split))),
        files=tuple(File(str(path), _sha256(path)) for path in (corpus, queries, *qrels.values())),
        records=lambda data: records(corpus),
        cases=lambda data, split: cases(queries, qrels[split]),
    )


def _one(home: Path, name: str) -> Path:
    for path in (home / name, home / f"{name}.gz"):
        if path.exists():
            return path
    raise DataMissing(f"{home} is no folder in BEIR layout: there is no {name} (nor {name}.gz).")


def _all_there(path: Path, what: str, absent: list[str], where: Path) -> None:
    if absent:
        raise InvalidInput(f"{path} judges {len(absent)} {what} that {where} does not hold: {', '.join(absent[:5])}.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
