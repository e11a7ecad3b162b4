"""Scopes, times, records: what a value means before any store sees it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput, ScopeMissing
from bowerbird.types import Record, Scope, as_messages, when

PART = st.text(st.characters(blacklist_characters="/", blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20)


@given(PART, st.none() | PART, st.none() | PART)
def test_a_scope_prints_and_parses_back(tenant: str, user: str | None, session: str | None) -> None:
    scope = Scope(tenant, user, session if user else None)
    assert Scope.parse(str(scope)) == scope


@given(PART, PART, PART)
def test_a_scope_sees_itself_and_what_contains_it_only(tenant: str, user: str, session: str) -> None:
    narrow, middle, wide = Scope(tenant, user, session), Scope(tenant, user), Scope(tenant)
    assert all(narrow.sees(owner) for owner in (narrow, middle, wide))
    assert not wide.sees(middle)
    assert not middle.sees(narrow)
    assert not Scope(tenant, user + "x").sees(middle)
    assert not Scope(tenant + "x", user).sees(middle)


@pytest.mark.parametrize("value", [None, ""])
def test_no_scope_fails_closed(value: str | None) -> None:
    with pytest.raises(ScopeMissing, match="no data"):
        Scope.parse(value)


@pytest.mark.parametrize("value", ["a/b/c/d", "/a", "a//b", "a/\n", "x" * 201, 7])
def test_a_scope_that_is_none_is_refused(value: object) -> None:
    with pytest.raises((InvalidInput, ScopeMissing)):
        Scope.parse(value)  # type: ignore[arg-type]


def test_times_in_every_form_mean_the_same_moment() -> None:
    moment = datetime(2026, 5, 1, 12, tzinfo=UTC)
    forms = (moment, moment.timestamp(), "2026-05-01T12:00:00Z", "2026-05-01T14:00:00+02:00", datetime(2026, 5, 1, 12))
    assert {when(form) for form in forms} == {moment.timestamp()}


@pytest.mark.parametrize("value", ["tomorrow", float("nan"), float("inf"), True, object(), None])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        when(value)  # type: ignore[arg-type]


@given(st.text(min_size=1, max_size=50), st.text(min_size=1, max_size=50))
def test_a_record_number_is_of_scope_and_key(one: str, two: str) -> None:
    first, second = Record(one, "passage", "x"), Record(two, "passage", "y")
    assert (first.id == second.id) == (one == two)
    assert 0 < first.id < 2**63
    assert first.id != Record(one, "passage", "x", scope=Scope("other")).id


def test_the_hash_is_of_content_alone() -> None:
    record = Record("k", "passage", "text", {"a": 1, "b": [1, 2]})
    assert record.hash == Record("k", "passage", "text", {"b": [1, 2], "a": 1}, version=3, created=7.0).hash
    assert len({record.hash, Record("k", "passage", "text", {"a": 2}).hash, Record("k", "tool", "text").hash}) == 3


@pytest.mark.parametrize("items", [[{"role": "user"}], ["hi"], [{"role": "user", "content": None}]])
def test_what_is_no_message_is_refused(items: list[object]) -> None:
    with pytest.raises(InvalidInput, match="role"):
        as_messages(items)  # type: ignore[arg-type]
