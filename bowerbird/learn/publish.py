"""Publish or not: a new component against what serves now, on queries that neither has seen, and the decision in a sentence.

A component is published only when the mean over kinds improves beyond chance and no kind loses more than the margin. What was
decided, and from what, is on the card and in the ledger. It knows no trainer's method.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from bowerbird.components.shelf import Artifact, Shelf
from bowerbird.errors import InvalidInput
from bowerbird.evals.compare import LEAST as LEAST_ITEMS
from bowerbird.evals.compare import Comparison, compare
from bowerbird.learn.checkpoint import Checkpoint
from bowerbird.learn.doubt import Doubt
from bowerbird.learn.groups import PARTS, Group, Part, part
from bowerbird.learn.trainer import Bower, Fit, Progress, Scores, Setting, TooLittle, Trainer, trainer_of
from bowerbird.types import Scope

__all__ = ["LEAST", "MARGIN", "ROLLBACK", "Made", "Verdict", "before", "made", "publish", "refused", "sides", "verdict"]

LEAST = 20
"""Held-out queries without which nothing is decided."""
ROLLBACK = "rollback"
"""Why a version serves again."""
MARGIN = 0.01
"""What a kind may lose, in units of the measure."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`publish`, and `why` in a sentence. `kinds`: new against old by kind; `mean`: over kinds, each counting the same."""

    publish: bool
    why: str
    kinds: Mapping[str, Comparison]
    mean: Comparison | None = None

    def as_json(self) -> dict[str, Any]:
        """For cards and the ledger."""
        kinds = {name: _numbers(found) for name, found in self.kinds.items()}
        return {"publish": self.publish, "why": self.why, "kinds": kinds, "mean": _numbers(self.mean) if self.mean else None}


@dataclass(frozen=True, slots=True)
class Made:
    """A component that was trained, kept and judged; `verdict.publish` says whether it may serve."""

    artifact: Artifact
    fit: Fit
    verdict: Verdict


def sides(groups: Sequence[Group], seed: int = 0) -> dict[Part, list[Group]]:
    """Groups by the side that their query is on; no query is on two."""
    found: dict[Part, list[Group]] = {name: [] for name in PARTS}
    for group in groups:
        found[part(group.query, seed)].append(group)
    return found


def verdict(old: Scores, new: Scores, margin: float = MARGIN, seed: int = 0, doubt: Doubt | None = None) -> Verdict:
    """New scores against old ones, query by query; with a `doubt` about the outcomes that they are from it is against the new one,
    whatever the numbers say. Kinds or queries that one side lacks raise `InvalidInput`."""
    found = _by_numbers(old, new, margin, seed)
    return found if doubt is None else replace(found, publish=False, why=doubt.sentence)


def _by_numbers(old: Scores, new: Scores, margin: float, seed: int) -> Verdict:
    if old.keys() != new.keys():
        raise InvalidInput(f"Old and new were judged on other kinds: {', '.join(sorted(old))} and {', '.join(sorted(new))}.")
    queries = sum(len(scores) for scores in new.values())
    if queries < LEAST:
        return Verdict(False, f"Not published: {queries} held-out queries are too few to tell; at least {LEAST} are needed.", {})
    bad = [f"{name}/{id}" for name, scores in new.items() for id, score in scores.items() if not math.isfinite(score)]
    if bad:
        return Verdict(False, f"Not published: {len(bad)} held-out scores are no finite numbers ({', '.join(bad[:3])}).", {})
    kinds = {name: compare(old[name], new[name], seed) for name in sorted(new) if len(new[name]) >= LEAST_ITEMS}
    mean = compare(_even(old), _even(new), seed)
    losers = {name: found for name, found in kinds.items() if found.difference.value < -margin}
    gain = mean.difference
    seen = f"{gain.value:+.4f} on the mean over kinds ({gain.level:.0%} interval {gain.low:+.4f} to {gain.high:+.4f}, {queries} queries)"
    if losers:
        said = ", ".join(f"{name} loses {-found.difference.value:.4f}" for name, found in losers.items())
        return Verdict(False, f"Not published: {said}, more than the margin of {margin:g}; {seen}.", kinds, mean)
    if gain.value <= 0:
        return Verdict(False, f"Not published: it is no better than what serves now, {seen}.", kinds, mean)
    if not (gain.low > 0 and mean.p < 0.05):
        more = f" A gain of this size would need about {mean.needed} queries." if mean.needed else ""
        return Verdict(False, f"Not published: the gain may be chance, {seen}.{more}", kinds, mean)
    return Verdict(True, f"Better: {seen}; no kind loses more than {margin:g}.", kinds, mean)


