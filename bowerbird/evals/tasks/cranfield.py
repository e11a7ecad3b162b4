"""Cranfield 1400: abstracts of aerodynamics and the questions of its researchers, all judged by people.

Codes run from 1 (a complete answer) to 4 (of minimum interest), and -1 (of none): backwards for a gain, so they are not
used as one; every positive code counts the same. Documents repeat their title at the start of the text: it is taken off,
since the title is a field of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals.rows import github, opened
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks._smart import entries
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_SOURCE = "cky008/CS7IS3A1", "cfc893ff4a401300b6f69d7887d6088f83c5edec"
_SCOPE = Scope("eval")


def _records(data: TaskData) -> Iterator[Record]:
    for number, parts in entries(data.path("cran.all.1400"), "TABW"):
        title, body = (" ".join(parts.get(tag, "").split()) for tag in "TW")
        body = body.removeprefix(title).strip()
        fields = {"title": title, "author": " ".join(parts.get("A", "").split())}
        if not (title or body):
            body = "(no text)"  # two entries are empty: they stay, so that the corpus has its 1,400
        yield Record(number, "passage", body, {name: value for name, value in fields.items() if value}, _SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    judged: dict[str, dict[str, float]] = {}
    with opened(data.path("cranqrel")) as lines:
        for line in lines:
            query, key, code = line.split()
            if int(code) > 0:
                judged.setdefault(query, {})[key] = 1.0
    # The judgements count the queries in their order; the numbers in the file have gaps.
    for place, (_, parts) in enumerate(entries(data.path("cran.qry"), "W"), 1):
        yield Case(str(place), " ".join(parts["W"].split()), judged.get(str(place), {}), scope=_SCOPE)


TASK = Task(
    name="cranfield",
    kind="passage",
    about="1,400 abstracts of aerodynamics, 225 queries, judged over the whole collection",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="not stated",
    citation="Cleverdon, The Cranfield tests on index language devices, Aslib Proceedings 19(6), 1967",
    protocols=("rank",),
    measures=("nDCG@10", "MAP", "Recall@100"),
    splits=("test",),
    files=(
        File(
            "knowledge/cranfield/cran.all.1400",
            "0b7057f0068489b54ba798436b65671750808e08eb5f9c84b134368aaae1759a",
            github(*_SOURCE, "cran/cran.all.1400"),
        ),
        File(
            "knowledge/cranfield/cran.qry",
            "197ed4f92bbf2e2b16d32ebc22ef37079b36557d7fa5e0aedd57bf58a90eb4ca",
            github(*_SOURCE, "cran/cran.qry"),
        ),
        File(
            "knowledge/cranfield/cranqrel",
            "92e54b58dac0b980152178f350d892fae66c8a239b8a11715b835fb8d2f6bc0e",
            github(*_SOURCE, "cran/cranqrel"),
        ),
    ),
    records=_records,
    cases=_cases,
)
