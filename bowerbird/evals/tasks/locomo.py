"""LoCoMo: long conversations of two people over months, with questions about them. Seven of its ten conversations.

One record a turn, so evidence can be counted by turn and by session. Questions were asked of the finished conversation:
`at` is its last session. Adversarial questions ask for what was not said; the accepted answers say so, and the wrong
answer they fish for is in `facts`. Splits are by conversation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bowerbird.evals.rows import json_value
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks._dialogue import evidence, said
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_SPLITS = {
    "test": ("Chat_1_Caroline_Melanie", "Chat_4_Joanna_Nate"),
    "dev": ("Chat_2_Jon_Gina",),
    "train": ("Chat_5_Tim_John", "Chat_7_James_John", "Chat_8_Deborah_Jolene", "Chat_10_Calvin_Dave"),
}
_CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
_UNSAID = ("No information available", "Not mentioned in the conversation")
_SESSION = re.compile(r"session_(\d+)")


def _sessions(conversation: dict[str, Any]) -> list[tuple[str, float, list[dict[str, Any]]]]:
    """(name, time, turns) in order; a date without a session belongs to nothing."""
    numbers = sorted(int(match[1]) for name in conversation if (match := _SESSION.fullmatch(name)))
    names = [f"session_{number}" for number in numbers]
    return [(name, _moment(conversation[f"{name}_date_time"]), conversation[name]) for name in names]


def _moment(written: str) -> float:
    """`1:56 pm on 8 May, 2023`, taken as UTC."""
    return datetime.strptime(written, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC).timestamp()


def _chats(data: TaskData, names: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in names:
        chat = json_value(data.path(f"{name}.json"))
        yield chat["sample_id"], chat


def _records(data: TaskData) -> Iterator[Record]:
    for name, chat in _chats(data, tuple(name for names in _SPLITS.values() for name in names)):
        for session, moment, turns in _sessions(chat["conversation"]):
            for place, turn in enumerate(turns):
                fields = {"role": turn["speaker"], "time": moment, "session": session, "turn": place}
                yield Record(turn["dia_id"], "memory", said(turn["text"], turn), fields, Scope("eval", name))


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for name, chat in _chats(data, _SPLITS[split]):
        sessions = _sessions(chat["conversation"])
        turns = dict.fromkeys(turn["dia_id"] for _, _, told in sessions for turn in told)
        for place, row in enumerate(chat["qa"]):
            adversarial = row["category"] == 5
            answers = (str(row["answer"]),) if "answer" in row else _UNSAID
            yield Case(
                id=f"{name}/{place}",
                query=row["question"],
                gold=evidence(row["evidence"], turns)[0],
                answers=answers,
                scope=Scope("eval", name),
                at=sessions[-1][1],
                category=_CATEGORIES[row["category"]],
                facts={"adversarial_answer": row["adversarial_answer"]} if adversarial else {},
            )


def _file(name: str, sha256: str) -> File:
    return File(f"memory/locomo/{name}.json", sha256)


TASK = Task(
    name="locomo",
    kind="memory",
    about="7 conversations of two people: 187 sessions, 4,035 turns, 1,439 questions; splits by conversation",
    source="https://github.com/snap-research/locomo, https://github.com/danny911kr/REALTALK",
    revision="e76cdff4a04fce19090596d49862fe87a5c15aaa, b903e06a9770bf4e5fe9018c3e132889666d3b4a",
    licence="not stated",
    citation="Maharana et al., Evaluating very long-term conversational memory of LLM agents, ACL 2024",
    protocols=("rank", "answer"),
    measures=("Recall@10", "Recall@5", "session-Recall@10", "nDCG@10", "F1", "EM"),
    splits=("test", "dev", "train"),
    files=(
        _file("Chat_1_Caroline_Melanie", "cbf57efe6661ba0aac311c44855a04079573870911aee7651e15b3768bf44a4e"),
        _file("Chat_2_Jon_Gina", "774598ae6d7a1f6b2b7f0c25ee552df429ebb306d0dfe2c33c13f8b52f408fa3"),
        _file("Chat_4_Joanna_Nate", "611020df02c04310c389cfee8a66e2a497d2ae484304d06526a96ff28f126bf0"),
        _file("Chat_5_Tim_John", "535516afb99ad6aab1f958b7eb3864d7672097a934efa571de433d1f05219be4"),
        _file("Chat_7_James_John", "83aef05e1dc934c8b04c7bcce9a230a6ee02d78dd23b4f701634873859b4c3bd"),
        _file("Chat_8_Deborah_Jolene", "b4e1ee0382382e3836ba199f702399856b25640c0124420271d22dac02f3b93e"),
        _file("Chat_10_Calvin_Dave", "1535b6567d1fb6a6ee7fa1983cdc9b1c8de4267815e0410a1878578effaa02b2"),
    ),
    records=_records,
    cases=_cases,
    dropped=(
        "3 entries of evidence, of 3 questions, name no turn there is: D10:19, D4:36, D.",
        "4 questions have no evidence: they count for the answer, not for the ranking.",
    ),
)
