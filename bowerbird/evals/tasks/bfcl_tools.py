"""Berkeley function calling: requests, with the functions of all of them pooled. Four of its parts.

Functions of one name are one record: its text holds their distinct descriptions, its parameters are the first one's.
The functions that a request came with stay in its `facts`, and the accepted calls, for whoever judges calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bowerbird.evals.rows import github, json_lines
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks._read import drawn
from bowerbird.types import Message, Record, Scope

__all__ = ["TASK"]

_SOURCE = "ShishirPatil/gorilla", "6ea57973c7a6097fd7c5915698c54c17c5b1b6c8"
_BASE = "berkeley-function-call-leaderboard/bfcl_eval/data"
_SCOPE = Scope("eval")
_SHARES = {"test": 0.5, "dev": 0.1, "train": 0.4}
_PARTS = {
    "simple_python": (
        "82dd63ba502eb2520c6b5d1d9a5c4b590e03ff261565175561f6228a367d1991",
        "90cd5bc653690ee8e459b5b3f3fc9458606f7f3fcbf795bb51b7dc581f8c86dc",
    ),
    "multiple": (
        "aef168155ebd74b7ac2401198b201343bc7d16d7a3d7e0d4e6d8ee82c6969b2a",
        "244e00ce9395df948bcafc7bee64e8f9c87ef70887587d83cae45b13699f3047",
    ),
    "parallel_multiple": (
        "8863ea8433239f55c5f016154cf0830853c89f693c6ea270396a2fa121960579",
        "5ebf24f458c1f16300c05505d83d6f0a1b68b79be273a033febd0d4f840507e3",
    ),
    "live_simple": (
        "1af2ac87dca47556db7b7e37e51e28b459a38b594e3c7b3c792b4903598ca0c4",
        "fec9cfa9744a936f9126981e85a2023da1e63e273eafebc81923a1162fad70ce",
    ),
}


def _records(data: TaskData) -> Iterator[Record]:
    abouts: dict[str, dict[str, None]] = {}
    parameters: dict[str, dict[str, Any]] = {}
    for part in _PARTS:
        for row in json_lines(data.path(f"bfcl/BFCL_v4_{part}.json")):
            for function in row["function"]:
                abouts.setdefault(function["name"], {})[function["description"].strip()] = None
                parameters.setdefault(function["name"], function["parameters"])
    for name, about in abouts.items():
        yield Record(name, "tool", "\n".join(about), {"name": name, "parameters": parameters[name]}, _SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for part in _PARTS:
        calls = {row["id"]: row["ground_truth"] for row in json_lines(data.path(f"possible_answer/BFCL_v4_{part}.json"))}
        for row in json_lines(data.path(f"bfcl/BFCL_v4_{part}.json")):
            *before, asked = row["question"][0]
            if drawn(" ".join(asked["content"].casefold().split()), _SHARES) == split:  # some requests are there twice
                yield Case(
                    id=row["id"],
                    query=asked["content"].strip(),
                    gold={name: 1.0 for call in calls[row["id"]] for name in call},
                    history=tuple(Message(message["role"], message["content"]) for message in before),
                    scope=_SCOPE,
                    category=part,
                    facts={"functions": row["function"], "calls": calls[row["id"]]},
                )


TASK = Task(
    name="bfcl_tools",
    kind="tool",
    about="1,058 requests over the 799 functions that any of them came with; splits by the hash of the request",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="Apache-2.0",
    citation="Patil et al., The Berkeley Function Calling Leaderboard, ICML 2025",
    protocols=("rank",),
    measures=("nDCG@5", "Recall@5", "AllHit@5", "MRR@10"),
    splits=("test", "dev", "train"),
    files=tuple(
        File(f"tools/bfcl/{path}", sha256, github(*_SOURCE, f"{_BASE}/{path}"))
        for part, hashes in _PARTS.items()
        for path, sha256 in zip((f"BFCL_v4_{part}.json", f"possible_answer/BFCL_v4_{part}.json"), hashes, strict=True)
    ),
    records=_records,
    cases=_cases,
    dropped=("368 further definitions of 235 names give their descriptions alone: their parameters stay with their requests.",),
)
