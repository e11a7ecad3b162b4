"""How often flipped feedback is doubted, and how often honest feedback is: simulated people judging made-up turns.

    python benchmarks/doubts.py

Questions are asked as often as their rank says (1 / rank); of ten candidates two or three are right, and the ranking puts them first more
often than not. People look at a place with a chance that falls with its depth; half of the turns have clicks, three eighths thumbs for
hits, the rest one thumb for the whole turn; one outcome in twenty is a slip. In the poisoned newest part every outcome is flipped with
the chance that the row says: a thumb changes sign, a click goes to a shown hit that is wrong. Seeds 0 to N - 1 make N worlds.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from report import Report

from bowerbird.evals.trial import wilson
from bowerbird.learn.doubt import doubt
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.rewards.feedback import examined, heard, labels
from bowerbird.ledger import Event
from bowerbird.types import Scope

SLIP, SHOWN = 0.05, 5
ANN = Scope("acme", "ann")


def world(seed: int, turns: int, queries: int, newest: int, flipped: float) -> list[Group]:
    """The groups of `turns` judged turns; in the `newest` last ones outcomes are flipped with that chance."""
    draw = random.Random(f"{seed} {turns} {queries}")
    weights = [1 / rank for rank in range(1, queries + 1)]
    orders: dict[int, list[bool]] = {}
    groups = []
    for turn in range(turns):
        (query,) = draw.choices(range(queries), weights)
        if query not in orders:
            right = [place < draw.choice((2, 3)) for place in range(10)]
            orders[query] = [one for _, one in sorted((-1.2 * one + draw.gauss(0, 1), one) for one in right)]
        bad = flipped if turn >= turns - newest else 0.0
        groups.append(judged(turn, f"question {query}", orders[query], draw, bad))
    return groups


def judged(turn: int, query: str, right: Sequence[bool], draw: random.Random, flipped: float) -> Group:
    keys = [f"{query}/{place}" for place in range(len(right))]
    looked = [place for place in range(SHOWN) if draw.random() < examined(place)]  # the first place always

    def liked(place: int) -> bool:
        return right[place] ^ (draw.random() < SLIP) ^ (draw.random() < flipped)

    way, outcomes = draw.random(), []
    if way < 0.5:
        clicked = [place for place in looked if liked(place)] or [draw.choice(looked)]
        outcomes = [_said("click", 1.0, (keys[place],)) for place in clicked]
    elif way < 0.875:
        outcomes = [_said("user", 1.0 if liked(place) else -1.0, (keys[place],)) for place in draw.sample(looked, min(2, len(looked)))]
    else:
        good = any(right[place] for place in looked) ^ (draw.random() < SLIP) ^ (draw.random() < flipped)
        outcomes = [_said("user", 1.0 if good else -1.0, ())]
    values = labels(outcomes, keys[:SHOWN])
    candidates = [
        Candidate(key, key, label if abs(label := values.get(key, 0.0)) >= 0.05 else 0.0, shown=place if place < SHOWN else None)
        for place, key in enumerate(keys)
    ]
    named = any(event.body["keys"] for event in outcomes)
    about = {"turn": str(turn), "seq": turn + 1, "by": next(iter(heard(outcomes))), "named": named}
    return Group(query, "passage", "ledger", tuple(candidates), about=about)


def _said(source: str, value: float, keys: tuple[str, ...]) -> Event:
    return Event(1, "outcome", "t", ANN, 0.0, {"source": source, "protocol": "scalar", "value": value, "keys": list(keys), "note": ""})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    report = Report("Doubts", ["judged turns", "newest", "questions", "flipped", "doubted", "95 %"], given.out, ["numpy"])
    for turns, newest, queries in ((500, 100, 100), (500, 100, 400), (1000, 200, 100), (1000, 300, 100), (1000, 500, 100)):
        for flipped in (0.0, 0.1, 0.2):
            cut = turns - newest
            seen = sum(doubt(world(seed, turns, queries, newest, flipped), cut) is not None for seed in range(given.worlds))
            low, high = wilson(seen, given.worlds)
            report.add(turns, newest, queries, f"{flipped:.0%}", f"{seen} of {given.worlds}", f"{low:.1%} to {high:.1%}")
    report.close()


if __name__ == "__main__":
    main()
