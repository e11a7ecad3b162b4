"""A retrieval task of the MTEB library as a task here. The library fetches and keeps the data; nothing is read before it is used.

Needs `pip install mteb` (version 2). What it does not do: rerank lists, instructions, pictures; a query that is a
conversation is refused. Revisions are the library's, so no file is pinned here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.evals.task import Case, Task
from bowerbird.need import need
from bowerbird.types import Record, Scope

__all__ = ["task"]

_SCOPE = Scope("eval")


def task(name: str, subset: str = "") -> Task:
    """The MTEB task `name`; `subset` is the language pair of a task with several (default: the first).

    Raises `MissingExtra` without the library, `InvalidInput` for a task that is no retrieval task, `UnknownName` for a
    subset that it does not have.
    """
    theirs = need("mteb", "mteb").get_task(name)
    about = theirs.metadata
    if about.type != "Retrieval":
        raise InvalidInput(f"MTEB's {name!r} is a task of type {about.type!r}; only those of type 'Retrieval' can be used here.")
    subsets = list(about.hf_subsets)
    if subset and subset not in subsets:
        raise UnknownName("subset", subset, subsets)
    held = _Held(theirs, subset or subsets[0])
    return Task(
        name=f"mteb-{name}" + (f"-{subset}" if subset else ""),
        kind="passage",
        about=f"{name} of MTEB",
        source=str(about.dataset["path"]),
        revision=str(about.dataset["revision"]),
        licence=about.license or "not stated",
        citation=about.bibtex_citation or "",
        protocols=("rank",),
        measures=("nDCG@10", "Recall@100", "MRR@10"),
        splits=tuple(theirs.eval_splits),
        files=(),
        records=lambda data: held.records(),
        cases=lambda data, split: held.cases(split),
    )


class _Held:
    """A task of the library, loaded at its first use."""

    def __init__(self, theirs: Any, subset: str) -> None:
        self._theirs, self._subset, self._loaded = theirs, subset, False

    def _part(self, split: str) -> Mapping[str, Any]:
        if not self._loaded:
            self._theirs.load_data()
            self._theirs.convert_v1_dataset_format_to_v2(num_proc=None)  # some tasks still load in the layout of version 1
            self._loaded = True
        part: Mapping[str, Any] = self._theirs.dataset[self._subset][split]
        return part

    def records(self) -> Iterator[Record]:
        """The passages of all splits; most tasks have one corpus for them all."""
        seen = set[str]()
        for split in self._theirs.eval_splits:
            for row in self._part(split)["corpus"]:
                key, title = str(row["id"]), str(row.get("title") or "")
                if key not in seen:
                    seen.add(key)
                    yield Record(key, "passage", str(row["text"]), {"title": title} if title else {}, _SCOPE)

    def cases(self, split: str) -> Iterator[Case]:
        part = self._part(split)
        judged = part["relevant_docs"]
        for row in part["queries"]:
            gold = {str(key): float(grade) for key, grade in judged.get(row["id"], {}).items() if grade > 0}
            if not isinstance(row["text"], str):
                raise InvalidInput(f"Query {row['id']!r} of {self._theirs.metadata.name!r} is no text but a {type(row['text']).__name__}.")
            if gold:
                yield Case(str(row["id"]), row["text"], gold, scope=_SCOPE)
