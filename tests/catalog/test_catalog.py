"""The catalog: upsert, supersede, delete, history and sources, against a model kept in a dict."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.catalog import Catalog, Settled
from bowerbird.database.database import Database
from bowerbird.types import Record, Scope, replace

ANN, BOB, ACME = Scope("acme", "ann"), Scope("acme", "bob"), Scope("acme")


def memory(key: str, text: str, scope: Scope = ANN, supersedes: tuple[str, ...] = (), source: str | None = None) -> Record:
    return Record(key, "memory", text, scope=scope, supersedes=supersedes, source=source)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    database = Database(tmp_path / "catalog.db")
    yield Catalog(database)
    database.close()


def test_adding_again_makes_versions_and_the_same_content_none(catalog: Catalog) -> None:
    assert [c.status for c in catalog.add([memory("home", "Paris")])] == ["added"]
    assert [c.status for c in catalog.add([memory("home", "Paris")])] == ["unchanged"]
    assert [(c.status, c.version) for c in catalog.add([memory("home", "Rome")])] == [("updated", 2)]
    assert [(v.record.version, v.record.text, v.why) for v in catalog.history("home", ANN)] == [
        (1, "Paris", "updated"),
        (2, "Rome", "current"),
    ]


def test_the_same_key_twice_in_a_batch_is_two_versions(catalog: Catalog) -> None:
    done = catalog.add([memory("home", "Paris"), memory("home", "Rome"), memory("home", "Rome")])
    assert [(c.status, c.version) for c in done] == [("added", 1), ("updated", 2), ("unchanged", 2)]
    assert len(catalog.history("home", ANN)) == 2


def test_a_correction_hides_what_it_supersedes_and_never_deletes_it(catalog: Catalog) -> None:
    catalog.add([memory("a", "Lives in Paris")], now=100.0)
    catalog.add([memory("b", "Moved to Rome", supersedes=("a",))], now=200.0)
    assert [r.key for r in catalog.list(ANN, at=300.0)] == ["b"]
    assert [r.key for r in catalog.list(ANN)] == ["a", "b"]
    old = catalog.get("a", ANN)
    assert old is not None
    assert (old.superseded, old.superseded_by, old.text) == (200.0, "b", "Lives in Paris")
    a, b = old.id, memory("b", "").id
    assert set(catalog.records([a, b], ANN, 150.0)) == {a}
    assert set(catalog.records([a, b], ANN, 300.0)) == {b}
    assert set(catalog.records([a, b], ANN, None)) == {a, b}


def test_deleting_the_correction_does_not_bring_the_old_fact_back(catalog: Catalog) -> None:
    catalog.add([memory("a", "Paris")])
    catalog.add([memory("b", "Rome", supersedes=("a",))])
    assert catalog.delete(["b"], ANN) == ["b"]
    assert catalog.list(ANN, at=1e10) == []


def test_adding_a_superseded_fact_by_hand_says_that_it_holds_again(catalog: Catalog) -> None:
    catalog.add([memory("a", "Paris")])
    catalog.add([memory("b", "Rome", supersedes=("a",))])
    assert catalog.add([memory("a", "Paris")])[0].status == "updated"
    assert [r.key for r in catalog.list(ANN, at=1e10)] == ["a", "b"]


def test_a_source_that_repeats_a_superseded_fact_does_not_revive_it(catalog: Catalog) -> None:
    catalog.add([memory("a", "Paris", source="s")], ["u"])
    catalog.add([memory("b", "Rome", supersedes=("a",))])
    assert catalog.add([memory("a", "Paris", source="s")], ["u"])[0].status == "unchanged"
    assert [r.key for r in catalog.list(ANN, at=1e10)] == ["b"]


def test_what_cannot_be_superseded_fails_alone(catalog: Catalog) -> None:
    done = catalog.add([memory("a", "x", supersedes=("nowhere",)), memory("b", "y", supersedes=("b",)), memory("c", "z")])
    assert [c.status for c in done] == ["failed", "failed", "added"]
    assert "nowhere" in done[0].why


def test_a_key_keeps_its_kind(catalog: Catalog) -> None:
    catalog.add([memory("a", "x")])
    (done,) = catalog.add([Record("a", "tool", "y", scope=ANN)])
    assert done.status == "failed"
    assert "kept as 'memory'" in done.why
    assert catalog.get("a", ANN) == catalog.list(ANN)[0]


def test_a_user_is_merged_and_a_passage_replaced(catalog: Catalog) -> None:
    for name in ("user", "passage"):
        catalog.add([Record(name, name, "text", {"a": 1, "b": 1}, scope=ANN)])
        catalog.add([Record(name, name, "text", {"b": 2}, scope=ANN)])
    user, passage = catalog.get("user", ANN), catalog.get("passage", ANN)
    assert user is not None
    assert passage is not None
    assert (dict(user.fields), dict(passage.fields)) == ({"a": 1, "b": 2}, {"b": 2})


@pytest.mark.parametrize(("writer", "reader"), [(ANN, BOB), (ANN, ACME), (Scope("acme", "ann", "s1"), ANN), (ANN, Scope("other", "ann"))])
def test_what_one_scope_writes_another_does_not_see(catalog: Catalog, writer: Scope, reader: Scope) -> None:
    catalog.add([memory("secret", "canary", writer, source="src")], ["u"])
    catalog.settle(writer, "src", [Settled("u", "stamp", {memory("secret", "", writer).id})])
    id = memory("secret", "", writer).id
    assert catalog.get("secret", reader) is None
    assert catalog.list(reader) == []
    assert catalog.records([id], reader, None) == {}
    assert catalog.ids(["secret"], reader) == [None]
    assert catalog.count(reader) == {}
    assert catalog.history("secret", reader) == []
    assert catalog.units(reader, "src") == {}
    assert catalog.delete(["secret"], reader) == []
    assert catalog.forget(reader, "src", ["u"]) == 0
    assert catalog.get("secret", writer) is not None


def test_a_narrow_scope_reads_the_wide_ones_and_prefers_its_own(catalog: Catalog) -> None:
    catalog.add([memory("rule", "for all", ACME), memory("rule", "for Ann", ANN), memory("shared", "yes", ACME)])
    assert [catalog.get("rule", ANN).text, catalog.get("rule", BOB).text] == ["for Ann", "for all"]  # type: ignore[union-attr]
    assert catalog.delete(["shared"], ANN) == []


def test_purge_erases_the_history_too(catalog: Catalog) -> None:
    catalog.add([memory("a", "one")])
    catalog.add([memory("a", "two")])
    assert catalog.delete(["a", "b"], ANN) == ["a"]
    assert [v.why for v in catalog.history("a", ANN)] == ["updated", "deleted"]
    assert catalog.delete(["a"], ANN, purge=True) == ["a"]
    assert catalog.history("a", ANN) == []


def test_versions_go_on_after_a_deletion(catalog: Catalog) -> None:
    catalog.add([memory("a", "one")])
    catalog.delete(["a"], ANN)
    assert catalog.add([memory("a", "two")])[0].version == 2


def test_a_unit_that_no_longer_produces_a_record_removes_it(catalog: Catalog) -> None:
    batch = [memory(key, key, source="s") for key in "abc"]
    catalog.add(batch, ["u", "u", "v"])
    assert catalog.settle(ANN, "s", [Settled("u", "1", {batch[0].id}), Settled("v", "1", {batch[2].id})]) == 1
    assert [r.key for r in catalog.list(ANN)] == ["a", "c"]
    assert catalog.units(ANN, "s") == {"u": "1", "v": "1"}
    assert catalog.settle(ANN, "s", [Settled("u", "", set(), keep=True)]) == 0
    assert catalog.forget(ANN, "s", ["u"]) == 1
    assert catalog.units(ANN, "s") == {"v": "1"}


def test_changes_are_listed_until_pruned_and_numbers_only_grow(catalog: Catalog) -> None:
    assert catalog.newest_change() == 0
    catalog.add([memory("a", "x"), memory("b", "y")])
    catalog.delete(["a"], ANN)
    listed = catalog.changed(0, 10)
    assert [id for _, id in listed] == [memory("a", "").id, memory("b", "").id, memory("a", "").id]
    catalog.prune(listed[-1][0])
    newest = catalog.newest_change()
    assert newest == listed[-1][0]
    catalog.add([memory("c", "z")])
    assert catalog.newest_change() > newest
    assert catalog.pruned() == newest - 1


OPS = st.lists(
    st.tuples(st.sampled_from(["add", "delete", "supersede"]), st.sampled_from("abcd"), st.sampled_from("xy"), st.sampled_from("abcd")),
    max_size=25,
)


@settings(max_examples=30, deadline=None)
@given(OPS)
def test_it_agrees_with_a_plain_model(ops: list[tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "c.db")
        catalog = Catalog(database)
        text: dict[str, str] = {}
        hidden: set[str] = set()
        content: dict[str, tuple[str, tuple[str, ...]]] = {}
        for number, (op, key, value, other) in enumerate(ops):
            now = float(number + 1)
            if op == "delete":
                assert catalog.delete([key], ANN, now=now) == ([key] if key in text else [])
                text.pop(key, None)
                content.pop(key, None)
                hidden.discard(key)
                continue
            supersedes = (other,) if op == "supersede" else ()
            (done,) = catalog.add([memory(key, value, supersedes=supersedes)], now=now)
            if supersedes and (other == key or other not in text):
                # An unchanged record is not placed anew, so what it supersedes is not looked at again.
                same = content.get(key) == (value, supersedes) and key not in hidden and other != key
                assert done.status == ("unchanged" if same else "failed")
                continue
            same = content.get(key) == (value, supersedes) and key not in hidden
            assert done.status == ("unchanged" if same else "updated" if key in text else "added")
            if same:
                continue
            text[key], content[key] = value, (value, supersedes)
            hidden.discard(key)
            hidden.update(supersedes)
        assert {r.key: r.text for r in catalog.list(ANN)} == text
        assert {r.key for r in catalog.list(ANN, at=1e9)} == set(text) - hidden
        assert {r.key for r in catalog.current([memory(k, "").id for k in "abcd"]).values()} == set(text)
        database.close()


def test_a_number_shared_by_two_keys_is_refused(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bowerbird.types.record_id", lambda scope, key: 7)
    assert [c.status for c in catalog.add([memory("a", "x"), memory("b", "y")])] == ["added", "failed"]


def test_odd_text_comes_back_as_it_was(catalog: Catalog) -> None:
    text = "nul \x00, rtl \u202eabc\u202c, emoji 👩‍👩‍👧, quotes '\";--, long " + "x" * 100_000
    catalog.add([memory("odd", text)])
    assert catalog.get("odd", ANN) == replace(memory("odd", text), version=1, created=catalog.get("odd", ANN).created)  # type: ignore[union-attr]
