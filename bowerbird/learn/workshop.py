"""What a bower has to learn from, in one place: its ledger, and the groups that were scored, mined or written, kept beside it.

Kept groups lie in `learning/` of the bower, a folder for each scope, so that nobody trains on another's. It trains nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any, Literal, get_args

from bowerbird.errors import UnknownName
from bowerbird.learn.experience import Experience, agreed, experience
from bowerbird.learn.groups import Candidate, Group, read, write
from bowerbird.learn.rewards.measured import alike
from bowerbird.learn.rewards.smooth import smooth
from bowerbird.ledger import Ledger
from bowerbird.ports import Library
from bowerbird.types import Scope

__all__ = ["STEPS", "Step", "Workshop", "merged"]

Step = Literal["scored", "mined", "synth"]
STEPS: tuple[Step, ...] = get_args(Step)
_Name = tuple[str, str, str, str]


class Workshop:
    """The training groups of one scope of a bower in `folder`."""

    def __init__(self, folder: Path, ledger: Ledger, library: Library, scope: Scope) -> None:
        self.scope = scope
        self._ledger, self._library = ledger, library
        own = hashlib.blake2b(str(scope).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        self.folder = folder / "learning" / own

    def experience(self, upto: int | None = None) -> Experience:
        """What the ledger says, up to a position."""
        return experience(self._ledger, self._library, self.scope, upto)

    def kept(self, step: Step) -> list[Group]:
        """The groups that a step has kept; none where it never ran."""
        path = self._path(step)
        return list(read(path)) if path.exists() else []

    def keep(self, step: Step, groups: Iterable[Group]) -> int:
        """Keep the groups of a step in place of those it kept before; how many."""
        return write(self._path(step), groups)

    def groups(self, upto: int | None = None, more: Sequence[Path] = ()) -> tuple[list[Group], Experience]:
        """All there is: the ledger's groups with what steps added to them, then those of files in `more`; rewards are smoothed raw ones.

        What the ledger said when a step kept a group is asked of the ledger anew: such a group adds candidates and rewards, no labels,
        and only to queries that the ledger speaks of up to that position.
        """
        found = self.experience(upto)
        kept = _added(found.groups, (group for step in STEPS for group in self.kept(step)))
        every = [*found.groups, *kept, *(g for path in more for g in read(path))]
        return [_smoothed(group) for group in merged(every)], found

    def _path(self, step: Step) -> Path:
        if step not in STEPS:
            raise UnknownName("step", step, STEPS)
        return self.folder / f"{step}.jsonl"


def _smoothed(group: Group) -> Group:
    """With rewards made of raw ones, where every candidate has one and they tell candidates apart."""
    if group.rewarded or any(candidate.raw is None for candidate in group.candidates):
        return group
    return next(iter(smooth([group])), group)


def merged(groups: Iterable[Group]) -> list[Group]:
    """One group for each (query, kind, source, scope), in order of first appearance: candidates by key, the first text and the first
    reward that is known, and answers from whoever has them.

    A label is the mean of what turns (`about["turn"]`; a group without one is a turn of its own) said of that candidate, each turn one
    voice; a turn that said nothing has none. Where two or more turns' mean is between -0.05 and 0.05 they disagree, and it is 0.
    """
    found: defaultdict[_Name, list[Group]] = defaultdict(list)
    for group in groups:
        found[_name(group)].append(group)
    return [of[0] if len(of) == 1 else _heard(reduce(_both, of), of) for of in found.values()]


def _name(group: Group) -> _Name:
    return group.id, group.kind, group.source, group.scope


def _added(told: Iterable[Group], kept: Iterable[Group]) -> Iterator[Group]:
    """What kept groups add to what the ledger tells now: copies of its turns without labels, and without records that it spoke of then
    and does not now."""
    now: defaultdict[_Name, set[str]] = defaultdict(set)
    for group in told:
        now[_name(group)].update(candidate.key for candidate in group.candidates)
    for group in kept:
        name = _name(group)
        if "turn" not in group.about:
            yield group
        elif name in now:
            stands = (one for one in group.candidates if not one.label or one.key in now[name])
            yield replace(group, candidates=tuple(replace(one, label=0.0) for one in stands))


def _heard(whole: Group, parts: Sequence[Group]) -> Group:
    """The merged group with the labels of all its parts."""
    said: defaultdict[str, defaultdict[object, list[float]]] = defaultdict(lambda: defaultdict(list))
    for place, group in enumerate(parts):
        for candidate in group.candidates:
            if candidate.label:
                said[candidate.key][group.about.get("turn", place)].append(candidate.label)
    return replace(whole, candidates=tuple(replace(one, label=_label(said[one.key])) for one in whole.candidates))


def _label(turns: Mapping[object, Sequence[float]]) -> float:
    voices = [math.fsum(labels) / len(labels) for labels in turns.values()]
    mean = math.fsum(voices) / max(1, len(voices))
    return mean if len(voices) < 2 else agreed(mean)


def _both(first: Group, second: Group) -> Group:
    first, second = alike(first, second)
    by_key: dict[str, Candidate] = {candidate.key: candidate for candidate in first.candidates}
    for candidate in second.candidates:
        known = by_key.get(candidate.key)
        by_key[candidate.key] = candidate if known is None else _one(known, candidate)
    about: dict[str, Any] = {**second.about, **first.about}
    if "costs" in about:
        about["costs"] = {**second.about.get("costs", {}), **first.about.get("costs", {})}
    return replace(
        first,
        candidates=tuple(by_key.values()),
        answers=first.answers or second.answers,
        nothing=second.nothing if first.nothing is None else first.nothing,
        about=about,
    )


def _one(first: Candidate, second: Candidate) -> Candidate:
    return replace(
        first,
        raw=second.raw if first.raw is None else first.raw,
        reward=second.reward if first.reward is None else first.reward,
        shown=second.shown if first.shown is None else first.shown,
        scores={**second.scores, **first.scores},
    )
