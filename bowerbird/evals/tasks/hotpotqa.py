"""HotpotQA, distractor setting with one pooled corpus: questions whose answer needs two Wikipedia paragraphs.

A part of the data: the first 350 dev questions, over all paragraphs of the first 500.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals.rows import json_lines
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks._read import drawn
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_SCOPE = Scope("eval")
_SHARES = {"test": 0.5, "dev": 0.1, "train": 0.4}


def _records(data: TaskData) -> Iterator[Record]:
    for row in json_lines(data.path("corpus.jsonl.gz")):
        yield Record(row["title"], "passage", row["text"], {"title": row["title"]}, _SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for row in json_lines(data.path("questions.jsonl")):
        if drawn(row["_id"], _SHARES) == split:
            gold = dict.fromkeys(row["gold_titles"], 1.0)
            yield Case(row["_id"], row["question"], gold, (row["answer"],), scope=_SCOPE, category=row["type"])


TASK = Task(
    name="hotpotqa",
    kind="passage",
    about="4,937 Wikipedia paragraphs, 350 questions that need two of them; splits by the hash of the question's id",
    source="https://github.com/Xinowo/cs6120-hotpotqa-retrieval-failure-analysis, https://github.com/ysymyth/ReAct",
    revision="d43a3a628bd3e0d427d8f511cbb671bffee78515, 6bdb3a1fd38b8188fc7ba4102969fe483df8fdc9",
    licence="CC BY-SA 4.0 (HotpotQA); MIT (both source repositories)",
    citation="Yang et al., HotpotQA: a dataset for diverse, explainable multi-hop question answering, EMNLP 2018",
    protocols=("rank", "answer"),
    measures=("AllHit@10", "nDCG@10", "MRR@10", "Recall@10", "EM", "F1"),
    splits=("test", "dev", "train"),
    files=(
        File("knowledge/hotpotqa-dev500/corpus.jsonl.gz", "73746dd3c9f56c218c362ab9471e58e0e4b1bf7f967d6337cdb6e7c115d35b29"),
        File("knowledge/hotpotqa-dev500/questions.jsonl", "661c68e31eb2185da5df1be7e060172cf849b0d38f648ec680a7aa368fc47800"),
    ),
    records=_records,
    cases=_cases,
)
