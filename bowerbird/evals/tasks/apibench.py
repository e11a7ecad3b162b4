"""APIBench: requests for a machine learning model, and the documents of three hubs that describe such models.

Gold is the document that a request was written from: the one of the same call and name, since some calls are shared by
many documents; for 77 requests no document has the call as it is written, and name and description find it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bowerbird.errors import InvalidInput
from bowerbird.evals.rows import github, json_lines
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_SOURCE = "ShishirPatil/gorilla", "6ea57973c7a6097fd7c5915698c54c17c5b1b6c8"
_AT = "tools/apibench"
_SCOPE = Scope("eval")
_HUBS = {
    "huggingface": "6757c59091abcf6d0f32f878a765b4ae28a9db7f88c7a1a4ee8bfeda72472f6d",
    "tensorflowhub": "bed9819b8d54cda1709fb0942f18d7cd5f39788b22ba03c9f89e9fc0287b2c0a",
    "torchhub": "30c762a4f8ae1be605aa45c74669e8b64a806fa4f3be52bd625199000540b080",
}
_SPLITS = {
    "test": (("huggingface", "huggingface_eval.json.gz"), ("torchhub", "torchhub_eval.json")),
    "train": (("torchhub", "torchhub_train.json"),),
}
# ###Instruction: ... ###Output: ... (four rows have no output), or {'Instruction': ..., 'Output': ...
_REQUEST = re.compile(r"Instruction['\"]?\s*:\s*(.*?)\s*(?:#+\s*Output|,\s*['\"]Output['\"]|\Z)", re.DOTALL)


def _documents(data: TaskData) -> Iterator[tuple[str, dict[str, Any]]]:
    for hub in _HUBS:
        for place, row in enumerate(json_lines(data.path(f"{hub}_api.jsonl"))):
            yield f"{hub}/{place}", row


def _records(data: TaskData) -> Iterator[Record]:
    for key, row in _documents(data):
        about = f"{row['domain']}, {row['functionality']}. {row['description']}\n{row['api_call']}"
        yield Record(key, "tool", about, {"name": row["api_name"], "server": key.partition("/")[0]}, _SCOPE)


def _request(code: str) -> str:
    found = _REQUEST.search(code)
    if found is None:
        raise InvalidInput(f"A row of APIBench holds no instruction: {code:.80}.")
    return found[1].strip(" \n'\"")


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    called: dict[tuple[str, str], list[str]] = {}
    named: dict[tuple[str, str], list[str]] = {}
    for key, row in _documents(data):
        called.setdefault((row["api_call"], row["api_name"]), []).append(key)
        named.setdefault((row["description"], row["api_name"]), []).append(key)
    for hub, file in _SPLITS[split]:
        for place, row in enumerate(json_lines(data.path(file))):
            document = row["api_data"]
            name = document["api_name"]
            keys = called.get((row["api_call"], name)) or named.get((document["description"], name), [])
            yield Case(
                id=f"{hub}-{split}-{place}",
                query=_request(row["code"]),
                gold=dict.fromkeys(keys, 1.0),
                scope=_SCOPE,
                category=hub,
                facts={"api_call": row["api_call"]},
            )


def _file(path: str, sha256: str) -> File:
    return File(f"{_AT}/{path}", sha256, "" if path.endswith(".gz") else github(*_SOURCE, f"data/{path}"))


TASK = Task(
    name="apibench",
    kind="tool",
    about="1,726 documents of Hugging Face, TensorFlow Hub and Torch Hub; 1,097 test and 837 training requests",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="Apache-2.0",
    citation="Patil et al., Gorilla: large language model connected with massive APIs, NeurIPS 2024",
    protocols=("rank",),
    measures=("nDCG@5", "Recall@5", "Recall@10", "MRR@10"),
    splits=("test", "train"),
    files=(
        *(_file(f"api/{hub}_api.jsonl", sha256) for hub, sha256 in _HUBS.items()),
        _file("apibench/huggingface_eval.json.gz", "07f8ba7adbbacb3b82371cd81ad72c196de223ae5c6d3fed9c9a4f02204b5bfd"),
        _file("apibench/torchhub_eval.json", "e575eec9289ee46a577b80ee3065111dd8accf4e6145d6ad5fd919879a79efe9"),
        _file("apibench/torchhub_train.json", "02256a7d21cd4531514466ba624c075d0d11c5e4eb7746b99208b9c25c6cb30d"),
    ),
    records=_records,
    cases=_cases,
)
