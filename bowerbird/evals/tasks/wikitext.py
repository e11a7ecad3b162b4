"""WikiText-2 for long-range language modelling: the earlier chunks of an article in front of what comes next.

The validation split of the published data, which has 60 articles; ours are drawn by article. The text is tokenised, with
`<unk>` for rare words, so perplexities compare with one another and with no other text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bowerbird.evals.rows import github
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks import _chunks
from bowerbird.evals.tasks._read import drawn, text
from bowerbird.types import Record

__all__ = ["TASK"]

_SOURCE = "pytorch/examples", "77f55b912142e11fcfdf5b530231fb9c52f181e8"
_SHARES = {"test": 0.5, "dev": 0.1, "train": 0.4}
_TITLE = re.compile(r"(?m)^ = (?!=)(.*\S) = $")


def _articles(data: TaskData) -> Iterator[tuple[str, list[str]]]:
    """(name, chunks). Two articles are called `<unk> <unk>`, so a name begins with the number."""
    whole = text(data.path("valid.txt"))
    titles = list(_TITLE.finditer(whole))
    for number, title in enumerate(titles):
        end = titles[number + 1].start() if number + 1 < len(titles) else len(whole)
        lines = (line.strip() for line in whole[title.start() : end].split("\n"))
        yield f"{number} {title[1]}".replace("/", "-"), _chunks.chunks("\n".join(line for line in lines if line))


def _records(data: TaskData) -> Iterator[Record]:
    for name, parts in _articles(data):
        yield from _chunks.records(name, parts)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for name, parts in _articles(data):
        if drawn(name, _SHARES) == split:
            yield from _chunks.cases(name, parts)


TASK = Task(
    name="wikitext",
    kind="memory",
    about="60 articles of Wikipedia in chunks of 128 words; splits by the hash of the article",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="not stated for the data (CC BY-SA 3.0 as published)",
    citation="Merity et al., Pointer sentinel mixture models, ICLR 2017",
    protocols=("perplexity",),
    measures=("perplexity",),
    splits=("test", "dev", "train"),
    files=(
        File(
            "memory/wikitext-2/valid.txt",
            "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
            github(*_SOURCE, "word_language_model/data/wikitext-2/valid.txt"),
        ),
    ),
    records=_records,
    cases=_cases,
)
