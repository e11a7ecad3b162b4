"""Amazon video games: the next thing that a person buys, among all 16,859.

The sequences carry no times, so there is no global time cut: each person's history ends at their own next item, and
popularity is counted over all histories, some of which are later than the case. Every item is ranked; what is in the
history is in `facts["seen"]` and is to be left out of a ranking. `tune` is a fifth of the people by a hash, `test` the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "RUCAIBox/LLMRank", "5ec1154cb74cbf68ed5721212f1d7e79336c39c7"
_TUNE = 0.2
_SHOWN = 10  # the last items that the query names


def _people(data: TaskData) -> Iterator[tuple[str, list[str], str]]:
    """(person, history with the oldest first, next item)."""
    for row in rows.table_rows(data.path("Games-6k.valid.inter"), "\t", quoted=False):
        yield row["user_id:token"], row["item_id_list:token_seq"].split(), row["item_id:token"]


def _titles(data: TaskData) -> dict[str, str]:
    table = rows.table_rows(data.path("Games-6k.item"), "\t", quoted=False)
    return {row["item_id:token"]: row["title:token_seq"].strip() for row in table}


def _records(data: TaskData) -> Iterator[Record]:
    counts = Counter(item for _, history, _ in _people(data) for item in history)
    for item, title in _titles(data).items():
        text = title or f"Item {item} without a title"
        yield Record(f"game-{item}", "item", text, {"popularity": float(counts[item])}, labelled.SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    titles = _titles(data)
    for person, history, bought in _people(data):
        if (rows.share(f"amazon games {person}") < _TUNE) is not (split == "tune"):
            continue
        yield Case(
            f"person-{person}",
            "I bought: " + "; ".join(titles[item] for item in history[-_SHOWN:]) + ". What next?",
            {f"game-{bought}": 1.0},
            scope=labelled.SCOPE,
            category="short history" if len(history) < 10 else "long history",
            facts={"seen": [f"game-{item}" for item in history]},
        )


TASK = Task(
    name="amazon_games",
    kind="item",
    about="The next video game or accessory that a person buys, among all.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="MIT (source repository)",
    citation="Ni, Li and McAuley, EMNLP 2019 (data); Hou et al., Large Language Models are Zero-Shot Rankers, ECIR 2024 (this part)",
    protocols=("recommend",),
    measures=("nDCG@10", "Hit@10", "MRR@10", "coverage@10", "ARP@10", "popularity@10"),
    splits=("test", "tune"),
    files=(
        File(
            "items/amazon-games/Games-6k.item",
            "be9cea58a8de4f940a20b0ad6b58bad46b22fd6f9dbc82d1a1902e1c62e96ade",
            rows.github(_REPOSITORY, _REVISION, "llmrank/dataset/Games-6k/Games-6k.item"),
        ),
        File(
            "items/amazon-games/Games-6k.valid.inter",
            "af84810be2c86cc4e7567ebe6355baf78e6e49889ceaa3174769020fd9495f17",
            rows.github(_REPOSITORY, _REVISION, "llmrank/dataset/Games-6k/Games-6k.valid.inter"),
        ),
    ),
    records=_records,
    cases=_cases,
)
