"""GeoQuery as text to SQL: questions about the geography of the USA with the SQL that answers them.

`TASK` splits by question (a test question may share its SQL template with a training one), `BY_QUERY` by template (it
may not: the harder one, Finegan-Dollak et al., section 5). Variables are filled in. All variants of the SQL are
accepted. Gold are the training questions of the same template, so `BY_QUERY` has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["BY_QUERY", "TASK"]

_REPOSITORY, _REVISION = "jkkummerfeld/text2sql-data", "5050bad2309a93636ea4788d3660c9202bf11e0e"


def _filled(text: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        text = text.replace(name, value)
    return text


def _questions(data: TaskData, by: Literal["question", "query"], split: str) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """(template, question, accepted SQL), in the order of the file."""
    for template, row in enumerate(rows.json_value(data.path("geography.json"))):
        for sentence in row["sentences"]:
            if (sentence["question-split"] if by == "question" else row["query-split"]) == split:
                values: dict[str, Any] = {variable["name"]: variable["example"] for variable in row["variables"]}
                values.update(sentence["variables"])
                yield template, _filled(sentence["text"], values), tuple(_filled(sql, values) for sql in row["sql"])


def _records(data: TaskData, by: Literal["question", "query"]) -> Iterator[Record]:
    for row, (_, question, sql) in enumerate(_questions(data, by, "train")):
        yield Record(f"train-{row}", "example", question, {"output": sql[0], "task": "geoquery"}, labelled.SCOPE)


def _cases(data: TaskData, split: str, by: Literal["question", "query"]) -> Iterator[Case]:
    templates: dict[int, dict[str, float]] = {}
    for row, (template, _, _) in enumerate(_questions(data, by, "train")):
        templates.setdefault(template, {})[f"train-{row}"] = 1.0
    for row, (template, question, sql) in enumerate(_questions(data, by, split)):
        gold = templates.get(template, {})
        yield Case(f"{split}-{row}", question, gold, sql, scope=labelled.SCOPE, category="template seen" if gold else "template new")


TASK = Task(
    name="geoquery",
    kind="example",
    about="The SQL that answers a question about the geography of the USA; templates are shared with the examples.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="not stated for this file",
    citation="Zelle and Mooney, AAAI 1996; SQL by Iyer et al., ACL 2017; splits by Finegan-Dollak et al., ACL 2018",
    protocols=("answer",),
    measures=("exact", "ROUGE-L"),
    splits=("test", "dev"),
    files=(
        File(
            "examples/geoquery-sql/geography.json",
            "b20ad8ed357029c9efa49aa64434729f624591850f66b1137cabcc0e45273c1b",
            rows.github(_REPOSITORY, _REVISION, "data/geography.json"),
        ),
    ),
    records=partial(_records, by="question"),
    cases=partial(_cases, by="question"),
)

BY_QUERY = replace(
    TASK,
    name="geoquery_by_query",
    about="The SQL that answers a question about the geography of the USA; no template of a case is among the examples.",
    records=partial(_records, by="query"),
    cases=partial(_cases, by="query"),
)
