"""Is the newest feedback to be believed? It is set against what earlier outcomes said, before anything is published from it.

Two signals. *Earlier outcomes*: whether a value has the sign of what the other outcomes before the cut say of the same query and record,
weighted by its size and by how sure those are. *Serving order*: of two hits that were shown, of which one was liked and the other not,
or one disliked and the other not, whether the pipeline had put the better one first; a turn that was judged only as a whole says
nothing of the order. It knows no trainer, and decides nothing alone: `publish.made` takes a doubt as a reason.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bowerbird.components.shelf import Shelf
from bowerbird.learn.groups import Group
from bowerbird.types import Scope

__all__ = ["LEVEL", "Contradiction", "Doubt", "believed", "contradictions", "doubt"]

LEVEL = 0.01
"""The chance of a needless doubt that is taken, both signals together."""
_NEWEST = 0.2  # of the judged turns, where nothing was published yet
_PRIOR = 1.0  # one outcome's worth: what was said once is half sure
_DRAWS = 2_000
_CELLS = 4_000_000  # numbers held at once

_Floats = NDArray[np.float64]
_Pair = tuple[str, str]  # a query's id and a record's key


@dataclass(frozen=True, slots=True)
class Doubt:
    """The newest outcomes agree too rarely. `signal`: with what; `first` to `last`: their ledger positions; `p`: the chance of so few
    if they were like the earlier ones, corrected for both signals."""

    signal: str
    first: int
    last: int
    turns: int
    agrees: float
    turns_before: int
    agreed: float
    p: float

    @property
    def sentence(self) -> str:
        """What was seen, and what to do."""
        chance = "< 0.001" if self.p < 0.001 else f"= {self.p:.3f}"
        return (
            f"Not published: the newest outcomes are in doubt. Those of {self.turns:,} turns, from ledger position {self.first} to "
            f"{self.last}, agree with {self.signal} in {self.agrees:.1%}; the {self.turns_before:,} turns before did in "
            f"{self.agreed:.1%} (p {chance}). To learn without them: bowerbird learn auto --upto {self.first - 1}. "
            f"If you have looked at them and they are right: bowerbird learn auto --believe {self.last}"
        )


@dataclass(frozen=True, slots=True)
class _Turn:
    """A judged turn: its id and position, who judged it how, how much of it agrees, and of how much."""

    id: str
    seq: int
    way: tuple[object, ...]
    agrees: float
    of: float


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A record that outcomes of the same query disagree about: `against` of `turns` say the rarer of the two."""

    query: str
    key: str
    against: int
    turns: int


def believed(shelf: Shelf, scope: Scope) -> int:
    """The newest ledger position that a component which serves exactly `scope` was made from; 0 where none serves."""
    serving = [artifact for artifact in shelf.list() if artifact.scope == scope and artifact.published is not None]
    return max((int(artifact.card.get("ledger_upto") or 0) for artifact in serving), default=0)


def doubt(groups: Sequence[Group], since: int = 0) -> Doubt | None:
    """A doubt about the outcomes after ledger position `since` (0 = those of the newest fifth of the turns); None where there is none.

    `groups`: of the ledger, one for each turn and kind, as `experience` gives them. Turns are dealt anew between newest and earlier,
    among those that the same source judged in the same way, 2,000 times: p is how often the newest then agree as rarely, times two for
    the two signals; below `LEVEL` it is a doubt. That is a one-sided randomisation test of two shares; whole turns are dealt, because
    the outcomes of one turn are not independent. Cost: about 0.2 s for 1,000 turns.
    """
    judged = sorted((group for group in groups if "seq" in group.about), key=lambda group: group.about["seq"])
    if not judged:
        return None
    cut = since or int(judged[math.ceil(len(judged) * (1 - _NEWEST)) - 1].about["seq"])
    signals = {"earlier outcomes": _repeated(judged, cut), "the serving order": _ordered(judged)}
    found = [_tested(signal, _by_turn(of), cut) for signal, of in signals.items()]
    worst = min((one for one in found if one is not None), key=lambda one: one.p, default=None)
    return worst if worst is not None and worst.p < LEVEL else None


