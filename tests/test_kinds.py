"""The table of kinds: rendering, typed fields, and a kind that another package adds."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from bowerbird import kinds as module
from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.kinds import TABLE, Kind, checked, checked_fields, kind, kinds
from bowerbird.types import Record, Scope

SAMPLES = {
    "passage": Record("p", "passage", "Body", {"title": "Title"}),
    "memory": Record("m", "memory", "Likes tea", {"role": "user", "time": 0}),
    "example": Record("e", "example", "2+2", {"output": "4"}),
    "tool": Record("t", "tool", "Adds numbers", {"name": "add_numbers", "parameters": {"type": "object"}}),
    "user": Record("u", "user", "", {"profile": {"diet": "vegan"}, "history": ["a", "b"]}),
    "item": Record("i", "item", "A film", {"title": "Bower", "tags": ["birds"]}),
    "model": Record("o", "model", "Small", {"name": "mini", "price_in": 0.1, "capabilities": ["chat"]}),
}


def test_seven_kinds_and_each_renders() -> None:
    assert list(kinds()) == list(SAMPLES)
    shown = {name: kind(name).show(record) for name, record in SAMPLES.items()}
    assert shown["memory"] == "[1970-01-01 00:00] user: Likes tea"
    assert shown["example"] == "Input: 2+2\nOutput: 4"
    assert '"type":"object"' in shown["tool"]
    assert "diet: vegan" in shown["user"]
    assert "0.1 $/M tokens" in shown["model"]
    assert "add numbers" in kind("tool").encode(SAMPLES["tool"])
    for row in TABLE:
        assert row.query_instruction.endswith(": ")
        assert row.key_instruction.endswith(": ")
        assert row.encode(SAMPLES[row.name]).strip()


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'passage'"):
        kind("pasage")


def test_a_third_party_adds_a_kind_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Kind("place", "somewhere to go", "Q: ", "K: ")
    monkeypatch.setattr(module, "_test_place", row, raising=False)
    point = EntryPoint("place", "bowerbird.kinds:_test_place", "bowerbird.kinds")
    monkeypatch.setattr(module, "entry_points", lambda group: [point])
    kinds.cache_clear()
    try:
        assert kind("place") is row
    finally:
        kinds.cache_clear()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"titel": "x"}, "Did you mean 'title'"),
        ({"page": "one"}, "takes int"),
        ({"x": float("nan")}, "plain JSON"),
        ({"x": object()}, "plain JSON"),
        ({"": 1}, "non-empty"),
    ],
)
def test_fields_are_checked(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        checked_fields(kind("passage"), fields)


def test_free_fields_and_times_are_kept() -> None:
    assert checked_fields(kind("memory"), {"mood": "good", "time": "1970-01-02", "gone": None}) == {"mood": "good", "time": 86400.0}


@pytest.mark.parametrize(
    "record",
    [
        Record("", "passage", "x"),
        Record("a\nb", "passage", "x"),
        Record("k" * 1001, "passage", "x"),
        Record("k", "passage", ""),
        Record("k", "passage", "\ud800"),
        Record("k", "passage", 7),  # type: ignore[arg-type]
        Record("k", "passage", "x", trust="root"),  # type: ignore[arg-type]
        Record("k", "passage", "x", valid_from=5.0, valid_to=5.0),
        Record("k", "passage", "x", supersedes="abc"),  # type: ignore[arg-type]
    ],
)
def test_a_record_that_cannot_be_kept_is_refused(record: Record) -> None:
    with pytest.raises(InvalidInput):
        checked(record, Scope("acme"))


def test_checked_sets_the_scope() -> None:
    assert checked(SAMPLES["passage"], Scope("acme", "ann")).scope == Scope("acme", "ann")
