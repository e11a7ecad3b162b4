"""Training groups: written and read back, split by query, refused where they cannot be trained from."""

from __future__ import annotations

from pathlib import Path

import pytest

from bowerbird.errors import InvalidInput
from bowerbird.learn.groups import Candidate, Group, part, query_hash, read, write


def _group(query: str = "Where does Ada live?") -> Group:
    candidates = (
        Candidate("home", "Ada lives in Basel.", 1.0, -0.5, 0.7, 0, {"bm25": 2.5}),
        Candidate("work", "Ada works in Bern.", 0.0, -3.0, 0.3),
        Candidate("öl", "Ölstand prüfen 🛢"),
    )
    return Group(query, "memory", "ledger", candidates, ("Basel",), -4.0, "acme/ada", 2.0, {"model": "m"})


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    groups = [_group(), Group("b", "tool", "metatool", (Candidate("t", "a tool"),))]
    assert write(tmp_path / "deep" / "groups.jsonl", groups) == 2
    assert list(read(tmp_path / "deep" / "groups.jsonl")) == groups
    assert not list(tmp_path.rglob("*.part"))


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "groups.jsonl"
    write(path, [_group()])
    path.write_text(path.read_text("utf-8") + '{"query": "x"}\n', "utf-8")
    with pytest.raises(InvalidInput, match="line 2"):
        list(read(path))


def test_impossible_groups_are_refused() -> None:
    with pytest.raises(InvalidInput, match="twice"):
        Group("q", "tool", "s", (Candidate("a", "x"), Candidate("a", "y")))
    with pytest.raises(InvalidInput, match=r"'a'.*raw is nan"):
        Group("q", "tool", "s", (Candidate("a", "x", raw=float("nan")),))


def test_a_query_is_on_one_side_whatever_its_case_and_spacing() -> None:
    assert query_hash("Where  does Ada live?") == query_hash("where does ada live? ")
    queries = [f"question {i}" for i in range(2000)]
    sides = [part(query) for query in queries]
    assert sides == [part(query.upper()) for query in queries]
    shares = {name: sides.count(name) / len(sides) for name in ("train", "dev", "test")}
    assert shares == pytest.approx({"train": 0.7, "dev": 0.1, "test": 0.2}, abs=0.03)
    assert sides != [part(query, seed=1) for query in queries]


def test_positives_and_rewards() -> None:
    group = _group()
    assert [candidate.key for candidate in group.positives] == ["home"]
    assert not group.rewarded  # one candidate has none
    flat = Group("q", "tool", "s", (Candidate("a", "x", reward=1.0), Candidate("b", "y", reward=1.0)))
    assert not flat.rewarded
