"""API-Bank, levels 1 and 2: dialogues in which an assistant calls APIs, over all 101 APIs there are.

A case is a turn of the user that calls follow before the user speaks again; gold are the APIs called. On level 2 the
assistant first searches for the API: that search is what is being judged here, so it is no gold; its keywords are kept.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bowerbird.evals.rows import json_lines, table_rows
from bowerbird.evals.task import Case, Task, TaskData
from bowerbird.evals.tasks._read import pinned
from bowerbird.types import Message, Record, Scope

__all__ = ["TASK"]

_SOURCE = "AlibabaResearch/DAMO-ConvAI", "483554eae102996f5ec1f4feab4e78ef29c2a394"
_SCOPE = Scope("eval")
_LEVELS = {"level-1-given-desc": "level-1", "level-2-toolsearcher": "level-2"}
_SEARCH = "ToolSearcher"
_ROLES = {"User": "user", "AI": "assistant"}


def _described(source: str) -> dict[str, Any]:
    """The literals that a table cell assigns: description, input_parameters, output_parameters. {} where it is not Python."""
    try:
        lines = ast.parse(source).body
    except SyntaxError:
        return {}
    told: dict[str, Any] = {}
    for line in lines:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            told[line.targets[0].id] = ast.literal_eval(line.value)
    return dict(json.loads(json.dumps(told, default=sorted)))  # one cell writes {'key'}, a set, for an object


def _records(data: TaskData) -> Iterator[Record]:
    for row in table_rows(data.path("all_apis.csv"), encoding="utf-8-sig"):
        name, told = row["类名"], _described(row["api_info"])
        fields = {
            "name": name,
            "signature": row["input_parameters"],
            "parameters": {"type": "object", "properties": told.get("input_parameters", {})},
            "returns": told.get("output_parameters"),
        }
        yield Record(name, "tool", told.get("description", ""), fields, _SCOPE)


def _turns(file: str, level: str, rows: list[dict[str, Any]]) -> Iterator[Case]:
    starts = [place for place, row in enumerate(rows) if row["role"] == "User"]
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        calls = [row for row in rows[start:end] if row["role"] == "API"]
        wanted = [call for call in calls if call["api_name"] != _SEARCH]
        if wanted:
            yield Case(
                id=f"{file}/{start}",
                query=rows[start]["text"],
                gold={call["api_name"]: 1.0 for call in wanted},
                history=tuple(Message(_ROLES[row["role"]], row["text"]) for row in rows[:start] if row["role"] in _ROLES),
                scope=_SCOPE,
                category=level,
                facts={
                    "calls": [{"name": call["api_name"], "arguments": call["param_dict"]} for call in wanted],
                    "keywords": [call["param_dict"]["keywords"] for call in calls if call["api_name"] == _SEARCH],
                },
            )


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for file in data.files:
        folder, _, name = file.path.rpartition("/")
        if level := _LEVELS.get(folder.rpartition("/")[2]):
            yield from _turns(f"{level}/{name.removesuffix('.jsonl')}", level, list(json_lines(data.folder / file.path)))


TASK = Task(
    name="api_bank",
    kind="tool",
    about="turns of 213 level-1 and 50 level-2 dialogues that need one of 101 APIs",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="Apache-2.0 (the folder), MIT (the repository)",
    citation="Li et al., API-Bank: a comprehensive benchmark for tool-augmented LLMs, EMNLP 2023",
    protocols=("rank",),
    measures=("nDCG@5", "Recall@5", "AllHit@5", "MRR@10"),
    splits=("test",),
    files=pinned(Path(__file__).with_name("api_bank.sha256"), "tools/api-bank", *_SOURCE, "api-bank"),
    records=_records,
    cases=_cases,
    dropped=(
        "45 calls of the tool search itself are no gold.",
        "1 of the 101 APIs, ImageCaption, has no description in the table: its name and parameters stand alone.",
    ),
)
