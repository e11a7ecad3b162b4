"""BFCL v4 memory: what five users told an assistant, and questions that need it. Knows nothing of its memory tools.

Each question comes with the sentence that it is about; gold is the turn that holds it. Sources are quoted with small
changes, so they are compared by their words, and a list of notes by the notes. There are no dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bowerbird.evals.rows import github, json_lines
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_SOURCE = "ShishirPatil/gorilla", "6ea57973c7a6097fd7c5915698c54c17c5b1b6c8"
_BASE = "berkeley-function-call-leaderboard/bfcl_eval/data"
_AT = "memory/bfcl-memory"
_TALKS = {
    "customer": "806ac91e558e3d933e526ecc0c286e417657f76a3c9b9073eef830a532eb4eb2",
    "finance": "3cef1f235667f479b8f45c7082247454b2129ee88fe4fbcdbc53fd2cdf495b75",
    "healthcare": "56e7bd7b2e7c01efe81f1e0be85149ea3886bb2d9cb59f90e9d9e27b91f4604d",
    "notetaker": "07f3239ef2e9e1421901f05d3c8192469fa129324e124a47bcb35ff9c7785c91",
    "student": "e2d6c32e9e2671c61f682e845dcdafd9eee7c9f3e2d5da1615d3afd2aeecf2f0",
}
_WORDS = re.compile(r"\w+")


def _plain(text: str) -> str:
    """The words of a text, each with a space on both sides."""
    return "".join(f" {word} " for word in _WORDS.findall(text.lower()))


def _records(data: TaskData) -> Iterator[Record]:
    for scenario in _TALKS:
        for talk in json_lines(data.path(f"memory_{scenario}.json")):
            for place, message in enumerate(message for messages in talk["question"] for message in messages):
                fields = {"role": message["role"], "session": talk["id"], "turn": place, "topic": talk["topic"]}
                yield Record(f"{talk['id']}:{place}", "memory", message["content"], fields, Scope("eval", scenario))


def _gold(source: str, turns: dict[str, str]) -> dict[str, float]:
    """The turns that hold the source: as a whole; else its parts without what stands before a colon; else any long part."""
    wholes = [key for key, words in turns.items() if _plain(source) in words]
    if wholes:
        return dict.fromkeys(wholes, 1.0)
    head, colon, rest = source.partition(":")
    said = [_plain(part) for part in re.split(r"\.\.\.|…|[.—–]", rest if colon else source) if _WORDS.search(part)]
    every = [key for key, words in turns.items() if all(part in words for part in said) and (not colon or _plain(head) in words)]
    some = [key for key, words in turns.items() if any(part in words for part in said if len(part.split()) > 3)]
    return dict.fromkeys(every or some, 1.0)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    turns: dict[str, dict[str, str]] = {}
    for record in _records(data):
        turns.setdefault(str(record.scope.user), {})[record.key] = _plain(record.text)
    answers = {row["id"]: row for row in json_lines(data.path("possible_answer/BFCL_v4_memory.json"))}
    for row in json_lines(data.path("bfcl-memory/BFCL_v4_memory.json")):
        answer = answers[row["id"]]
        yield Case(
            id=row["id"],
            query=row["question"][0][0]["content"],
            gold=_gold(answer["source"], turns[row["scenario"]]),
            answers=tuple(answer["ground_truth"]),
            scope=Scope("eval", row["scenario"]),
            category=row["scenario"],
            facts={"source": answer["source"]},
        )


TASK = Task(
    name="bfcl_memory",
    kind="memory",
    about="155 questions about what 5 users said in 323 turns of earlier conversations",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="Apache-2.0",
    citation="Patil et al., The Berkeley Function Calling Leaderboard, ICML 2025 (version 4: agentic memory)",
    protocols=("rank", "answer"),
    measures=("Recall@10", "session-Recall@10", "nDCG@10", "contains", "F1"),
    splits=("test",),
    files=(
        File(
            f"{_AT}/BFCL_v4_memory.json",
            "40fc21d4528af53c6b44204def89e81515d0101654229e2c2e82bbf5f047b14f",
            github(*_SOURCE, f"{_BASE}/BFCL_v4_memory.json"),
        ),
        File(
            f"{_AT}/possible_answer/BFCL_v4_memory.json",
            "2355cf8d842f94af6bcb7bfa6ad2f9e472bc6d825d6ecd45702cfc41e27d7e5d",
            github(*_SOURCE, f"{_BASE}/possible_answer/BFCL_v4_memory.json"),
        ),
        *(
            File(
                f"{_AT}/memory_prereq_conversation/memory_{name}.json",
                sha256,
                github(*_SOURCE, f"{_BASE}/memory_prereq_conversation/memory_{name}.json"),
            )
            for name, sha256 in _TALKS.items()
        ),
    ),
    records=_records,
    cases=_cases,
    dropped=("1 question is about a sentence that no turn holds: it counts for the answer, not for the ranking.",),
)
