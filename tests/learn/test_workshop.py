"""What a bower has to learn from: the ledger and kept groups together, each scope its own; and groups taught by tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bowerbird import Engine
from bowerbird.errors import InvalidInput
from bowerbird.evals.task import Case, Task, TaskData
from bowerbird.learn.groups import Candidate, Group, write
from bowerbird.learn.teach import taught
from bowerbird.learn.workshop import Workshop, merged
from bowerbird.types import Record, Scope

ANN, BOB = Scope("acme", "ann"), Scope("acme", "bob")


def workshop(bird: Engine, scope: Scope = ANN) -> Workshop:
    return Workshop(bird.path, bird.ledger, bird.catalog, scope)


def test_kept_groups_join_the_ledgers(bird: Engine, tmp_path: Path) -> None:
    bird.add([{"key": "vpn", "kind": "passage", "text": "The office network needs the VPN."}])
    turn = bird.augment("office network", spec="bm25 >> budget")
    bird.feedback(turn, 1, keys="vpn")
    shop = workshop(bird)
    mined = [
        Group("office network", "passage", "ledger", (Candidate("vpn", "other text", raw=-1.0), Candidate("tea", "Tea")), scope=str(ANN))
    ]
    assert shop.keep("mined", mined) == 1
    write(tmp_path / "more.jsonl", [Group("another", "tool", "file", (Candidate("t", "x", 1.0),))])
    groups, found = shop.groups(more=[tmp_path / "more.jsonl"])
    assert found.judged == 1
    assert [(group.query, group.source) for group in groups] == [("office network", "ledger"), ("another", "file")]
    vpn, tea = groups[0].candidates
    assert (vpn.text, vpn.label, vpn.raw) == ("The office network needs the VPN.", 1.0, -1.0)
    assert tea.label == 0.0
    assert workshop(bird, BOB).groups()[0] == []
    assert workshop(bird, BOB).folder != shop.folder


def test_merging_keeps_what_is_known_and_loses_nothing() -> None:
    first = Group("q", "tool", "s", (Candidate("a", "x", 1.0, shown=0), Candidate("b", "y")))
    second = Group("Q ", "tool", "s", (Candidate("b", "y", -1.0, raw=2.0), Candidate("c", "z")), ("gold",), nothing=-3.0)
    (both,) = merged([first, second])
    assert [(c.key, c.label, c.raw, c.shown) for c in both.candidates] == [
        ("a", 1.0, None, 0),
        ("b", -1.0, 2.0, None),
        ("c", 0.0, None, None),
    ]
    assert (both.answers, both.nothing) == (("gold",), -3.0)
    assert len(merged([first, Group("q", "memory", "s", ()), Group("q", "tool", "other", ())])) == 3


def _task(records: list[Record], splits: dict[str, list[Case]]) -> Task:
    def cases(_: TaskData, split: str) -> Iterator[Case]:
        yield from splits[split]

    return Task("made", "tool", "", "", "", "", "", ("rank",), ("nDCG@10",), tuple(splits), (), lambda _: iter(records), cases)


def test_a_task_teaches_from_its_training_split_alone(tmp_path: Path) -> None:
    scope = Scope("eval")
    records = [Record("t1", "tool", "weather by town", {"name": "weather"}, scope), Record("m1", "memory", "likes rain", scope=scope)]
    gold = {"t1": 1.0, "m1": 2.0}
    task = _task(
        records, {"test": [Case("a", "secret")], "train": [Case("b", "will it rain?", gold, ("yes",)), Case("c", "nothing helps")]}
    )
    groups = taught(task, tmp_path)
    assert {(group.kind, group.query, group.answers) for group in groups} == {
        ("tool", "will it rain?", ("yes",)),
        ("memory", "will it rain?", ("yes",)),
    }
    assert [(c.key, c.label, c.text) for g in groups if g.kind == "tool" for c in g.candidates] == [("t1", 1.0, "weather\nweather by town")]


def test_a_pool_of_labelled_records_teaches_itself(tmp_path: Path) -> None:
    pool = [Record(f"r{i}", "example", f"text {i}", {"label": f"l{i % 2}", "output": f"l{i % 2}"}, Scope("eval")) for i in range(30)]
    task = _task([*pool, Record("lone", "example", "alone", {"label": "rare"}, Scope("eval"))], {"test": []})
    groups = taught(task, tmp_path)
    assert len(groups) == 30, "a record without another of its label asks nothing"
    for group in groups:
        own = str(group.about["case"])
        assert own not in {candidate.key for candidate in group.candidates}
        assert {int(candidate.key[1:]) % 2 for candidate in group.candidates} == {int(own[1:]) % 2}
        assert len(group.candidates) == 8
    assert taught(task, tmp_path, 5) == taught(task, tmp_path, 10)[:5]


def test_a_task_without_anything_to_teach_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nothing to learn from"):
        taught(_task([Record("a", "passage", "x")], {"test": []}), tmp_path)
