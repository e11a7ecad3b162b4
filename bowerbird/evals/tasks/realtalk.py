"""REALTALK: what real people wrote to each other over three weeks, with questions about it. Seven of its ten chats.

One record a message, with its own time (the data name no time zone: taken as UTC). Evidence is written by hand, with
ranges and lists in one string, and names messages that were removed: those are skipped and counted. Splits are by chat.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bowerbird.evals.rows import github, json_value
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks._dialogue import evidence, said
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_SOURCE = "danny911kr/REALTALK", "b903e06a9770bf4e5fe9018c3e132889666d3b4a"
_SPLITS = {
    "test": ("Chat_1_Emi_Elise", "Chat_10_Fahim_Muhhamed", "Chat_5_Nicolas_Nebraas"),
    "dev": ("Chat_2_Kevin_Elise",),
    "train": ("Chat_4_Emi_Paola", "Chat_7_Nebraas_Vanessa", "Chat_8_Akib_Muhhamed"),
}
_CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "inference"}
_SESSION = re.compile(r"session_(\d+)")


def _sessions(chat: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    numbers = sorted(int(match[1]) for name in chat if (match := _SESSION.fullmatch(name)))
    return [(f"session_{number}", chat[f"session_{number}"]) for number in numbers]


def _moment(message: dict[str, Any]) -> float:
    """`29.12.2023, 22:42:04`, taken as UTC."""
    return datetime.strptime(message["date_time"], "%d.%m.%Y, %H:%M:%S").replace(tzinfo=UTC).timestamp()


def _records(data: TaskData) -> Iterator[Record]:
    for name in (name for names in _SPLITS.values() for name in names):
        for session, messages in _sessions(json_value(data.path(f"{name}.json"))):
            for place, message in enumerate(messages):
                fields = {"role": message["speaker"], "time": _moment(message), "session": session, "turn": place}
                yield Record(message["dia_id"], "memory", said(message["clean_text"], message), fields, Scope("eval", name))


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for name in _SPLITS[split]:
        chat = json_value(data.path(f"{name}.json"))
        messages = [message for _, messages in _sessions(chat) for message in messages]
        turns = dict.fromkeys(message["dia_id"] for message in messages)
        for place, row in enumerate(chat["qa"]):
            yield Case(
                id=f"{name}/{place}",
                query=row["question"],
                gold=evidence(row["evidence"], turns)[0],
                answers=(row["answer"],),
                scope=Scope("eval", name),
                at=_moment(messages[-1]),
                category=_CATEGORIES[row["category"]],
            )


def _file(name: str, sha256: str) -> File:
    return File(f"memory/realtalk/{name}.json", sha256, github(*_SOURCE, f"data/{name}.json"))


TASK = Task(
    name="realtalk",
    kind="memory",
    about="7 chats of real people over 21 days: 151 sessions, 5,755 messages, 517 questions; splits by chat",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="not stated",
    citation="Lee et al., REALTALK: a 21-day real-world dataset for long-term conversation, arXiv 2502.13270, 2025",
    protocols=("rank", "answer"),
    measures=("Recall@10", "Recall@5", "session-Recall@10", "nDCG@10", "F1"),
    splits=("test", "dev", "train"),
    files=(
        _file("Chat_1_Emi_Elise", "4e947998a751a1ba2c3710fc873b90fbcbc234fda7a5e4e75db2b762e0f25a36"),
        _file("Chat_2_Kevin_Elise", "4ac6e319c206731aa9a025c93325eb1edb43686cf39473f058c87ae7deb2d62a"),
        _file("Chat_4_Emi_Paola", "80aa012ed6a918f5b317bd942b4d4811a158d27a6e07b7a5c6182994107a9367"),
        _file("Chat_5_Nicolas_Nebraas", "32dd7c45786b1a26861dc1574a1bb698a855196fd2ae3fc0c091f3c9ab2d6d06"),
        _file("Chat_7_Nebraas_Vanessa", "b5716bb093217980e747dec0d98996829b569febc09587a025efc6b79806e9ce"),
        _file("Chat_8_Akib_Muhhamed", "814f64ad7e8a46f0398f550fe84184e2ba495a292290b9ff96ffc95448280800"),
        _file("Chat_10_Fahim_Muhhamed", "26135a9e3482f40bea4c71de570a2d994a361848111067e60587be1dd82a0127"),
    ),
    records=_records,
    cases=_cases,
    dropped=(
        "102 entries of evidence, of 47 questions, name no message there is.",
        "11 questions keep no evidence: they count for the answer, not for the ranking.",
    ),
)
