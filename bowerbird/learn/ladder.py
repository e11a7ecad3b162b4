"""The ladder, rung by rung, as far as the time goes: train, judge, publish what is better, and say in words what was done and why.

Rungs come cheapest first. A rung that was finished on the same data with the same seed is not done again, so a run that was
killed goes on. It calls no language model.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bowerbird.components.shelf import Artifact, Shelf
from bowerbird.errors import BowerbirdError
from bowerbird.learn.doubt import Doubt
from bowerbird.learn.groups import Group
from bowerbird.learn.publish import MARGIN, Made, data_hash, made, publish
from bowerbird.learn.trainer import Bower, Setting, trainer_of
from bowerbird.types import Scope

__all__ = ["LADDER", "Rung", "climb"]

LADDER: tuple[tuple[str, float], ...] = (
    ("adapter", 0.3),
    ("ranker", 0.2),
    ("gate", 0.2),
    ("router", 0.2),
    ("cross_encoder", 0.5),
    ("encoder", 1.0),
)
"""Components, cheapest first, with the share of the time left that each may take."""
_ASKED_FOR = ("cross_encoder", "encoder")  # by name alone


@dataclass(frozen=True, slots=True)
class Rung:
    """What became of one rung, in words. `artifact`: what was trained, None where nothing was; `published`: whether it serves now."""

    component: str
    said: str
    artifact: Artifact | None = None
    published: bool = False
    seconds: float = 0.0


def climb(
    groups: Sequence[Group],
    setting: Setting,
    bower: Bower,
    scope: Scope,
    *,
    seconds: float,
    upto: int = 0,
    margin: float = MARGIN,
    rungs: Sequence[str] = (),
    doubt: Doubt | None = None,
) -> Iterator[Rung]:
    """One `Rung` after the other, as they are done; `rungs` names those wanted (none = all, but for the encoder, whose publishing
    re-embeds the bower, and the cross-encoder, which takes minutes to train and to judge). With a `doubt` nothing is published."""
    ends = time.monotonic() + seconds
    wanted = rungs or [name for name, _ in LADDER if name not in _ASKED_FOR]
    shares: Mapping[str, float] = dict(LADDER)
    for component in sorted(wanted, key=list(shares).index):
        left = ends - time.monotonic()
        if left <= 0:
            yield Rung(component, "Not begun: the time was over.")
            continue
        began = time.monotonic()
        rung = _rung(component, groups, replace(setting, seconds=left * shares[component]), bower, scope, upto, margin, doubt)
        yield replace(rung, seconds=round(time.monotonic() - began, 1))


def _rung(
    component: str,
    groups: Sequence[Group],
    setting: Setting,
    bower: Bower,
    scope: Scope,
    upto: int,
    margin: float,
    doubt: Doubt | None,
) -> Rung:
    trainer, shelf = trainer_of(component), bower.shelf
    before = _finished(shelf, component, groups, setting, scope, doubt)
    if before is not None:
        serving = shelf.serving(component, scope)
        return Rung(component, f"Done before on the same data: {before.card['verdict']['why']}", before, serving == before)
    try:
        done: Made = made(trainer, groups, setting, shelf, scope, upto=upto, margin=margin, doubt=doubt)
    except BowerbirdError as error:
        return Rung(component, str(error))
    if not done.verdict.publish:
        return Rung(component, done.verdict.why, done.artifact)
    publish(bower, component, done.artifact.version, scope, done.verdict.why)
    return Rung(component, f"Published. {done.verdict.why}", done.artifact, True)


def _finished(
    shelf: Shelf, component: str, groups: Sequence[Group], setting: Setting, scope: Scope, doubt: Doubt | None
) -> Artifact | None:
    """The version that was made from these very groups, for this scope, with this seed, these options and the same doubt, if any."""
    doubted = asdict(doubt) if doubt else None
    same: dict[str, Any] = {"data_sha256": data_hash(groups), "seed": setting.seed, "options": dict(setting.options), "doubt": doubted}
    found = [a for a in shelf.list(component) if a.scope == scope and all(a.card.get(name) == value for name, value in same.items())]
    return found[-1] if found else None
