"""What the scoreboard runs, as data: a line a task and protocol, with how many cases it takes and what it is expected to take.

Every task of the table has a line under each protocol that it names; a new task or protocol gets one by itself. It runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bowerbird.evals.protocols import TABLE
from bowerbird.evals.task import Task
from bowerbird.types import replace

__all__ = ["CHANGES", "OURS", "PROTOCOLS", "SMALL", "Change", "Line", "plan", "small"]

OURS = "rrf(bm25, dense)"
_OTHERS = {"agree": "citations"}  # what stands for us where nothing is retrieved


@dataclass(frozen=True, slots=True)
class Line:
    """One run: `limit` cases (None = all) at `tokens` of context. `seconds` on two calm cores from an empty cache, to tell when it will
    be over; `kind` of the task. `skip`: why it is not run, "" where it is."""

    task: str
    kind: str
    protocol: str
    limit: int | None
    tokens: int
    seconds: float
    spec: str = OURS
    skip: str = ""

    @property
    def name(self) -> str:
        """What tells it from every other line."""
        return f"{self.task} · {self.protocol} · {'all' if self.limit is None else self.limit} cases · {self.tokens} tokens"


@dataclass(frozen=True, slots=True)
class Change:
    """What is other in a line than its protocol says; None where nothing is. More than one of `tokens` makes a line each."""

    limit: int | None = None
    tokens: tuple[int, ...] = ()
    seconds: float | None = None
    skip: str = ""


PROTOCOLS: Mapping[str, Change] = {
    "rank": Change(300, (1000,), 10),
    "recommend": Change(300, (1000,), 10),
    "knn": Change(300, (1000,), 8),
    "route": Change(1000, (1000,), 20),
    "agree": Change(300, (1000,), 20),
    "rewrite": Change(16, (250,), 60),
    "answer": Change(16, (250,), 90),
    "classify": Change(16, (250,), 150),
    "prefer": Change(24, (250,), 180),
    "perplexity": Change(12, (500,), 90),
}
_NEW = Change(16, (250,), 120)  # a protocol that this table does not know yet
_TIME = "left for time"

CHANGES: Mapping[tuple[str, str], Change] = {
    # records to encode make these ranking lines slow; the other lines of the task use what they kept
    ("scifact", "rank"): Change(seconds=150),
    ("cranfield", "rank"): Change(seconds=40),
    ("cacm", "rank"): Change(seconds=40),
    ("hotpotqa", "rank"): Change(seconds=90),
    ("nq", "rank"): Change(seconds=50),
    ("locomo", "rank"): Change(seconds=40),
    ("realtalk", "rank"): Change(seconds=45),
    ("clinc150", "knn"): Change(seconds=60),
    ("banking77", "knn"): Change(seconds=50),
    ("sst2", "knn"): Change(seconds=45),
    ("snips", "knn"): Change(seconds=60),
    ("ag_news", "knn"): Change(seconds=60),
    ("trec", "knn"): Change(seconds=30),
    ("amazon_games", "recommend"): Change(seconds=80),
    ("movielens", "recommend"): Change(seconds=30),
    # the model writes long answers, or has to choose among many
    ("gsm8k", "answer"): Change(8, (500,), 280),
    ("geoquery", "answer"): Change(8, (250,), 45),
    ("geoquery_by_query", "answer"): Change(8, (250,), 45),
    ("hotpotqa", "answer"): Change(16, (500,), 140),
    ("locomo", "answer"): Change(16, (250, 1000), 140),
    ("prefeval", "knn"): Change(skip="a vote of labels says nothing of preferences: they have none"),
    **{(name, "classify"): Change(skip=f"{_TIME}: its knn line stands") for name in ("clinc150", "banking77", "snips")},
    **{
        (name, "answer"): Change(skip=f"{_TIME}: its ranking stands")
        for name in ("xquad_de", "xquad_es", "xquad_zh", "xquad_cross", "inscit", "realtalk", "bfcl_memory")
    },
}

SMALL: Mapping[tuple[str, str], int] = {
    ("xquad_en", "rank"): 40,
    ("xquad_en", "answer"): 6,
    ("api_bank", "rank"): 40,
    ("bfcl_memory", "rank"): 40,
    ("routellm_mtbench", "route"): 42,
    ("geoquery", "answer"): 6,
    ("wice", "agree"): 40,
    ("alce_human", "agree"): 20,
}


def plan(tasks: Iterable[Task]) -> list[Line]:
    """A line a task, protocol and budget, `knn` beside `classify`. Without a model come first, then the quick ones: what time runs out
    on is the dearest."""
    lines = []
    for task in tasks:
        protocols = dict.fromkeys([*task.protocols, *(["knn"] if "classify" in task.protocols else [])])
        for protocol in protocols:
            usual, change = PROTOCOLS.get(protocol, _NEW), CHANGES.get((task.name, protocol), Change())
            limit = usual.limit if change.limit is None else change.limit
            seconds = (usual.seconds if change.seconds is None else change.seconds) or 0.0
            skip = change.skip or ("" if protocol in TABLE else "this protocol cannot be run yet")
            spec = _OTHERS.get(protocol, OURS)
            lines += [Line(task.name, task.kind, protocol, limit, tokens, seconds, spec, skip) for tokens in change.tokens or usual.tokens]
    order = {protocol: place for place, protocol in enumerate(PROTOCOLS)}
    return sorted(lines, key=lambda line: order.get(line.protocol, len(order)))


def small(lines: Iterable[Line]) -> list[Line]:
    """A few cases of a few of the lines: whether everything fits together, in a few minutes."""
    return [replace(line, limit=SMALL[key], seconds=10) for line in lines if (key := (line.task, line.protocol)) in SMALL]
