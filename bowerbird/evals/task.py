"""What a task is: a pinned dataset for one kind, as records to retrieve from and cases to judge by. Knows nothing of pipelines.

A task is one file in `tasks/` that defines `TASK = Task(...)` and one line in that folder's table. Its data are read from
`$BOWERBIRD_DATA` (or fetched where a file names a URL), checked by SHA-256, and never copied into the repository.
"""

from __future__ import annotations

import functools
import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bowerbird import table
from bowerbird.errors import BowerbirdError, InvalidInput
from bowerbird.types import Message, Record, Scope

__all__ = ["Case", "DataAltered", "DataMissing", "File", "Protocol", "Task", "TaskData", "get"]

Protocol = Literal["rank", "answer", "classify", "perplexity", "prefer", "recommend", "route", "agree", "grade", "rewrite"]


class DataMissing(BowerbirdError):
    """The files of a task are not on this machine."""


class DataAltered(BowerbirdError):
    """A file of a task is not the one that the task was pinned to."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a dataset: path below the data folder, SHA-256 of its bytes there, and where to fetch it ("" = by hand)."""

    path: str
    sha256: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One item to judge by.

    `query` is what a user would say; `history` what was said before. `gold`: keys of the records that help, with their
    grades (> 0). `answers`: accepted outputs, the canonical one first. `choices`: the outputs to choose among, where
    they are closed. `scope`: whose records may be searched. `at`: the moment of asking (seconds since 1970), where the
    data know it. `category`: the slice it belongs to. `facts`: what its protocol needs beyond that, as plain JSON.
    """

    id: str
    query: str
    gold: Mapping[str, float] = field(default_factory=dict)
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    history: tuple[Message, ...] = ()
    scope: Scope = field(default_factory=lambda: Scope("eval"))
    at: float | None = None
    category: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskData:
    """A task's files, checked: `path("corpus.jsonl.gz")` gives where one lies. `sha256` is of all of them together."""

    folder: Path
    files: tuple[File, ...]

    def path(self, name: str) -> Path:
        """The file whose path ends in `name`; it must be one that the task lists."""
        found = [file for file in self.files if file.path == name or file.path.endswith("/" + name)]
        if len(found) != 1:
            raise InvalidInput(f"{name!r} is {'no' if not found else 'more than one'} file of this task.")
        return self.folder / found[0].path

    @property
    def sha256(self) -> str:
        """Of the files' names and hashes; not of where they lie, so that it is the same on every machine."""
        return hashlib.sha256("\n".join(f"{file.sha256} {Path(file.path).name}" for file in self.files).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Task:
    """A pinned dataset for one kind.

    `records(data)` yields what may be retrieved, each with its scope; `cases(data, split)` yields the items of a split.
    Both are deterministic, stream where the data are large, and skip nothing in silence: what cannot be used is counted
    in `dropped`, in words. `protocols`: how it can be judged, the main one first. `measures`: names that `metrics/`
    knows, the main one first.
    """

    name: str
    kind: str
    about: str
    source: str
    revision: str
    licence: str
    citation: str
    protocols: tuple[Protocol, ...]
    measures: tuple[str, ...]
    splits: tuple[str, ...]
    files: tuple[File, ...]
    records: Callable[[TaskData], Iterator[Record]]
    cases: Callable[[TaskData, str], Iterator[Case]]
    dropped: Sequence[str] = ()

    def data(self, folder: Path | None = None) -> TaskData:
        """Find, fetch where possible, and check the files. Raises `DataMissing` or `DataAltered` with both hashes."""
        root = folder or Path(os.environ.get("BOWERBIRD_DATA", "../shared/data"))
        missing = []
        for file in self.files:
            path = root / file.path
            if not path.exists() and not (file.url and _fetched(file, path)):
                missing.append(file)
                continue
            now = path.stat()
            found = _sha256(path, now.st_size, now.st_mtime_ns)
            if found != file.sha256:
                raise DataAltered(f"{path} is not the file that task {self.name!r} is pinned to: SHA-256 {found}, expected {file.sha256}.")
        if missing:
            names = ", ".join(file.path for file in missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            raise DataMissing(
                f"Task {self.name!r} needs {names} below {root.resolve()}. "
                f"Set BOWERBIRD_DATA to the folder that holds them (source: {self.source})."
            )
        return TaskData(root, self.files)


def get(name: str) -> Task:
    """The task called `name` in the tables; an unknown one raises `UnknownName` with the nearest."""
    found: Task = table.load("tasks", name)
    return found


@functools.cache  # a scoreboard asks for the same files many times; a changed file has another size or time
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _fetched(file: File, path: Path) -> bool:
    """Whether the file could be fetched; what has the wrong hash is not kept."""
    try:
        with urllib.request.urlopen(file.url, timeout=30) as answer:
            content = answer.read()
    except (urllib.error.URLError, TimeoutError):
        return False
    if hashlib.sha256(content).hexdigest() != file.sha256:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".part")
    fresh.write_bytes(content)
    fresh.replace(path)
    return True
