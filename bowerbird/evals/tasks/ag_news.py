"""AG News: which of four desks a news item belongs to.

Only the test file of the dataset is used. Three quarters of it (by a hash of the text) are the pool of examples, the
rest are asked about, so the numbers do not compare with those of classifiers that saw the 120,000 training items.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "mhjabreel/CharCnn_Keras", "555590db4219b1243abb1918effd6a7425a2d75f"
_WORDS = ("world", "sports", "business", "science and technology")
_POOL = 0.75


def _part(data: TaskData, pool: bool) -> list[tuple[str, str]]:
    found = []
    for row in rows.table_rows(data.path("test.csv"), header=("class", "title", "description")):
        text = f"{row['title']}\n{row['description']}".replace("\\", " ")
        if (rows.share(text) < _POOL) is pool:
            found.append((text, _WORDS[int(row["class"]) - 1]))
    return found


def _records(data: TaskData) -> Iterator[Record]:
    return labelled.examples(_part(data, True), "ag_news", "pool")


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    return labelled.cases(_part(data, False), _part(data, True), _WORDS, split, "pool")


TASK = Task(
    name="ag_news",
    kind="example",
    about="Which of four desks a news item belongs to.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="non-commercial research use (readme.txt of the data)",
    citation="Zhang, Zhao and LeCun, Character-level Convolutional Networks for Text Classification, NIPS 2015",
    protocols=("classify", "rank"),
    measures=("accuracy", "macro-F1", "P@10"),
    splits=("queries",),
    files=(
        File(
            "examples/ag-news-test/test.csv",
            "521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699",
            rows.github(_REPOSITORY, _REVISION, "data/ag_news_csv/test.csv"),
        ),
    ),
    records=_records,
    cases=_cases,
)
