"""The ledger: what was served and what became of it, in its own scope, unaltered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from bowerbird.database.database import Database
from bowerbird.database.schema import events
from bowerbird.errors import InvalidInput, NotFound, UnknownName
from bowerbird.ledger import Ledger
from bowerbird.types import Hit, Outcome, Record, Scope, Step, Turn

ANN, BOB = Scope("acme", "ann"), Scope("acme", "bob")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "c.db")
    yield made
    made.close()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    made = Ledger(database)
    hits = tuple(Hit(n, 1.0 / n, {"bm25": 2.0, "rrf": 1.0 / n}, Record(f"k{n}", "passage", "text", version=n, scope=ANN)) for n in (1, 2))
    made.served(Turn("a question", ANN, id="t1", hits=hits, trace=(Step("bm25", "retrieve", 0.1, {"hits": 2}),)), "bm25")
    return made


def outcome(**given: object) -> Outcome:
    return Outcome(**{"turn": "t1", "source": "user", "protocol": "scalar", "value": 1.0, **given})  # type: ignore[arg-type]


def test_a_served_turn_keeps_its_candidates_with_every_score(ledger: Ledger) -> None:
    event = ledger.turn("t1", ANN)
    assert event is not None
    assert event.body["spec"] == "bm25"
    assert event.body["hits"][1] == {"id": 2, "key": "k2", "version": 2, "kind": "passage", "scores": {"bm25": 2.0, "rrf": 0.5}}
    assert event.body["steps"] == [{"stage": "bm25", "seconds": 0.1, "info": {"hits": 2}}]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"value": -1.0, "keys": ("k1",)},
        {"protocol": "verbal", "value": "too old"},
        {"protocol": "pairwise", "value": ("k2", "k1"), "source": "click"},
        {"protocol": "likelihood", "value": -2.5, "source": "llm", "model": "m", "template": "qa-1"},
    ],
)
def test_outcomes_are_kept_as_given(ledger: Ledger, given: dict[str, object]) -> None:
    made = outcome(**given)
    position = ledger.outcome(made, ANN)
    (event,) = ledger.events(ANN, type="outcome")
    assert event.seq == position
    value = list(made.value) if isinstance(made.value, tuple) else made.value
    assert (event.turn, event.body["value"], tuple(event.body["keys"]), event.body["source"]) == ("t1", value, made.keys, made.source)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"turn": "t2"}, NotFound),
        ({"keys": ("k9",)}, UnknownName),
        ({"value": float("nan")}, InvalidInput),
        ({"value": float("inf")}, InvalidInput),
        ({"value": "good"}, InvalidInput),
        ({"value": True}, InvalidInput),
        ({"protocol": "verbal", "value": " "}, InvalidInput),
        ({"protocol": "pairwise", "value": ("k1", "k1")}, InvalidInput),
        ({"protocol": "pairwise", "value": ("k1", "k9")}, UnknownName),
        ({"source": "crowd"}, UnknownName),
        ({"protocol": "stars"}, UnknownName),
    ],
)
def test_impossible_outcomes_are_refused(ledger: Ledger, given: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        ledger.outcome(outcome(**given), ANN)
    assert list(ledger.events(ANN, type="outcome")) == []


@pytest.mark.parametrize("reader", [BOB, Scope("acme"), Scope("acme", "ann", "s1"), Scope("other", "ann")])
def test_another_scope_sees_no_event(ledger: Ledger, reader: Scope) -> None:
    assert list(ledger.events(reader)) == []
    assert ledger.count(reader) == {}
    assert ledger.turn("t1", reader) is None
    with pytest.raises(NotFound):
        ledger.outcome(outcome(), reader)


def test_an_altered_event_is_found(ledger: Ledger, database: Database) -> None:
    ledger.outcome(outcome(), ANN)
    assert ledger.verify() == []
    with database.writing() as connection:
        connection.execute(update(events).where(events.c.type == "outcome").values(body='{"value":9}'))
    assert ledger.verify() == [2]


def test_events_are_read_a_page_at_a_time(ledger: Ledger) -> None:
    for _ in range(5):
        ledger.outcome(outcome(), ANN)
    first = list(ledger.events(ANN, limit=4))
    rest = list(ledger.events(ANN, after=first[-1].seq))
    assert [e.seq for e in (*first, *rest)] == [1, 2, 3, 4, 5, 6]
    assert ledger.count(ANN) == {"served": 1, "outcome": 5}


def test_what_one_scope_asks_for_reads_no_other_scopes_events(ledger: Ledger, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, Any]] = []
    look = database.look

    def looked(sql: str, given: Any = ()) -> Any:
        ran.append((sql, given))
        return look(sql, given)

    @event.listens_for(database._reader, "before_cursor_execute")
    def noted(_connection: Any, _cursor: Any, sql: str, given: Any, *_: Any) -> None:
        ran.append((sql, given))

    def plan(call: Callable[[], object]) -> str:
        ran.clear()
        call()
        ((sql, given),) = ran
        return " ".join(row[3] for row in look(f"EXPLAIN QUERY PLAN {sql}", given))

    monkeypatch.setattr(database, "look", looked)
    scope, turn = "INDEX events_scope (tenant=? AND user=? AND session=?", "INDEX events_turn (turn=? AND type=?"
    assert f"{scope} AND seq>?)" in plan(lambda: list(ledger.events(ANN, after=1)))
    assert f"{scope} AND seq>?)" in plan(lambda: list(ledger.events(ANN, type="outcome", after=1)))
    assert f"COVERING {scope} AND seq>?)" in plan(lambda: ledger.since(1, ANN))
    assert f"{scope})" in plan(lambda: ledger.last(ANN))
    assert f"COVERING {scope})" in plan(lambda: ledger.count(ANN))
    assert turn in plan(lambda: ledger.turn("t1", ANN))
    assert turn in plan(lambda: ledger.turns(["t1", "t2"], ANN))
