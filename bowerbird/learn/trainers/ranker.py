"""Trains the feature ranker from what stages say of candidates and what became of them. It knows numbers, no vectors.

Every group's query is searched anew first: what stages said when it was served may be another encoder's or adapter's word, and candidates
of a task or mined ones had no search of that kind.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bowerbird.components.ranker import FeatureRanker
from bowerbird.kinds import kind
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.losses.kl import kl
from bowerbird.learn.trainer import Fit, Setting, TooLittle, Trainer, chosen, gain_at
from bowerbird.need import need
from bowerbird.stages.rerank.feature_ranker import Seen, features
from bowerbird.types import Scope, Turn

__all__ = ["Options", "RankerTrainer", "judged"]

_FOUND = "dbsf(bm25(k=20), dense(k=20))"
_LEAST = 1e-6  # the share of the mass that a candidate of no worth is given
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Options:
    """`hidden` units; `steps` at most, of `batch` lists; `rate` and `decay` of AdamW. A look at dev every `look` steps, over after
    `patience` of them without gain."""

    hidden: int = 16
    steps: int = 1000
    batch: int = 64
    rate: float = 0.01
    decay: float = 0.01
    look: int = 50
    patience: int = 5


class RankerTrainer(Trainer):
    """Listwise softmax loss (ListNet's top-one probabilities; Cao et al., ICML 2007): KL from the candidates' worth to the scores.

    A candidate's worth is its reward, else its label above 0. In a group where some were shown, one that was not and has no label is
    unknown: it is left out, not pushed down. What was shown higher is looked at more: labels have that taken out where they are made
    (`rewards/feedback.py`), so nothing is weighted here again. Judged like the others, by nDCG@10 of the whole search.
    Cost: seconds, and one search for each group.
    """

    component: ClassVar[str] = "ranker"
    stages: ClassVar[tuple[str, str]] = (_FOUND, f"{_FOUND} >> feature_ranker")
    stage: ClassVar[str] = "feature_ranker"

    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        options = chosen(Options(), setting.options)
        began = time.monotonic()
        groups = _lists(self.usable(train), setting)
        held = _lists(self.usable(dev), setting)
        if len(groups) < self.least:
            raise TooLittle(
                f"ranker needs at least {self.least} training queries of which a search finds something that helps and something that does "
                f"not; there are {len(groups)} (of {len(train)} in all). Note more outcomes (bowerbird feedback)."
            )
        if not held:
            held, groups = groups[::10], [group for place, group in enumerate(groups) if place % 10]
        stages = sorted({name for group in groups for c in group.candidates for name in c.scores})
        kinds = sorted({group.kind for group in groups})
        lists, looks = ([_numbers(group, stages, kinds) for group in of] for of in (groups, held))
        every = np.concatenate([x for x, _, _ in lists])
        mean, spread = every.mean(0), np.maximum(every.std(0), 1e-6)
        until = None if setting.seconds is None else began + setting.seconds
        net, curve = _trained(lists, looks, (mean, spread), options, setting, until)
        ranker = FeatureRanker(setting.encoder.id if setting.encoder else "", stages, kinds, mean, spread, *net)
        return Fit(ranker, tuple(curve), {"groups": len(groups), "stages": stages, "seconds": round(time.monotonic() - began, 1)})


def judged(group: Group) -> tuple[Candidate, ...]:
    """The candidates whose worth is known: all, or in a group where some were shown, those and the ones with a label or a reward."""
    if all(c.shown is None for c in group.candidates):
        return group.candidates
    return tuple(c for c in group.candidates if c.shown is not None or c.label != 0 or c.reward is not None)


def _worth(candidate: Candidate) -> float:
    return max(0.0, candidate.label if candidate.reward is None else candidate.reward)


def _lists(groups: Sequence[Group], setting: Setting) -> list[Group]:
    """Groups by query, with what the bower finds for them, of which something is worth more than something else that is known."""
    ordered = sorted(groups, key=lambda group: (group.id, group.kind, group.source))
    turns = [Turn(group.query, Scope.parse(group.scope), id=group.id, kinds=(group.kind,)) for group in ordered]
    found = setting.bench.run(turns, _FOUND, records=True) if turns else ()
    given = [_searched(group, turn) for group, turn in zip(ordered, found, strict=True)]
    return [group for group in given if len({_worth(c) for c in judged(group)}) > 1]


def _searched(group: Group, turn: Turn) -> Group:
    """The group with what the search found, with the labels it has; what was not found cannot be ranked."""
    known = {candidate.key: candidate for candidate in group.candidates}
    candidates = []
    for hit in turn.hits:
        assert hit.record is not None  # they were asked for
        before = known.get(hit.record.key, Candidate(hit.record.key, ""))
        candidates.append(replace(before, text=kind(hit.record.kind).encode(hit.record), scores=hit.scores))
    return replace(group, candidates=tuple({candidate.key: candidate for candidate in candidates}.values()))


def _numbers(group: Group, stages: Sequence[str], kinds: Sequence[str]) -> tuple[_Floats, list[float], list[bool]]:
    """(features of all candidates, what each is worth, whether that is known): unknown ones stand in the list that ranks are taken of."""
    seen = [Seen(group.kind, candidate.text, candidate.scores) for candidate in group.candidates]
    known = {candidate.key for candidate in judged(group)}
    return features(group.query, seen, stages, kinds), [_worth(c) for c in group.candidates], [c.key in known for c in group.candidates]


def _trained(
    lists: Sequence[tuple[_Floats, list[float], list[bool]]],
    looks: Sequence[tuple[_Floats, list[float], list[bool]]],
    scale: tuple[_Floats, _Floats],
    options: Options,
    setting: Setting,
    until: float | None,
) -> tuple[tuple[Any, Any, Any], list[Mapping[str, float]]]:
    torch = need("torch", "local")
    generator = torch.Generator().manual_seed(setting.seed)
    wide = len(scale[0])
    into = (torch.randn(wide, options.hidden, generator=generator) / wide**0.5).requires_grad_()
    bias = torch.zeros(options.hidden, requires_grad=True)
    out = (torch.randn(options.hidden, generator=generator) / options.hidden**0.5).requires_grad_()
    optimiser = torch.optim.AdamW([into, bias, out], lr=options.rate, weight_decay=options.decay)

    def scores(x: Any) -> Any:
        return torch.tanh(x @ into + bias) @ out

    inputs = [torch.from_numpy((x - scale[0]) / scale[1]).float() for x, _, _ in lists]
    held = [torch.from_numpy((x - scale[0]) / scale[1]).float() for x, _, _ in looks]
    wanted = [
        torch.tensor([math.log(max(w, _LEAST)) if k else -math.inf for w, k in zip(of, known, strict=True)]) for _, of, known in lists
    ]
    best, kept, worse = -1.0, (into, bias, out), 0
    curve: list[Mapping[str, float]] = []
    for step in range(options.steps + 1):
        if step % options.look == 0:
            with torch.no_grad():
                orders = [scores(x).argsort(descending=True, stable=True).tolist() for x in held]
            gains = [gain_at(10, [of[i] for i in order if known[i]], of) for order, (_, of, known) in zip(orders, looks, strict=True)]
            dev = math.fsum(gains) / len(gains)
            curve.append({"step": float(step), "dev": dev})
            worse = 0 if dev > best + 1e-4 else worse + 1
            if worse == 0:
                best, kept = dev, tuple(part.detach().clone() for part in (into, bias, out))
            if setting.progress:
                setting.progress("training", step, options.steps)
            if worse > options.patience or (until is not None and time.monotonic() > until):
                break
        places = torch.randint(len(lists), (options.batch,), generator=generator).tolist()
        padded = torch.nn.utils.rnn.pad_sequence([inputs[i] for i in places], batch_first=True)
        rewards = torch.nn.utils.rnn.pad_sequence([wanted[i] for i in places], batch_first=True, padding_value=-math.inf)
        own = torch.arange(padded.shape[1]).expand(len(places), -1)
        loss = kl(scores(padded), own, rewards, torch.ones_like(rewards, dtype=torch.bool), temperature=1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return tuple(part.detach().numpy() for part in kept), curve
