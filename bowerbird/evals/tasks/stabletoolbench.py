"""StableToolBench: the solvable test queries of ToolBench over the endpoints of RapidAPI that they come with, pooled.

Four of its six parts. A record's text names the tool as well, since more than half of the endpoints have no description.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bowerbird.evals.rows import github, json_value
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks._read import drawn
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_SOURCE = "THUNLP-MT/StableToolBench", "aa4ed9f4737ad98bd706663f01d63623c3427812"
_SCOPE = Scope("eval")
_SHARES = {"test": 0.5, "dev": 0.1, "train": 0.4}
_PARTS = {
    "G1_instruction": "500aa0105ed451538448f6ea04f10661536b013f3e1a293840fe401688160e7c",
    "G1_tool": "05d0c180bbec9d060fd267cc79399bda05beddd0a6d0de68b5488926a9029a1a",
    "G1_category": "123cb9073c8b6e6473df91c8a51170277087e1c263eba2eb6077170edbe849c3",
    "G2_instruction": "82d569cd0fc8fc742a15a3011fb5cd6a8b11e0a5b344c884602347439f43cad7",
}


def _key(tool: str, endpoint: str) -> str:
    return f"{tool} :: {endpoint}"


def _parameters(api: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema of an endpoint's parameters; types are those of the data, in lower case."""
    required, optional = api["required_parameters"], api["optional_parameters"]
    properties = {one["name"]: {"type": one["type"].lower(), "description": one["description"]} for one in (*required, *optional)}
    return {"type": "object", "properties": properties, "required": [one["name"] for one in required]}


def _records(data: TaskData) -> Iterator[Record]:
    seen = set[str]()
    for part in _PARTS:
        for row in json_value(data.path(f"{part}.json")):
            for api in row["api_list"]:
                key = _key(api["tool_name"], api["api_name"])
                if key in seen:
                    continue
                seen.add(key)
                about = f"{api['tool_name']} ({api['category_name']}): {(api['api_description'] or '').strip()}".removesuffix(": ")
                fields = {"name": api["api_name"], "server": api["tool_name"], "method": api["method"], "parameters": _parameters(api)}
                yield Record(key, "tool", about, fields, _SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for part in _PARTS:
        for row in json_value(data.path(f"{part}.json")):
            name = str(row["query_id"])
            if drawn(name, _SHARES) == split:
                gold = {_key(tool, endpoint): 1.0 for tool, endpoint in row["relevant APIs"]}
                yield Case(name, row["query"].strip(), gold, scope=_SCOPE, category=part)


TASK = Task(
    name="stabletoolbench",
    kind="tool",
    about="580 requests over 2,220 endpoints of RapidAPI; splits by the hash of the request's id",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="Apache-2.0",
    citation="Guo et al., StableToolBench, Findings of ACL 2024; Qin et al., ToolLLM, ICLR 2024",
    protocols=("rank",),
    measures=("nDCG@5", "nDCG@1", "Recall@5", "Recall@10", "AllHit@10"),
    splits=("test", "dev", "train"),
    files=tuple(
        File(f"tools/stabletoolbench/{part}.json", sha256, github(*_SOURCE, f"solvable_queries/test_instruction/{part}.json"))
        for part, sha256 in _PARTS.items()
    ),
    records=_records,
    cases=_cases,
    dropped=("2 endpoints have a second description: the first counts.",),
)
