"""Two JSON Lines files as a task, without code: questions with what helps them, and the records to search.

A question: `question`, and as far as there is `id`, `gold` (keys, or keys with grades), `answers`, `choices`, `history`
(messages), `scope`, `at`, `category`, `split`, `facts`. A record: `key`, `text`, and as far as there is `kind`, `scope`,
`valid_from`, `valid_to`; every other column is a field. Knows nothing of where they come from, so it pins what it finds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.evals.rows import json_lines
from bowerbird.evals.task import Case, DataMissing, File, Protocol, Task
from bowerbird.kinds import checked
from bowerbird.types import FOREVER, Record, Scope, as_messages, when

__all__ = ["task"]

_COLUMNS = ("id", "question", "gold", "answers", "choices", "history", "scope", "at", "category", "split", "facts")
_MEASURES: Mapping[Protocol, tuple[str, ...]] = {
    "rank": ("nDCG@10", "Recall@10", "MRR@10"),
    "answer": ("EM", "F1"),
    "classify": ("accuracy",),
}


def task(questions: str | Path, records: str | Path, name: str = "", kind: str = "passage") -> Task:
    """The two files (also `.gz`) as a task called `name` (default: the questions' file name); `kind` is of records that say none.

    Reads all once, to check and to pin it. A row that cannot be used raises `InvalidInput` with its number; so do
    questions and records of the same name, and gold that is not among the records: how many, which.
    """
    asked, kept = Path(questions).resolve(), Path(records).resolve()
    for path in (asked, kept):
        if not path.exists():
            raise DataMissing(f"There is no file {path}.")
    cases = list(_cases(asked))
    keys = _keys(kept, kind)
    absent = [f"{key!r} of {case.id!r}" for _, case in cases for key in case.gold if not keys.get(key, set()) & {*case.scope.visible()}]
    if absent:
        raise InvalidInput(f"{asked}: {len(absent)} gold keys are not among the records of their scope in {kept}: {', '.join(absent[:5])}.")
    held: list[tuple[Protocol, bool]] = [
        ("rank", any(case.gold for _, case in cases)),
        ("answer", any(case.answers and not case.choices for _, case in cases)),
        ("classify", any(case.answers and case.choices for _, case in cases)),
    ]
    protocols = tuple(protocol for protocol, holds in held if holds)
    if not protocols:
        raise InvalidInput(f"{asked} has no question with gold or answers, so there is nothing to judge by.")
    return Task(
        name=name or asked.name.split(".")[0],
        kind=kind,
        about=f"{len(cases)} questions over {sum(map(len, keys.values()))} records",
        source=f"{asked}, {kept}",
        revision="",
        licence="unknown",
        citation="",
        protocols=protocols,
        measures=tuple(measure for protocol in protocols for measure in _MEASURES[protocol]),
        splits=tuple(dict.fromkeys(split for split, _ in cases)),
        files=tuple(File(str(path), _sha256(path)) for path in (asked, kept)),
        records=lambda data: _records(kept, kind),
        cases=lambda data, split: (case for part, case in _cases(asked) if part == split),
    )


def _cases(path: Path) -> Iterator[tuple[str, Case]]:
    """(split, case); a row without a split is in `test`."""
    seen = set[str]()
    for place, row in enumerate(json_lines(path), 1):
        try:
            case = _case(row, str(place))
        except (InvalidInput, KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"{path}, question {place}: {_told(error)}") from error
        if case.id in seen:
            raise InvalidInput(f"{path}, question {place}: there is another question {case.id!r}.")
        seen.add(case.id)
        yield str(row.get("split") or "test"), case


def _case(row: Any, place: str) -> Case:
    if not isinstance(row, dict):
        raise InvalidInput(f"it is a {type(row).__name__}, not an object.")
    for column in row:
        if column not in _COLUMNS:
            raise UnknownName("column", column, _COLUMNS)
    gold, answers = row.get("gold") or {}, row.get("answers") or ()
    gold = gold if isinstance(gold, dict) else dict.fromkeys([gold] if isinstance(gold, str) else gold, 1.0)
    if any(not float(grade) > 0 for grade in gold.values()):
        raise InvalidInput("a grade of gold is above 0; leave out what does not help.")
    return Case(
        id=str(row.get("id", place)),
        query=str(row["question"]),
        gold={str(key): float(grade) for key, grade in gold.items()},
        answers=tuple(map(str, [answers] if isinstance(answers, str) else answers)),
        choices=tuple(map(str, row.get("choices") or ())),
        history=as_messages(row.get("history") or ()),
        scope=Scope.parse(row.get("scope") or "eval"),
        at=None if row.get("at") is None else when(row["at"]),
        category=str(row.get("category") or ""),
        facts=row.get("facts") or {},
    )


def _records(path: Path, default: str) -> Iterator[Record]:
    for place, row in enumerate(json_lines(path), 1):
        try:
            yield _record(row, default)
        except (InvalidInput, KeyError, TypeError, AttributeError) as error:
            raise InvalidInput(f"{path}, record {place}: {_told(error)}") from error


def _record(row: dict[str, Any], default: str) -> Record:
    fields = dict(row)
    scope = Scope.parse(fields.pop("scope", None) or "eval")
    record = Record(
        key=fields.pop("key"),
        text=fields.pop("text"),
        kind=fields.pop("kind", default),
        valid_from=when(fields.pop("valid_from", 0.0)),
        valid_to=when(fields.pop("valid_to", FOREVER)),
        fields=fields,
    )
    return checked(record, scope)


def _keys(path: Path, default: str) -> dict[str, set[Scope]]:
    """key -> the scopes that have such a record."""
    found: dict[str, set[Scope]] = {}
    for place, record in enumerate(_records(path, default), 1):
        scopes = found.setdefault(record.key, set())
        if record.scope in scopes:
            raise InvalidInput(f"{path}, record {place}: there is another record {record.key!r} in scope {record.scope}.")
        scopes.add(record.scope)
    return found


def _told(error: Exception) -> str:
    return f"it has no {error.args[0]!r}." if isinstance(error, KeyError) and not isinstance(error, InvalidInput) else f"{error}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
