"""TREC CAsT 2019: what people said in a conversation, and the same said so that it can be understood alone.

Judges query rewriting against people's own: the passage collections are not part of it, so there are no records. The history of
a turn holds the user's earlier turns as they were said.
"""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals.rows import github, json_value, table_rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Message, Record, Scope

__all__ = ["TASK"]

_SOURCE = "daltonj/treccastweb", "33846610b736da392efeab00e4c6f4519e0dacf1"
_AT = "knowledge/trec-cast-2019"
_FILES = {
    "test": ("evaluation_topics_v1.0.json", "evaluation_topics_annotated_resolved_v1.0.tsv"),
    "train": ("train_topics_v1.0.json", "train_topic_sample_annotated_resolved_v1.0.tsv"),
}


def _records(data: TaskData) -> Iterator[Record]:
    return iter(())


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    topics, rewrites = (data.path(name) for name in _FILES[split])
    resolved = {row["turn"]: row["said"] for row in table_rows(rewrites, "\t", header=("turn", "said"), quoted=False)}
    for topic in json_value(topics):
        history = list[Message]()
        for turn in topic["turn"]:
            name, said = f"{topic['number']}_{turn['number']}", turn["raw_utterance"].strip()
            if name in resolved:
                facts = {"topic": topic["title"].strip()}
                yield Case(name, said, answers=(resolved[name].strip(),), history=tuple(history), scope=Scope("eval"), facts=facts)
            history.append(Message("user", said))


def _file(folder: str, name: str, sha256: str) -> File:
    return File(f"{_AT}/{name}", sha256, github(*_SOURCE, f"2019/data/{folder}/{name}"))


TASK = Task(
    name="cast2019",
    kind="passage",
    about="479 turns of 50 conversations with a form that people made understandable alone (and 23 turns to learn from)",
    source="https://github.com/" + _SOURCE[0],
    revision=_SOURCE[1],
    licence="MIT (source repository)",
    citation="Dalton, Xiong and Callan, TREC CAsT 2019: the conversational assistance track overview, 2020",
    protocols=("rewrite",),
    measures=("F1", "ROUGE-L", "EM", "BLEU"),
    splits=("test", "train"),
    files=(
        _file("evaluation", _FILES["test"][0], "7cd4ba25e56dd3cde21ddb2c34143b57612fba0ac85c670bc7ba73b901ede48a"),
        _file("evaluation", _FILES["test"][1], "d137a656a4644b38b573ae613f69420b5512d71cf0efc00a6d66fd773a4d4589"),
        _file("training", _FILES["train"][0], "b9b4f9095830a4dd99db4b01856c04ade6e9193dcab9e6d99316d058eca6e399"),
        _file("training", _FILES["train"][1], "a4e201f39868ef4141c5d094738438bebfe024d4f3a9d9c39dbbe59d4bf25226"),
    ),
    records=_records,
    cases=_cases,
    dropped=("246 of the 269 training turns have no human rewrite.",),
)
