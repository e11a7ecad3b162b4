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

OURS = "dbsf(bm25, dense) >> neighbours"
_OTHERS = {"agree": "citations", "rewrite": "llm_rewrite", "grade": "verdict"}  # what stands for us where nothing is retrieved


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
    "recommend": Change(300, (1000,), 30),
    "knn": Change(300, (1000,), 8),
    "route": Change(1000, (1000,), 30),
    "agree": Change(300, (1000,), 25),
    "rewrite": Change(24, (1000,), 60),
    "grade": Change(24, (1000,), 90),
    "answer": Change(16, (250,), 60),
    "classify": Change(16, (250,), 130),
    "prefer": Change(60, (250,), 60),
    "perplexity": Change(12, (500,), 115),
}
_NEW = Change(16, (250,), 120)  # a protocol that this table does not know yet
_TIME = "left for time"
_DEAR = 200.0  # seconds of a line that waits until the others are over

CHANGES: Mapping[tuple[str, str], Change] = {
    # records to encode make these ranking lines slow; the other lines of the task use what they kept
    **{
        (name, "rank"): Change(seconds=seconds)
        for name, seconds in {
            **{"scifact": 130, "cranfield": 31, "cacm": 27, "hotpotqa": 66, "nq": 36, "inscit": 18, "locomo": 30, "realtalk": 26},
            **{"stabletoolbench": 16, "apibench": 23, "prefeval": 29, "lastfm": 18},
            **{"clinc150": 35, "banking77": 31, "trec": 18, "sst2": 30, "snips": 35, "ag_news": 44},
        }.items()
    },
    ("amazon_games", "recommend"): Change(seconds=50),
    # the model writes long answers, or has to choose among many
    ("gsm8k", "answer"): Change(12, (500,), 130),
    ("geoquery", "answer"): Change(8, (250,), 130),
    ("geoquery_by_query", "answer"): Change(8, (250,), 130),
    ("nq", "answer"): Change(24, (250,), 80),
    ("xquad_en", "answer"): Change(24, (250,), 66),
    ("hotpotqa", "answer"): Change(16, (500,), 110),
    ("locomo", "answer"): Change(16, (250, 1000), 125),
    ("sst2", "classify"): Change(seconds=70),
    ("prefeval", "classify"): Change(32, seconds=60),
    ("alce_human", "grade"): Change(48, seconds=60),
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
    ("alce_human", "grade"): 20,
}


def plan(tasks: Iterable[Task]) -> list[Line]:
    """A line a task, protocol and budget, `knn` beside `classify`. Without a model come first, the dearest last: time runs out on those."""
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
    return sorted(lines, key=lambda line: (line.seconds > _DEAR, order.get(line.protocol, len(order))))


def small(lines: Iterable[Line]) -> list[Line]:
    """A few cases of a few of the lines: whether everything fits together, in a few minutes."""
    return [replace(line, limit=SMALL[key], seconds=10) for line in lines if (key := (line.task, line.protocol)) in SMALL]
