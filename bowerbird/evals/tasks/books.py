"""Two novels for long-range language modelling: chunks of a book's own past in front of what comes next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bowerbird.errors import InvalidInput
from bowerbird.evals.rows import github
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks import _chunks
from bowerbird.evals.tasks._read import text
from bowerbird.types import Record

__all__ = ["TASK"]

_SPLITS = {"test": ("sherlock-holmes", "1661.txt"), "train": ("pride-and-prejudice", "1342-0.txt")}
_FRAME = re.compile(r"\*\*\* START OF [^\n]*\*\*\*\n(.*?)\n\*\*\* END OF ", re.DOTALL)


def _parts(path: Path) -> list[str]:
    """The book without Project Gutenberg's header and footer; its lines are joined to paragraphs."""
    found = _FRAME.search(text(path))
    if found is None:
        raise InvalidInput(f"{path} has no START and END marks of Project Gutenberg.")
    paragraphs = (" ".join(paragraph.split()) for paragraph in found[1].split("\n\n"))
    book = "\n\n".join(paragraph for paragraph in paragraphs if paragraph and not paragraph.startswith("Produced by "))
    return _chunks.chunks(book)


def _records(data: TaskData) -> Iterator[Record]:
    for name, file in _SPLITS.values():
        yield from _chunks.records(name, _parts(data.path(file)))


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    name, file = _SPLITS[split]
    yield from _chunks.cases(name, _parts(data.path(file)))


TASK = Task(
    name="books",
    kind="memory",
    about="The Adventures of Sherlock Holmes (test) and Pride and Prejudice (train) in chunks of 128 words",
    source="https://github.com/GITenberg/The-Adventures-of-Sherlock-Holmes_1661, https://github.com/GITenberg/Pride-and-Prejudice_1342",
    revision="7e5dd2703fbf503c004063e96ab7c61262375e5f, 81db45c9c48c592f0b77f01fc59e677ad0a5634e",
    licence="public domain in the USA; Project Gutenberg License",
    citation="Doyle, The Adventures of Sherlock Holmes, 1892; Austen, Pride and Prejudice, 1813; Project Gutenberg 1661 and 1342",
    protocols=("perplexity",),
    measures=("perplexity",),
    splits=("test", "train"),
    files=(
        File(
            "memory/gutenberg-books/1661.txt",
            "2a0ce5568625a304f54fbb6bfdeeadf527a1437254b5f0e06b5a9e233d4784a2",
            github("GITenberg/The-Adventures-of-Sherlock-Holmes_1661", "7e5dd2703fbf503c004063e96ab7c61262375e5f", "1661.txt"),
        ),
        File(
            "memory/gutenberg-books/1342-0.txt",
            "48e0522844402a86a3ea98f0947ba85ea54838db3c59022299298ed968a5a163",
            github("GITenberg/Pride-and-Prejudice_1342", "81db45c9c48c592f0b77f01fc59e677ad0a5634e", "1342-0.txt"),
        ),
    ),
    records=_records,
    cases=_cases,
)
