"""What a bower has to learn from, in one place: its ledger, and the groups that were scored, mined or written, kept beside it.

Kept groups lie in `learning/` of the bower, a folder for each scope, so that nobody trains on another's. It trains nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from bowerbird.errors import UnknownName
from bowerbird.learn.experience import Experience, experience
from bowerbird.learn.groups import Candidate, Group, read, write
from bowerbird.learn.rewards.measured import alike
from bowerbird.learn.rewards.smooth import smooth
from bowerbird.ledger import Ledger
from bowerbird.ports import Library
from bowerbird.types import Scope

__all__ = ["STEPS", "Step", "Workshop", "merged"]

Step = Literal["scored", "mined", "synth"]
STEPS: tuple[Step, ...] = get_args(Step)


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
        """All there is: the ledger's groups with what steps added to them, then those of files in `more`; rewards are smoothed raw ones."""
        found = self.experience(upto)
        every = [*found.groups, *(group for step in STEPS for group in self.kept(step)), *(g for path in more for g in read(path))]
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
    """One group for each (query, kind, source, scope), in order of first appearance: candidates by key, the first label and text
    that is known, the first reward that is known, and answers from whoever has them."""
    found: dict[tuple[str, str, str, str], Group] = {}
    for group in groups:
        name = (group.id, group.kind, group.source, group.scope)
        found[name] = _both(found[name], group) if name in found else group
    return list(found.values())


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
        label=first.label or second.label,
        raw=second.raw if first.raw is None else first.raw,
        reward=second.reward if first.reward is None else first.reward,
        shown=second.shown if first.shown is None else first.shown,
        scores={**second.scores, **first.scores},
    )
