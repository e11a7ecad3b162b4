"""CACM: titles and abstracts of Communications of the ACM, 1958 to 1979. Most records of the early years are a title alone."""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals.rows import github, opened
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks._smart import entries
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_SOURCE = "sansha94/Okapi-on-CACM", "b4dcffa70ea5862f5a27dd855b3b1a0f6f8b0931"
_SCOPE = Scope("eval")


def _records(data: TaskData) -> Iterator[Record]:
    for number, parts in entries(data.path("cacm.all.gz"), "TWBAKCNX"):
        title, body = (" ".join(parts.get(tag, "").split()) for tag in "TW")
        fields = {"title": title, "author": "; ".join(parts.get("A", "").splitlines())}
        yield Record(number, "passage", body or title, {name: value for name, value in fields.items() if value}, _SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    judged: dict[str, dict[str, float]] = {}
    with opened(data.path("qrels.text")) as lines:
        for line in lines:
            query, key, _, _ = line.split()
            judged.setdefault(str(int(query)), {})[str(int(key))] = 1.0
    for number, parts in entries(data.path("query.text"), "WAN"):
        if number in judged:
            yield Case(number, " ".join(parts["W"].split()), judged[number], scope=_SCOPE)


TASK = Task(
    name="cacm",
    kind="passage",
    about="3,204 titles and abstracts of Communications of the ACM, 52 judged queries",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="not stated",
    citation="Fox, Characterization of two new experimental collections, Cornell University TR 83-561, 1983",
    protocols=("rank",),
    measures=("nDCG@10", "MAP", "Recall@100"),
    splits=("test",),
    files=(
        File("knowledge/cacm/cacm.all.gz", "45610285285ab5fe4e551bb9bf5a22d8b9f1ee21f3479e9a8b0d35d99a29e634"),
        File(
            "knowledge/cacm/query.text",
            "ca004f06b57cb8a298c73bf55793174e50ff32fc83c5bb5f10ed2ed559f621e6",
            github(*_SOURCE, "CACM/query.text"),
        ),
        File(
            "knowledge/cacm/qrels.text",
            "856c0564cfd104daed41a6eb1701d679b696496ed2bcf167492ffc40b4b95e2f",
            github(*_SOURCE, "CACM/qrels.text"),
        ),
    ),
    records=_records,
    cases=_cases,
    dropped=("12 of the 64 queries have no judgements.",),
)