def contradictions(groups: Sequence[Group]) -> list[Contradiction]:
    """Records that two or more turns of the same query speak of and disagree about, the most contradicted first."""
    said: defaultdict[_Pair, list[bool]] = defaultdict(list)
    queries = {group.id: group.query for group in groups}
    for group in groups:
        for key, label in _labels(group).items():
            said[group.id, key].append(label > 0)
    found = [
        Contradiction(queries[id], key, min(sum(likes), len(likes) - sum(likes)), len(likes))
        for (id, key), likes in said.items()
        if 0 < sum(likes) < len(likes)
    ]
    return sorted(found, key=lambda one: (-one.against, one.turns, one.query, one.key))


def _labels(group: Group) -> Mapping[str, float]:
    return {candidate.key: candidate.label for candidate in group.candidates if candidate.label}


def _repeated(judged: Sequence[Group], cut: int) -> list[_Turn]:
    """Of each group, what has the sign of what the other groups up to the cut say, of what they say anything about."""
    net: defaultdict[_Pair, float] = defaultdict(float)
    size: defaultdict[_Pair, float] = defaultdict(float)
    for group in judged:
        for key, label in _labels(group).items() if group.about["seq"] <= cut else ():
            net[group.id, key] += label
            size[group.id, key] += abs(label)
    found = []
    for group in judged:
        own = group.about["seq"] <= cut
        agrees = of = 0.0
        for key, label in _labels(group).items():
            others, weight = net[group.id, key] - label * own, size[group.id, key] - abs(label) * own
            sure = abs(label) * abs(others) / (weight + _PRIOR)
            agrees += sure * (label * others > 0)
            of += sure
        found.append(_turn(group, agrees, of))
    return found


def _ordered(judged: Sequence[Group]) -> list[_Turn]:
    """Of each group's shown pairs of unlike sign, those in which the better one stands first; candidates are in serving order."""
    found = []
    for group in judged:
        signs = [np.sign(candidate.label) for candidate in group.candidates if candidate.shown is not None]
        pairs = [first > second for first, second in combinations(signs, 2) if first != second] if group.about.get("named") else []
        found.append(_turn(group, float(sum(pairs)), float(len(pairs))))
    return found


def _turn(group: Group, agrees: float, of: float) -> _Turn:
    return _Turn(group.about["turn"], group.about["seq"], (group.about.get("by"), group.about.get("named")), agrees, of)


def _tested(signal: str, found: Sequence[_Turn], cut: int) -> Doubt | None:
    """The test of one signal; None where one side has no turns."""
    turns = [turn for turn in found if turn.of > 1e-9]
    newest, before = ([turn for turn in turns if (turn.seq > cut) is side] for side in (True, False))
    if not newest or not before:
        return None
    drawn, seen, rng = np.zeros(_DRAWS), 0.0, np.random.default_rng(0)
    for way in dict.fromkeys(turn.way for turn in turns):
        alike = [turn for turn in turns if turn.way == way]
        mean = _share(alike)
        above = np.array([turn.agrees - mean * turn.of for turn in alike])
        new = np.array([turn.seq > cut for turn in alike])
        seen += float(above[new].sum())
        drawn += _dealt(above, int(new.sum()), rng)
    p = (int((drawn <= seen + 1e-9).sum()) + 1) / (_DRAWS + 1)
    first, last = min(turn.seq for turn in newest), max(turn.seq for turn in newest)
    return Doubt(signal, first, last, len(newest), _share(newest), len(before), _share(before), min(1.0, 2 * p))


def _by_turn(found: Sequence[_Turn]) -> list[_Turn]:
    """The groups of a turn, one for each kind, as one."""
    by_id: dict[str, _Turn] = {}
    for turn in found:
        known = by_id.get(turn.id)
        by_id[turn.id] = turn if known is None else replace(turn, agrees=known.agrees + turn.agrees, of=known.of + turn.of)
    return list(by_id.values())


def _share(turns: Sequence[_Turn]) -> float:
    return math.fsum(turn.agrees for turn in turns) / math.fsum(turn.of for turn in turns)


def _dealt(values: _Floats, n: int, rng: np.random.Generator) -> _Floats:
    """(draws,) sums of n of the values, drawn without replacement."""
    if n in (0, len(values)):
        return np.full(_DRAWS, values.sum() if n else 0.0)
    rows = max(1, _CELLS // len(values))
    sums = []
    for start in range(0, _DRAWS, rows):
        places = np.argpartition(rng.random((min(rows, _DRAWS - start), len(values))), n, axis=1)[:, :n]
        sums.append(values[places].sum(axis=1))
    return np.concatenate(sums)
