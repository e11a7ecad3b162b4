"""MetaTool (ToolE): requests as people write them, and which of 199 plugins fulfils each; some need two.

Queries that differ in case or spacing alone are one case, with all tools that any of its rows names. Splits are drawn by
the hash of that query, so none is on two sides.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals.rows import github, json_value, table_rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks._read import drawn
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_SOURCE = "HowieHwong/MetaTool", "35e81bb7576826e980c80fed8f8c0a2b4a1e6fbb"
_SCOPE = Scope("eval")
_SHARES = {"test": 0.2, "dev": 0.1, "train": 0.7}


def _records(data: TaskData) -> Iterator[Record]:
    for name, about in json_value(data.path("plugin_des.json")).items():
        yield Record(name, "tool", about, {"name": name}, _SCOPE)


def _asked(data: TaskData) -> Iterator[tuple[str, str, list[str]]]:
    """(category, query, tools), a row of the files each."""
    for row in table_rows(data.path("all_clean_data.csv.gz")):
        yield "single", row["Query"], [row["Tool"]]
    for row in json_value(data.path("multi_tool_query_golden.json")):
        yield "two", row["query"], row["tool"]


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    found: dict[str, tuple[str, str, dict[str, float]]] = {}
    for category, query, tools in _asked(data):
        found.setdefault(" ".join(query.casefold().split()), (category, query, {}))[2].update(dict.fromkeys(tools, 1.0))
    for place, (plain, (category, query, gold)) in enumerate(found.items()):
        if drawn(plain, _SHARES) == split:
            yield Case(f"q{place}", query.strip(), gold, scope=_SCOPE, category=category)


TASK = Task(
    name="metatool",
    kind="tool",
    about="199 plugins; 20,614 requests for one and 497 for two of them; splits by the hash of the request",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="MIT",
    citation="Huang et al., MetaTool benchmark for large language models, ICLR 2024",
    protocols=("rank",),
    measures=("nDCG@5", "Recall@5", "AllHit@5", "MRR@10"),
    splits=("test", "dev", "train"),
    files=(
        File("tools/metatool/all_clean_data.csv.gz", "a57dd3d9696a2ba7849c2777a2ceb138d174c804b5a396ddbf16ccd67879e99c"),
        File(
            "tools/metatool/multi_tool_query_golden.json",
            "ef37d10a8cb5b41435d6ea3ae29819afdb8d6db0852268830e5ee77259507f51",
            github(*_SOURCE, "dataset/data/multi_tool_query_golden.json"),
        ),
        File(
            "tools/metatool/plugin_des.json",
            "c446ade5acfb8e16c477124250665021e63b11bf6cb232db04fc9ba6bed0389a",
            github(*_SOURCE, "dataset/plugin_des.json"),
        ),
    ),
    records=_records,
    cases=_cases,
    dropped=("72 of the 21,111 rows repeat a request: their tools are added to the one case of it.",),
)
