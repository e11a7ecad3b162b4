"""INSCIT: people seek information in a conversation, and the other side may also ask back. Knows no whole Wikipedia.

A case is one turn of the agent: the query is what the user said last, gold are the passages that any annotator used.
Splits are drawn by conversation.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals.rows import json_value
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks._read import drawn
from bowerbird.types import Message, Record, Scope

__all__ = ["TASK"]

_SCOPE = Scope("eval")
_SHARES = {"test": 0.5, "dev": 0.1, "train": 0.4}


def _records(data: TaskData) -> Iterator[Record]:
    seen = set[str]()
    for conversation in json_value(data.path("dev.json.gz")).values():
        for turn in conversation["turns"]:
            for passage in (passage for label in turn["labels"] for passage in label["evidence"]):
                if passage["passage_id"] not in seen:
                    seen.add(passage["passage_id"])
                    title, *headings = passage["passage_titles"] or [passage["passage_id"].rpartition(":")[0]]
                    fields = {"title": title, **({"heading": " / ".join(headings)} if headings else {})}
                    yield Record(passage["passage_id"], "passage", passage["passage_text"], fields, _SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for name, conversation in json_value(data.path("dev.json.gz")).items():
        if drawn(name, _SHARES) != split:
            continue
        for place, turn in enumerate(conversation["turns"]):
            *before, query = turn["context"]  # the user speaks first, and last
            labels = turn["labels"]
            yield Case(
                id=f"{name}/{place}",
                query=query,
                gold={passage["passage_id"]: 1.0 for label in labels for passage in label["evidence"]},
                answers=tuple(dict.fromkeys(label["response"] for label in labels)),
                history=tuple(Message(("user", "assistant")[number % 2], said) for number, said in enumerate(before)),
                scope=_SCOPE,
                category=labels[0]["responseType"],
                facts={"response_types": [label["responseType"] for label in labels]},
            )


TASK = Task(
    name="inscit",
    kind="passage",
    about="86 conversations, 502 agent turns over their 996 evidence passages of Wikipedia; splits by the hash of the conversation",
    source="https://github.com/ellenmellon/INSCIT",
    revision="2319fb85932b9528a13417223ffc6fc629ae8087",
    licence="not stated",
    citation="Wu et al., INSCIT: information-seeking conversations with mixed-initiative interactions, TACL 2023",
    protocols=("rank", "answer"),
    measures=("nDCG@10", "Recall@10", "MRR@10", "F1"),
    splits=("test", "dev", "train"),
    files=(File("knowledge/inscit/dev.json.gz", "44347afeee78fcc5e130e1be8f6c82c11c4e269a6bfa05e0021bcb7207315d99"),),
    records=_records,
    cases=_cases,
    dropped=("17 of the 502 turns have no evidence passage: they count for the answer, not for the ranking.",),
)
