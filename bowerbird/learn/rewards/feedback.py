"""What people (or clicks, or a metric) said of a turn's hits, as one number for each hit. It calls no model.

Values end in [-1, 1]: 1 helps, -1 does harm, 0 unknown. What was not shown was not judged: it gets no number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bowerbird.ledger.ledger import Event

__all__ = ["examined", "heard", "labels"]

_RANK = ("user", "click", "metric", "llm", "simulated")  # whose word counts: a later source is heard only where no earlier one spoke
_PRIOR = 1.0  # pairs that are taken to have gone each way before any was seen: a single slip of a click decides nothing
_LEAST_CHANCE = 0.2  # of being looked at: an inverse weight never exceeds 5


def examined(place: int) -> float:
    """Chance that what is shown at `place` (0 = first) is looked at: 1 / log2(place + 2), at least 0.2 (position-based model; the
    weights of Joachims, Swaminathan and Schnabel, arXiv 1608.04468, section 4, with nDCG's discount for a curve)."""
    return max(_LEAST_CHANCE, 1.0 / math.log2(place + 2))


def labels(outcomes: Sequence[Event], shown: Sequence[str]) -> dict[str, float]:
    """Key of a hit -> value in [-1, 1], from the outcomes of one turn; `shown`: keys in the order of the context.

    A thumb or a number for named hits is their mean, cut to [-1, 1]; the same outcome given twice counts once. For the turn as a whole it
    is shared by what was shown, as far as that was looked at (`examined`), and counts only for hits nobody named. A click is
    positive and weighted by the inverse of `examined`; what was shown above the lowest click and passed over is weakly negative.
    Pairs are counted with a prior of one pair each way, so one slip decides nothing. Sentences carry no number.
    """
    found: dict[str, float] = {}
    for source, events in heard(outcomes).items():
        read = _clicked(events, shown) if source == "click" else _judged(events, shown)
        found = {**read, **found}
    return found


def heard(outcomes: Sequence[Event]) -> dict[str, list[Event]]:
    """Outcomes that carry a value, by source, the one whose word counts first; the same outcome given twice is there once."""
    by_source: dict[str, list[Event]] = {}
    once: set[tuple[object, ...]] = set()
    for event in outcomes:
        body = event.body
        said = (body["source"], body["protocol"], str(body["value"]), tuple(body["keys"]))
        if body["protocol"] in ("scalar", "pairwise") and said not in once:
            once.add(said)
            by_source.setdefault(body["source"], []).append(event)
    return {source: by_source[source] for source in _RANK if source in by_source}


def _judged(events: Sequence[Event], shown: Sequence[str]) -> dict[str, float]:
    named: dict[str, list[float]] = {}
    whole: list[float] = []
    won: dict[str, float] = {}
    lost: dict[str, float] = {}
    for event in events:
        value, keys = event.body["value"], event.body["keys"]
        if event.body["protocol"] == "pairwise":
            won[value[0]] = won.get(value[0], 0.0) + 1.0
            lost[value[1]] = lost.get(value[1], 0.0) + 1.0
        elif keys:
            for key in keys:
                named.setdefault(key, []).append(_cut(value))
        else:
            whole.append(_cut(value))
    found: dict[str, float] = {}
    if whole:
        mean = math.fsum(whole) / len(whole)
        found = {key: mean * examined(place) / len(shown) for place, key in enumerate(shown)}
    for key in won.keys() | lost.keys():
        found[key] = (won.get(key, 0.0) - lost.get(key, 0.0)) / (won.get(key, 0.0) + lost.get(key, 0.0) + 2 * _PRIOR)
    found.update({key: math.fsum(values) / len(values) for key, values in named.items()})
    return found


def _clicked(events: Sequence[Event], shown: Sequence[str]) -> dict[str, float]:
    places = {key: place for place, key in enumerate(shown)}
    clicked = {key for event in events if event.body["protocol"] == "scalar" and event.body["value"] > 0 for key in event.body["keys"]}
    if not clicked:
        return {}
    found = {key: min(1.0, 0.2 / examined(places[key])) if key in places else 0.2 for key in clicked}
    lowest = max((places[key] for key in clicked if key in places), default=-1)
    passed = {key: -0.1 * examined(place) for key, place in places.items() if place < lowest and key not in clicked}
    return _scaled({**passed, **found})


def _scaled(values: Mapping[str, float]) -> dict[str, float]:
    """So that the strongest is 1: what a click is worth beside another click matters, not beside a thumb."""
    most = max(abs(value) for value in values.values())
    return {key: value / most for key, value in values.items()}


def _cut(value: float) -> float:
    return max(-1.0, min(1.0, float(value)))
