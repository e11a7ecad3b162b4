"""Trains a gate from rewards with and without retrieval: where the run without any candidate did as well, retrieval was not needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bowerbird.components.gate import NeedGate, surface
from bowerbird.errors import InvalidInput
from bowerbird.learn.groups import Group
from bowerbird.learn.trainer import Fit, Scores, Setting, TooLittle, Trainer, chosen
from bowerbird.need import need

__all__ = ["GateTrainer", "Options", "worth"]

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Options:
    """`cost` of retrieving, in units of the reward; `ridge`: strength of the penalty, 0 = the best of a few by dev."""

    cost: float = 0.05
    ridge: float = 0.0


def worth(group: Group) -> tuple[float, float]:
    """(raw reward with retrieval, without). With: that of the candidate shown first, of all shown the best, else the best there is."""
    shown = [c for c in group.candidates if c.shown is not None and c.raw is not None]
    with_it = max((c.raw for c in (shown or group.candidates) if c.raw is not None), default=math.nan)
    return with_it, math.nan if group.nothing is None else group.nothing


class GateTrainer(Trainer):
    """Logistic regression on (query vector, surface), each query weighted by how much the decision matters (cost-sensitive learning;
    Elkan, IJCAI 2001), and a threshold that is best on dev. Judged by the realised reward: with retrieval less its cost where the
    gate retrieves, without it elsewhere; without a gate everything is retrieved.
    Cost: one encoding of the queries, then seconds.
    """

    component: ClassVar[str] = "gate"

    def usable(self, groups: Sequence[Group]) -> list[Group]:
        """Groups that know the reward of the run without retrieval and of at least one candidate."""
        return [group for group in groups if not any(map(math.isnan, worth(group)))]

    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        options = chosen(Options(), setting.options)
        if setting.encoder is None:
            raise InvalidInput(
                "A gate reads queries through a dense encoder, and none is set up (pip install 'bowerbird[openvino,weights]')."
            )
        seen = sorted(self.usable(train), key=lambda g: (g.id, g.kind, g.source))
        held = sorted(self.usable(dev), key=lambda g: (g.id, g.kind, g.source)) or seen
        gains = _gains(seen, options.cost)
        if (gains > 0).all() or (gains <= 0).all():
            which = "helps" if gains[0] > 0 else "never helps"
            raise TooLittle(f"Retrieval {which} with every one of {len(seen)} training queries: there is nothing to tell apart.")
        x, told = _inputs(seen, setting), _gains(held, options.cost)
        xs = _inputs(held, setting)
        linear = need("sklearn.linear_model", "train")
        best: tuple[float, NeedGate] | None = None
        for penalty in [options.ridge] if options.ridge else [0.1, 1.0, 10.0]:
            fitted = linear.LogisticRegression(C=1 / penalty, max_iter=500).fit(x, gains > 0, sample_weight=np.maximum(np.abs(gains), 1e-3))
            gate = NeedGate(setting.encoder.id, fitted.coef_[0].astype(np.float32), float(fitted.intercept_[0]), 0.5)
            chances = gate.chances(xs[:, :-4], [group.query for group in held])
            for threshold in np.round(np.linspace(0.1, 0.9, 17), 2):
                value = float(told[chances >= threshold].sum()) / len(held)
                if best is None or value > best[0] + 1e-9:
                    best = value, NeedGate(gate.encoder, gate.weights, gate.bias, float(threshold))
        assert best is not None
        always, never = float(told.mean()), 0.0
        about = {"queries": len(seen), "dev_gain": best[0], "dev_gain_of_always": always, "cost": options.cost}
        return Fit(best[1], ({"step": 0.0, "dev": max(always, never)}, {"step": 1.0, "dev": best[0]}), about)

    def scores(self, groups: Sequence[Group], component: Any | None, setting: Setting) -> Scores:
        """kind -> query id -> the realised reward."""
        cost = chosen(Options(), setting.options).cost
        mine = self.usable(groups)
        assert setting.encoder is not None  # `fit` has looked
        if component is None:
            retrieves = np.ones(len(mine), bool)
        else:
            retrieves = component.chances(_inputs(mine, setting)[:, :-4], [g.query for g in mine]) >= component.threshold
        found: dict[str, dict[str, float]] = {}
        for group, yes in zip(mine, retrieves, strict=True):
            with_it, without = worth(group)
            found.setdefault(group.kind, {})[group.id] = with_it - cost if yes else without
        return found


def _gains(groups: Sequence[Group], cost: float) -> _Floats:
    return np.array([with_it - cost - without for with_it, without in map(worth, groups)])


def _inputs(groups: Sequence[Group], setting: Setting) -> NDArray[np.float32]:
    queries = [group.query for group in groups]
    assert setting.encoder is not None
    return np.concatenate([setting.encoder.encode(queries), surface(queries)], axis=1)
