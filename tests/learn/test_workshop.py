"""What a bower has to learn from: the ledger and kept groups together, each scope its own; and groups taught by tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
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


def said(label: float, turn: str = "", key: str = "a") -> Group:
    return Group("q", "tool", "ledger", (Candidate(key, "x", label), Candidate("z", "y")), about={"turn": turn} if turn else {})


@pytest.mark.parametrize(
    ("groups", "label"),
    [
        ([said(1.0, "t1"), said(-1.0, "t2"), said(-1.0, "t3")], -1 / 3),
        ([said(1.0, "t1"), said(0.0, "t2"), said(0.0)], 1.0),
        ([said(1.0, "t1"), said(-0.96, "t2")], 0.0),
        ([said(1.0, "t1"), said(1.0, "t1"), said(-1.0, "t2")], 0.0),
        ([said(0.02), said(0.0, "t1")], 0.02),
        ([said(0.1, "t1"), said(0.2, "t2"), said(0.3, "t3"), said(1.0, "t4", "b")], 0.2),
    ],
    ids=["a mean", "who says nothing has no voice", "disagreement", "a turn twice is one voice", "one voice stays", "by record"],
)
def test_every_turn_is_one_voice_in_any_order(groups: list[Group], label: float) -> None:
    found = {next(c.label for c in both.candidates if c.key == "a") for order in permutations(groups) for both in merged(order)}
    assert len(found) == 1, "to the last digit"
    assert found.pop() == pytest.approx(label)


def test_a_later_complaint_reaches_training_also_where_a_step_kept_praise(bird: Engine) -> None:
    bird.add([{"key": "vpn", "kind": "passage", "text": "The office network needs the VPN."}])
    shop = workshop(bird)

    def label(upto: int | None = None) -> float:
        (group,) = shop.groups(upto)[0]
        return next(candidate.label for candidate in group.candidates if candidate.key == "vpn")

    def say(value: float) -> int:
        return bird.feedback(bird.augment("office network", spec="bm25 >> budget"), value, keys="vpn")

    first = say(1)
    assert shop.keep("mined", [replace(g, candidates=(*g.candidates, Candidate("tea", "Tea"))) for g in shop.groups()[0]]) == 1
    assert label() == 1.0
    say(-0.5)
    assert label() == 0.25, "two turns, two voices: what the step kept is the first one's"
    assert label(first) == 1.0
    say(-1)
    shop.keep("scored", shop.groups()[0])
    assert label() == pytest.approx(-1 / 6)
    assert label(first) == 1.0, "what was kept later says nothing of what came later"
    assert [candidate.key for candidate in shop.groups()[0][0].candidates] == ["vpn", "tea"]


def test_what_a_step_kept_of_a_record_that_changed_since_is_left_out(bird: Engine) -> None:
    bird.add([{"key": key, "kind": "passage", "text": f"The office network, {key}."} for key in ("vpn", "lan")])
    turn = bird.augment("office network", spec="bm25 >> budget")
    bird.feedback(turn, 1, keys=("vpn", "lan"))
    shop = workshop(bird)
    shop.keep("mined", shop.groups()[0])
    bird.add([{"key": "vpn", "kind": "passage", "text": "The office network needs nothing any more."}])
    assert [[candidate.key for candidate in group.candidates] for group in shop.groups()[0]] == [["lan"]]
    bird.delete("lan")
    assert shop.groups()[0] == []


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
