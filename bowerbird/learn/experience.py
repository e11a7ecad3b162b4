"""The ledger as training groups: what was served, with what became of it, up to a position. It calls no model and changes nothing.

Texts come from the catalog as they stand; a record that is gone, hidden from this scope or of another version than the one that was
served leaves its group, and is counted. What was shown, and where, is kept, so that a trainer can weigh position and selection.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bowerbird.kinds import kind
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.rewards.feedback import heard, labels
from bowerbird.learn.rewards.measured import Values, dollars, filled, measured, without
from bowerbird.ledger import Event, Ledger
from bowerbird.ports import Library
from bowerbird.types import CORRECTION, Record, Scope

__all__ = ["Experience", "agreed", "experience"]

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Experience:
    """Training groups up to ledger position `upto`: `turns` were served, `judged` of them have outcomes, `gone` candidates left out."""

    groups: tuple[Group, ...]
    upto: int
    turns: int
    judged: int
    gone: int


def experience(ledger: Ledger, library: Library, scope: Scope, upto: int | None = None) -> Experience:
    """Groups of exactly this scope's events, one for each turn with outcomes and each kind of its hits, source `ledger`.

    Raw rewards are what a metric or a model measured (`rewards/measured.py`), and of models also what people said of them; `nothing`
    is that of turns with the same query which retrieved nothing. `answers`: what a correction says, or the answer that was given
    where the turn as a whole was liked. A hit whose value is between -0.05 and 0.05 has label 0: people disagree about it.
    `about`: turn, spec, moment, the position of the newest outcome (`seq`), who was heard (`by`) and whether hits were named (`named`);
    of what was measured its scale (`reward`), of models what each would have cost (`costs`).
    """
    served: dict[str, Event] = {}
    outcomes: dict[str, list[Event]] = {}
    last = 0
    for event in _until(ledger, scope, upto):
        last = event.seq
        if event.type == "served" and event.turn:
            served[event.turn] = event
        elif event.type == "outcome" and event.turn in served:
            outcomes.setdefault(event.turn, []).append(event)
    groups: list[Group] = []
    gone = 0
    alone = without((served[turn], said) for turn, said in outcomes.items())
    for turn, said in outcomes.items():
        found, missing = _groups(served[turn], said, library, scope, alone)
        groups += found
        gone += missing
    return Experience(tuple(groups), upto if upto is not None else last, len(served), len(outcomes), gone)


def agreed(label: float) -> float:
    """The label, or 0 between -0.05 and 0.05: people disagree about it."""
    return label if abs(label) >= 0.05 else 0.0


def _until(ledger: Ledger, scope: Scope, upto: int | None) -> Iterator[Event]:
    after = 0
    while page := list(ledger.events(scope, after=after, limit=_PAGE)):
        for event in page:
            if upto is not None and event.seq > upto:
                return
            yield event
        after = page[-1].seq


def _groups(served: Event, outcomes: Sequence[Event], library: Library, scope: Scope, alone: Values) -> tuple[list[Group], int]:
    body = served.body
    shown = [block["key"] for block in body["shown"] if block["key"]]
    places = {key: place for place, key in enumerate(shown)}
    values = labels(outcomes, shown)
    hits = [hit for hit in body["hits"] if hit["key"]]
    records = library.records([hit["id"] for hit in hits], scope, None)
    gone = 0
    by_kind: dict[str, list[Candidate]] = {}
    for hit in hits:
        record: Record | None = records.get(hit["id"])
        if record is None or record.version != hit["version"]:
            gone += 1
            continue
        value = values.get(hit["key"], 0.0)
        by_kind.setdefault(record.kind, []).append(
            Candidate(
                hit["key"],
                kind(record.kind).encode(record),
                label=agreed(value),
                shown=places.get(hit["key"]),
                scores=hit["scores"],
            )
        )
    answers = _answers(body, outcomes)
    about = {"turn": served.turn, "spec": body["spec"], "at": served.at, "seq": outcomes[-1].seq, **_voice(outcomes)}
    groups = [Group(body["query"], name, "ledger", tuple(c), answers, scope=str(scope), about=about) for name, c in by_kind.items()]
    raws = measured(outcomes, {hit["key"]: hit["kind"] for hit in hits}, shown)
    return [_priced(filled(group, raws, alone), body, records.values()) for group in groups], gone


def _priced(group: Group, served: Mapping[str, Any], records: Iterable[Record]) -> Group:
    """A group of models with what they would have cost, in dollars (`about["costs"]`), as far as their records say."""
    costs = dollars(served, {one.key: one.fields for one in records if one.kind == "model"}) if group.kind == "model" else {}
    return replace(group, about={**group.about, "costs": costs}) if costs else group


def _voice(outcomes: Sequence[Event]) -> dict[str, object]:
    """Whose word counts, and whether it names hits or speaks of the turn as a whole; nothing where nobody gave a value."""
    by, events = next(iter(heard(outcomes).items()), ("", ()))
    return {"by": by, "named": any(e.body["keys"] or e.body["protocol"] == "pairwise" for e in events)} if by else {}


def _answers(body: Mapping[str, object], outcomes: Sequence[Event]) -> tuple[str, ...]:
    right = [str(e.body["value"]) for e in outcomes if e.body["protocol"] == "verbal" and e.body["note"] == CORRECTION]
    if right:
        return (right[-1],)  # the last word
    whole = [float(e.body["value"]) for e in outcomes if e.body["protocol"] == "scalar" and not e.body["keys"]]
    answer = body["answer"]
    return (str(answer),) if answer and whole and math.fsum(whole) > 0 else ()
