"""ToolAlpaca: which of 1,426 public APIs serves an instruction that was written for one of 21 of them.

Records are the APIs with their one-line descriptions; the functions of the right one and the expected calls are in
`facts`. Thirteen names of the public list are given twice, to different APIs: the later one has a `#2` in its key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from bowerbird.evals.rows import github, json_value
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_SOURCE = "tangqiaoyu/ToolAlpaca", "189069998d64a7baf1b4a1c3c4b2e75eb9d05532"
_SCOPE = Scope("eval")
_PARTS = {
    "real": "86d1392c786060e00dd6feaa963d8a87660e3042380b0abbd8ccad2b931e2778",
    "simulated": "17085ffefae0a0e15c1d2d564263063932d692011edf27ce8ae3d3803432ba08",
}


def _evaluated(data: TaskData) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in _PARTS:
        for api in json_value(data.path(f"eval_{part}.json")):
            yield part, api


def _records(data: TaskData) -> Iterator[Record]:
    seen = Counter[str]()
    public = [(row["API"], row["Description"], row["Category"]) for row in json_value(data.path("public_apis.json"))["entries"]]
    listed = {name for name, _, _ in public}
    others = [(api["Name"], api["Description"], api["Category"]) for _, api in _evaluated(data) if api["Name"] not in listed]
    for name, about, category in public + others:
        seen[name] += 1
        yield Record(name if seen[name] == 1 else f"{name}#{seen[name]}", "tool", f"{about} ({category})", {"name": name}, _SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for part, api in _evaluated(data):
        functions = {name: about for name, about in api["Function_Description"].items() if name != "components"}
        for place, (asked, calls) in enumerate(zip(api["Instructions"], api["Golden_Answers"], strict=True)):
            yield Case(
                id=f"{part}/{api['Name']}/{place}",
                query=asked,
                gold={api["Name"]: 1.0},
                scope=_SCOPE,
                category=part,
                facts={"functions": functions, "calls": calls},
            )


TASK = Task(
    name="toolalpaca",
    kind="tool",
    about="214 instructions for 21 APIs, to be found among 1,426 described in a line each",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="Apache-2.0",
    citation="Tang et al., ToolAlpaca: generalized tool learning for language models with 3000 simulated cases, 2023",
    protocols=("rank",),
    measures=("nDCG@5", "Recall@5", "Recall@10", "MRR@10"),
    splits=("test",),
    files=(
        *(
            File(f"tools/toolalpaca/eval_{part}.json", sha256, github(*_SOURCE, f"data/eval_{part}.json"))
            for part, sha256 in _PARTS.items()
        ),
        File(
            "tools/toolalpaca/public_apis.json",
            "56e3218afcc6b93725c610d06a018091a38953e300e5073fb13d81ed3cd69ac8",
            github(*_SOURCE, "data/public_apis.json"),
        ),
    ),
    records=_records,
    cases=_cases,
)