def made(
    trainer: Trainer,
    groups: Sequence[Group],
    setting: Setting,
    shelf: Shelf,
    scope: Scope,
    *,
    upto: int = 0,
    margin: float = MARGIN,
    doubt: Doubt | None = None,
) -> Made:
    """Train on the train side, stop by dev, judge on test against what serves `scope` now, and keep it with its card.

    Nothing is published. `doubt`: about what it is trained from. Raises `TooLittle` before any work where there is too little to learn
    from or to judge by.
    """
    by_side = sides(groups, setting.seed)
    trainer.check(by_side["train"])
    held = trainer.usable(by_side["test"])
    if len(held) < LEAST:
        raise TooLittle(f"{trainer.component} cannot be judged: {len(held)} held-out queries, at least {LEAST} are needed.")
    serving = shelf.serving(trainer.component, scope)
    fit = trainer.fit(by_side["train"], by_side["dev"], setting)
    before = trainer.scores(held, None if serving is None else shelf.load(serving), setting)
    after = trainer.scores(held, fit.component, setting)
    found = verdict(before, after, margin, setting.seed, doubt)
    card = {
        "component": trainer.component,
        "parent": serving.name if serving else None,
        "scope": str(scope),
        "ledger_upto": upto,
        "seed": setting.seed,
        "encoder": setting.encoder.id if setting.encoder else None,
        "llm": setting.llm.name if setting.llm else None,
        "options": dict(setting.options),
        "groups": {side: len(given) for side, given in by_side.items()},
        "sources": dict(Counter(f"{group.kind}/{group.source}" for group in groups)),
        "data_sha256": data_hash(groups),
        "before": _means(before),
        "after": _means(after),
        "doubt": asdict(doubt) if doubt else None,
        "verdict": found.as_json(),
        "curve": [dict(row) for row in fit.curve],
        "about": dict(fit.about),
    }
    kept = shelf.keep(trainer.component, fit.component, scope, card)
    if setting.folder is not None:
        Checkpoint(setting.folder).clear()
    return Made(kept, fit, found)


def refused(artifact: Artifact) -> str:
    """Why that version may not serve: the verdict of when it was made. Empty where it may."""
    judged = artifact.card.get("verdict", {})
    return "" if judged.get("publish") else str(judged.get("why", "it was never judged."))


def publish(bower: Bower, component: str, version: int, scope: Scope, why: str, progress: Progress | None = None) -> Artifact | None:
    """Let that version serve from now on (0 = none), and note it in the ledger."""
    shelf = bower.shelf
    before = shelf.serving(component, scope)
    chosen = shelf.get(component, version) if version else None
    trainer_of(component).serve(bower, chosen, scope, progress)
    note = {"component": component, "version": version, "before": before.name if before else None, "why": why}
    bower.ledger.published(note, scope)
    return shelf.get(component, version) if version else None


def before(bower: Bower, serving: Artifact) -> int:
    """The version that served its scope before `serving` did, 0 = none: as the ledger notes it, else the card's parent.

    Goings back are passed over, so that going back twice does not lead to where one was.
    """
    name = f"{serving.component}@0"
    noted = bower.ledger.events(serving.scope, type="published", limit=1_000_000)
    bodies = [event.body for event in noted if event.body.get("component") == serving.component]
    told = [body["before"] for body in bodies if body["version"] == serving.version and body["why"] != ROLLBACK]
    served = told[-1] if told else serving.card.get("parent")
    return int(str(served or name).rpartition("@")[2])


def data_hash(groups: Sequence[Group]) -> str:
    """SHA-256 of what was trained from: queries, kinds, candidates, labels, rewards; blind to their order."""
    lines = sorted(
        json.dumps([g.query, g.kind, g.source, sorted((c.key, c.text, c.label, c.raw, c.reward) for c in g.candidates)], default=str)
        for g in groups
    )
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _even(scores: Scores) -> dict[str, float]:
    """All queries in one table, weighted so that their mean is the mean over kinds."""
    total = sum(len(of) for of in scores.values())
    filled = {name: of for name, of in scores.items() if of}
    return {f"{name}/{id}": score * total / (len(filled) * len(of)) for name, of in filled.items() for id, score in of.items()}


def _means(scores: Scores) -> dict[str, Any]:
    return {name: {"value": math.fsum(of.values()) / len(of), "n": len(of)} for name, of in scores.items() if of}


def _numbers(found: Comparison) -> dict[str, Any]:
    return asdict(found)
