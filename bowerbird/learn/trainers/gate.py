"""Trains a gate from rewards with and without retrieval: where the run without any candidate did as well, retrieval was not needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bowerbird.components.gate import NeedGate, surface
from bowerbird.errors import InvalidInput
from bowerbird.learn.groups import Group
from bowerbird.learn.rewards.measured import one_scale
from bowerbird.learn.trainer import Fit, Scores, Setting, TooLittle, Trainer, chosen
from bowerbird.need import need

__all__ = ["GateTrainer", "Options", "worth"]

_Floats = NDArray[np.float64]
_FOLDS = 5
_THRESHOLDS = sorted([0.0, 1.01, *np.round(np.linspace(0.05, 0.95, 19), 2).tolist()], key=lambda t: (abs(t - 0.5), t))


@dataclass(frozen=True)
class Options:
    """`cost` of retrieving, in units of the reward; `ridge`: strength of the penalty, 0 = the best of a few by what it realises."""

    cost: float = 0.05
    ridge: float = 0.0


def worth(group: Group) -> tuple[float, float]:
    """(raw reward with retrieval, without). With: that of the candidate shown first, of all shown the best, else the best there is."""
    shown = [c for c in group.candidates if c.shown is not None and c.raw is not None]
    with_it = max((c.raw for c in (shown or group.candidates) if c.raw is not None), default=math.nan)
    return with_it, math.nan if group.nothing is None else group.nothing


class GateTrainer(Trainer):
    """For each kind logistic regression on (query vector, surface), each query weighted by how much the decision matters (cost-sensitive
    learning; Elkan, IJCAI 2001). Scores of queries left out of the fit, in five folds, turn a score into a chance (Platt, 1999) and choose
    the penalty and the threshold that realise most. Kinds with fewer than 30 queries are not learnt, and are left as asked; a kind that
    always, or never, helped is retrieved always, or never.

    Judged by the realised reward: with retrieval less its cost where the gate retrieves, without it elsewhere; without a gate
    everything is retrieved. Cost: one encoding of the queries, then seconds.
    """

    component: ClassVar[str] = "gate"
    stage: ClassVar[str] = "learned_gate"
    advice: ClassVar[str] = (
        "It learns from the outcome of a query with what was found and of the same one without: bowerbird learn score, or "
        "bowerbird feedback --last 0.8 --source metric, after a turn and after the same with --spec never"
    )

    def usable(self, groups: Sequence[Group]) -> list[Group]:
        """Groups that know the reward of the run without retrieval and of at least one candidate, on the scale that most are on."""
        return one_scale([group for group in groups if not any(map(math.isnan, worth(group)))])

    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        options = chosen(Options(), setting.options)
        if setting.encoder is None:
            raise InvalidInput(
                "A gate reads queries through a dense encoder, and none is set up (pip install 'bowerbird[openvino,weights]')."
            )
        by_kind: dict[str, list[Group]] = {}
        for group in sorted(self.usable(train), key=lambda g: (g.id, g.kind, g.source)):
            by_kind.setdefault(group.kind, []).append(group)
        enough = {kind: groups for kind, groups in sorted(by_kind.items()) if len(groups) >= self.least}
        if not enough:
            counted = ", ".join(f"{kind} {len(groups)}" for kind, groups in sorted(by_kind.items())) or "none"
            raise TooLittle(
                f"A gate needs at least {self.least} training queries of one kind with and without retrieval; there are: {counted}."
            )
        gains = {kind: _gains(groups, options.cost) for kind, groups in enough.items()}
        if all((of > 0).all() for of in gains.values()) or all((of <= 0).all() for of in gains.values()):
            which = "helps" if next(iter(gains.values()))[0] > 0 else "never helps"
            raise TooLittle(
                f"Retrieval {which} with every one of {sum(map(len, gains.values()))} training queries: there is nothing to tell apart."
            )
        columns = [_column(_inputs(groups, setting), gains[kind], options) for kind, groups in enough.items()]
        weights, biases, thresholds = (np.array(of, np.float32) for of in zip(*columns, strict=True))
        gate = NeedGate(setting.encoder.id, tuple(enough), np.ascontiguousarray(weights.T), biases, thresholds)
        held = self.usable(dev) or self.usable(train)
        value = {name: _mean(self.scores(held, of, setting)) for name, of in (("gate", gate), ("always", None))}
        without = [worth(group) for group in held]
        value["never"] = float(np.mean([nothing for _, nothing in without]))
        value["best of both"] = float(np.mean([max(with_it - options.cost, nothing) for with_it, nothing in without]))
        kinds = {
            kind: {"queries": len(of), "helped": round(float((of > 0).mean()), 4), "threshold": round(float(threshold), 2)}
            for (kind, of), threshold in zip(gains.items(), thresholds, strict=True)
        }
        about = {"kinds": kinds, "dev": {**value, "queries": len(held)}, "cost": options.cost}
        return Fit(gate, ({"step": 0.0, "dev": max(value["always"], value["never"])}, {"step": 1.0, "dev": value["gate"]}), about)

    def scores(self, groups: Sequence[Group], component: Any | None, setting: Setting) -> Scores:
        """kind -> query id -> the realised reward."""
        cost = chosen(Options(), setting.options).cost
        mine = self.usable(groups)
        assert setting.encoder is not None  # `fit` has looked
        retrieves = [True] * len(mine)
        if component is not None:
            passed = component.chances(_inputs(mine, setting)[:, :-4], [g.query for g in mine]) >= component.thresholds
            places: Mapping[str, int] = {kind: place for place, kind in enumerate(component.kinds)}
            retrieves = [group.kind not in places or bool(row[places[group.kind]]) for group, row in zip(mine, passed, strict=True)]
        found: dict[str, dict[str, float]] = {}
        for group, yes in zip(mine, retrieves, strict=True):
            with_it, without = worth(group)
            found.setdefault(group.kind, {})[group.id] = with_it - cost if yes else without
        return found


def _column(x: NDArray[np.float32], gains: _Floats, options: Options) -> tuple[_Floats, float, float]:
    """(weights, bias, threshold) of one kind."""
    helps = gains > 0
    if helps.all() or not helps.any():
        return np.zeros(x.shape[1]), 6.0 if helps.all() else -6.0, 0.5
    weight, left_out = np.maximum(np.abs(gains), 1e-3), np.arange(len(gains)) % _FOLDS
    best: tuple[float, float, float, float, float] | None = None
    for penalty in [options.ridge] if options.ridge else [0.1, 1.0, 10.0]:
        scores = np.zeros(len(gains))
        for fold in range(_FOLDS):
            rest = left_out != fold
            weights, bias = _logistic(x[rest], helps[rest], weight[rest], penalty)
            scores[~rest] = x[~rest] @ weights + bias
        (slope,), offset = _logistic(scores[:, None], helps, np.ones(len(gains)), 1e-3)
        slope = max(slope, 0.0)  # below 0 there is no order to be had
        chances = 1 / (1 + np.exp(-np.clip(slope * scores + offset, -30, 30)))
        for threshold in _THRESHOLDS:
            value = float(gains[chances >= threshold].sum()) / len(gains)
            if best is None or value > best[0] + 1e-9:
                best = value, penalty, slope, offset, threshold
    assert best is not None
    _, penalty, slope, offset, threshold = best
    weights, bias = _logistic(x, helps, weight, penalty)
    return weights * slope, bias * slope + offset, threshold


def _logistic(x: NDArray[Any], helps: NDArray[np.bool_], weight: _Floats, penalty: float) -> tuple[_Floats, float]:
    """Weights and bias; of one class only, no weights and a bias that says so."""
    if helps.all() or not helps.any():
        return np.zeros(x.shape[1]), 6.0 if helps.all() else -6.0
    fitted = need("sklearn.linear_model", "train").LogisticRegression(C=1 / penalty, max_iter=500).fit(x, helps, sample_weight=weight)
    return fitted.coef_[0].astype(np.float64), float(fitted.intercept_[0])


def _mean(scores: Scores) -> float:
    return float(np.mean([value for of in scores.values() for value in of.values()]))


def _gains(groups: Sequence[Group], cost: float) -> _Floats:
    return np.array([with_it - cost - without for with_it, without in map(worth, groups)])


def _inputs(groups: Sequence[Group], setting: Setting) -> NDArray[np.float32]:
    queries = [group.query for group in groups]
    assert setting.encoder is not None
    return np.concatenate([setting.encoder.encode(queries), surface(queries)], axis=1)
