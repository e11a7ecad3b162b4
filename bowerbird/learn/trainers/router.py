"""Trains a router from what models scored on queries: nearest queries, matrix factorisation, or a logistic map.

It knows groups of kind `model`, whose candidates carry each model's logged score as `raw`, and `about["costs"]` in dollars.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bowerbird.components.router import FAMILIES, Router
from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.learn.groups import Group
from bowerbird.learn.rewards.measured import one_scale
from bowerbird.learn.trainer import Fit, Scores, Setting, TooLittle, Trainer, chosen
from bowerbird.need import need

__all__ = ["Options", "RouterTrainer"]

_Floats = NDArray[np.float32]
_Reals = NDArray[np.float64]
_FAR = 2.0  # percentile of the cosine of held-out queries to the nearest one seen, under which the router abstains
_SURE = 1.645  # standard errors that a prediction's slope must be above 0: one side of 5 %
_DEV = 20  # queries to calibrate on
_HELD = 2000  # of them that are kept with the router
_WIDTH = 0.3  # standard deviation of the words' logarithm among a linear map's inputs


@dataclass(frozen=True)
class Options:
    """`family`: knn, mf, logistic, length, or best (of the first three, by their error on dev). `k` neighbours; `rank` of the
    factorisation; `ridge`, the strength of the penalty on linear maps. 0 of `k` or `ridge`: the best of a few, likewise."""

    family: str = "best"
    k: int = 0
    rank: int = 16
    ridge: float = 0.0


class RouterTrainer(Trainer):
    """Fits the families of `components/router.py`, each on the vectors of the frozen encoder (RouteLLM, arXiv 2406.18665, section 4).

    Differs: trained on scores of all models for each query where the paper has human preferences for one pair; any number of models;
    the logistic map stands for its BERT classifier. Held-out queries (dev, or a fifth of the training ones where dev has fewer than
    20) choose the settings, and say how far predictions are to be trusted, how much the strong model is to be held back for a wanted share
    of calls, and what price keeps a wanted quality.

    Judged, where models have costs, by the mean score over all thresholds (APGR up to the scale): a query whose wish for the strong
    model is higher than that of the share 1 - r of the others counts (1 - r) of the strong model's score and r of the weak one's; without
    a router r is a half. Where they have none, by the score of the first choice; without a router that of the model which is
    best on average. Both in the units of the scores. Cost: one encoding of the queries, then seconds.
    """

    component: ClassVar[str] = "router"
    stage: ClassVar[str] = "router"
    advice: ClassVar[str] = (
        "It learns from outcomes of two models or more for the same query: name each that you try, as in "
        "bowerbird feedback --last 0.8 --key MODEL --source metric"
    )

    def usable(self, groups: Sequence[Group]) -> list[Group]:
        """Groups of models of which at least two have scores, on the scale that most of them are on."""
        return one_scale([g for g in groups if g.kind == "model" and sum(candidate.raw is not None for candidate in g.candidates) > 1])

    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        options = chosen(Options(), setting.options)
        if options.family not in (*FAMILIES, "best"):
            raise UnknownName("family of routers", options.family, (*FAMILIES, "best"))
        if setting.encoder is None:
            raise InvalidInput(
                "A router reads queries through a dense encoder, and none is set up (pip install 'bowerbird[openvino,weights]')."
            )
        mine, told = self.usable(train), self.usable(dev)
        if len(told) < _DEV:
            mine = sorted(mine, key=lambda group: (group.id, group.source))
            mine, told = [group for place, group in enumerate(mine) if place % 5], mine[::5]
        seen = _Seen.of(mine, setting)
        held = replace(_Seen.of(told, setting, seen.models), costs=seen.costs, strong=seen.strong, weak=seen.weak)
        seen, held = _scaled(seen, held)
        families = ["knn", "mf", "logistic"] if options.family == "best" else [options.family]
        made = {family: _fitted(family, seen, held, options, setting) for family in dict.fromkeys([*families, "length"])}
        found = {family: _mean(_values(router, held)) for family, router in made.items()}
        best = min(families, key=lambda family: _error(made[family], held))
        strong, weak = _known_mean(held.scores)[[seen.strong, seen.weak]]
        beside = {"random": float(strong + weak) / 2, "always strong": float(strong), "always weak": float(weak)}
        about = {
            "family": best,
            "trust": made[best].trust,
            "strong": made[best].strong,
            "weak": seen.models[seen.weak],
            "queries": len(seen.ids),
            "dev": {**found, **beside, "queries": len(held.ids)},
        }
        curve = ({"step": 0.0, "dev": _mean(_values(None, held))}, {"step": 1.0, "dev": found[best]})
        return Fit(made[best], curve, about)

    def scores(self, groups: Sequence[Group], component: Any | None, setting: Setting) -> Scores:
        """query id -> what it counts, as said above. A router that does not know one of the two models has no wish for either."""
        seen = _Seen.of(self.usable(groups), setting)
        values = _values(component, seen)
        return {"model": {id: float(value) for id, value in zip(seen.ids, values, strict=True) if math.isfinite(value)}}


@dataclass(frozen=True)
class _Seen:
    """Queries as numbers: `vectors` (n, dim), `words` (n,), `scores` (n, models) with NaN where a model has none; `costs` (models,), 0
    where none are known; the places of the strong and the weak model."""

    ids: tuple[str, ...]
    models: tuple[str, ...]
    vectors: _Floats
    words: tuple[int, ...]
    scores: _Floats
    costs: _Floats
    strong: int
    weak: int

    @classmethod
    def of(cls, groups: Sequence[Group], setting: Setting, models: Sequence[str] | None = None) -> _Seen:
        assert setting.encoder is not None  # `fit` has looked
        groups = sorted(groups, key=lambda g: (g.id, g.source))
        named = tuple(models or sorted({c.key for group in groups for c in group.candidates if c.raw is not None}))
        if len(named) < 2 or not groups:
            raise TooLittle(f"A router chooses among at least two models; {len(named)} have scores.")
        place = {key: i for i, key in enumerate(named)}
        scores = np.full((len(groups), len(named)), np.nan, np.float32)
        costs = np.full((len(groups), len(named)), np.nan, np.float32)
        for row, group in enumerate(groups):
            for candidate in group.candidates:
                if candidate.raw is not None and candidate.key in place:
                    scores[row, place[candidate.key]] = candidate.raw
            for key, dollars in group.about.get("costs", {}).items():
                if not (math.isfinite(dollars) and dollars >= 0):
                    raise InvalidInput(f"Query {group.query!r:.80}: {key} costs {dollars} dollars, no number of 0 or more.")
                if key in place:
                    costs[row, place[key]] = dollars
        unpriced = [key for key, column in place.items() if np.isnan(costs[:, column]).all()]
        if unpriced and len(unpriced) < len(named):
            raise InvalidInput(
                f"No group says what {', '.join(unpriced)} costs, and others have costs: give costs for all models, or none "
                "(price_in and price_out of their records; 0 for one that is free)."
            )
        quality, dollars = _known_mean(scores), _known_mean(costs)
        strong = int(np.argmax(quality))
        weak = min((i for i in range(len(named)) if i != strong), key=lambda i: (dollars[i], quality[i]))
        vectors = setting.encoder.encode([group.query for group in groups])
        words = tuple(len(group.query.split()) for group in groups)
        return cls(tuple(g.id for g in groups), named, vectors, words, scores, dollars, strong, weak)


def _known_mean(values: _Floats) -> _Floats:
    """(columns,) means of what is known; 0 where nothing is."""
    known = ~np.isnan(values)
    made: _Floats = (np.nansum(values, axis=0, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)).astype(np.float32)
    return made


def _mean(values: _Reals) -> float:
    return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else 0.0


def _scaled(seen: _Seen, held: _Seen) -> tuple[_Seen, _Seen]:
    """Both with scores in [0, 1]; what lies outside is spread by the least and the most of `seen`."""
    low, high = float(np.nanmin(seen.scores)), float(np.nanmax(seen.scores))
    if (np.nanmax(seen.scores, axis=1) == np.nanmin(seen.scores, axis=1)).all():
        raise TooLittle(f"All models score the same on each of {len(seen.ids)} training queries: there is nothing to choose by.")
    if low >= 0 and high <= 1:
        return seen, held
    first, second = (replace(one, scores=np.clip((one.scores - low) / (high - low), 0, 1)) for one in (seen, held))
    return first, second


def _fitted(family: str, seen: _Seen, held: _Seen, options: Options, setting: Setting) -> Router:
    """The best of the family's settings by dev, with what was calibrated there."""
    nobody = np.zeros((0, len(seen.models)), np.float32)
    nearest = (held.vectors @ seen.vectors.T).max(axis=1)
    blank = Router(
        family,
        setting.encoder.id if setting.encoder else "",
        seen.models,
        {} if family == "length" else {"queries": seen.vectors},
        _known_mean(seen.scores),
        seen.costs,
        seen.models[seen.strong],
        nobody,
        np.zeros(101, np.float32),
        reach=min(float(np.percentile(nearest, _FAR)), 0.999),
    )
    if family == "knn":
        tried = [
            replace(blank, arrays={**blank.arrays, "scores": seen.scores}, k=k) for k in ([options.k] if options.k else [32, 100, 300])
        ]
    elif family == "mf":
        tried = [replace(blank, arrays={**blank.arrays, **_factors(_Inputs(seen, family), seen.scores, options.rank, setting.seed)})]
    else:
        penalties = [options.ridge] if options.ridge else [0.3, 1.0, 3.0, 10.0, 30.0]
        tried = [replace(blank, arrays={**blank.arrays, **_logistics(_Inputs(seen, family), seen.scores, p)}) for p in penalties]
    best = min(tried, key=lambda router: _error(router, held))
    made, _ = best.qualities(held.vectors, held.words)
    best = replace(best, trust=_trust(made, held.scores))
    made, _ = best.qualities(held.vectors, held.words)
    return replace(best, held=made[:_HELD], prices=_prices(best, made, held.scores))


class _Inputs:
    """What linear maps read of queries: `values` (n, dim + 1), the vector and the logarithm of 1 + the number of words, standardised to a
    width beside vectors of length 1 (of .1 and .3, ridge regressions over five folds of RouteLLM's training halves did better with .3).
    For the family `length` (n, 1)."""

    def __init__(self, seen: _Seen, family: str) -> None:
        words: _Floats = np.log1p(np.asarray(seen.words, np.float32))[:, None]
        self.mean, self.scale = float(words.mean()), _WIDTH / max(float(words.std()), 1e-3)
        words = ((words - self.mean) * self.scale).astype(np.float32)
        self.values: _Floats = words if family == "length" else np.concatenate([seen.vectors, words], axis=1, dtype=np.float32)

    def arrays(self, weights: _Floats, bias: _Floats) -> dict[str, _Floats]:
        """The router's arrays of a map of `values`."""
        length = weights[-1] * np.float32(self.scale)
        made = {"length": length, "bias": bias - length * np.float32(self.mean)}
        return {"weights": weights[:-1], **made} if len(weights) > 1 else made


def _error(router: Router, held: _Seen) -> float:
    """Mean squared error of how much better a model is on a query than models are: what a choice by utility turns on."""
    made, _ = router.qualities(held.vectors, held.words)
    known = ~np.isnan(held.scores)
    return float(((_apart(made, known, (1,)) - _apart(held.scores, known, (1,))) ** 2).sum() / known.sum())


def _trust(made: _Floats, scores: _Floats) -> float:
    """Slope of what came true on what was predicted, both against the mean of the model and of the query, so that only what sets models
    apart on some queries and not on others counts; 0 where it is not above 0 beyond chance (errors by query)."""
    known = ~np.isnan(scores)
    told, true = _apart(made, known, (0, 1)), _apart(scores, known, (0, 1))
    spread = float((told**2).sum())
    if spread < 1e-9:
        return 0.0
    slope = float((told * true).sum()) / spread
    error = math.sqrt(float(((told * (true - slope * told)).sum(axis=1) ** 2).sum())) / spread
    return round(min(slope, 1.0), 4) if slope > _SURE * error else 0.0


def _apart(values: _Floats, known: NDArray[np.bool_], axes: Sequence[int]) -> _Floats:
    """What is known, less its mean along each axis in turn; 0 where nothing is known."""
    for axis in axes:
        values = np.where(known, values, np.float32(0.0))
        values = values - values.sum(axis=axis, keepdims=True) / np.maximum(known.sum(axis=axis, keepdims=True), 1)
    made: _Floats = np.where(known, values, np.float32(0.0))
    return made


def _prices(router: Router, made: _Floats, scores: _Floats) -> _Floats:
    """(101,) for each per cent of the strong model's mean score, the highest price up to which first choices keep it beyond chance
    (one side of 5 %, paired by query; prices are tried in order and the first that fails ends it). Where any choice is another than the
    strong model one more query counts, that it gets right and the choice wrong: that none of a few was lost does not say that none is."""
    strong = router.models.index(router.strong)
    kept = ~np.isnan(scores).any(axis=1)
    cheaper = router.costs < router.costs[strong]
    if not kept.any() or not cheaper.any():
        return np.zeros(101, np.float32)
    turns = ((made[:, [strong]] - made[:, cheaper]) / (router.costs[strong] - router.costs[cheaper])).ravel()
    prices = np.unique(np.concatenate([[0.0], np.quantile(np.maximum(turns, 0.0), np.linspace(0, 1, 201)) * 1.0001]).astype(np.float32))
    of = scores[kept].astype(np.float64)
    choices = np.stack([(made[kept] - price * router.costs).argmax(axis=1) for price in prices])
    picked = np.column_stack([of[np.arange(len(of)), choices], (choices == strong).all(axis=1)])
    always = np.append(of[:, strong], 1.0)
    found = np.zeros(101, np.float32)
    for percent in range(101):
        left = picked - percent / 100 * always
        fails = left.mean(axis=1) - _SURE * left.std(axis=1) / math.sqrt(len(always)) < -1e-9
        found[percent] = prices[max(int(np.argmax(fails)) - 1, 0)] if fails.any() else prices[-1]
    return found


def _values(router: Router | None, seen: _Seen) -> _Reals:
    """(n,) what each query counts, NaN where a score is missing."""
    if not seen.costs.any():
        whole = ~np.isnan(seen.scores).any(axis=1)
        picked = np.full(len(seen.ids), seen.strong)
        if router is not None:
            made, _ = router.qualities(seen.vectors, seen.words)
            known = [(seen.models.index(key), place) for place, key in enumerate(router.models) if key in seen.models]
            if known:
                here, there = map(np.array, zip(*known, strict=True))
                picked = here[made[:, there].argmax(axis=1)]
        return np.where(whole, seen.scores[np.arange(len(picked)), picked], np.nan).astype(np.float64)
    strong, weak = seen.scores[:, seen.strong].astype(np.float64), seen.scores[:, seen.weak].astype(np.float64)
    wish = np.zeros(len(seen.ids))
    if router is not None and {seen.models[seen.strong], seen.models[seen.weak]} <= set(router.models):
        made, _ = router.qualities(seen.vectors, seen.words)
        wish = (made[:, router.models.index(seen.models[seen.strong])] - made[:, router.models.index(seen.models[seen.weak])]).astype(float)
    order = np.sort(wish)
    # The share of thresholds at which the query goes to the weak model; equal wishes share their ranks.
    r = 1 - (np.searchsorted(order, wish, "left") + np.searchsorted(order, wish, "right")) / (2 * len(wish))
    made_of_both: _Reals = (1 - r) * strong + r * weak
    return made_of_both


def _logistics(inputs: _Inputs, scores: _Floats, penalty: float) -> dict[str, _Floats]:
    """One logistic regression a model. A score between 0 and 1 counts as that share of a success."""
    linear = need("sklearn.linear_model", "train")
    weights, bias = np.zeros((inputs.values.shape[1], scores.shape[1]), np.float32), np.zeros(scores.shape[1], np.float32)
    for model in range(scores.shape[1]):
        known = ~np.isnan(scores[:, model])
        y = np.clip(scores[known, model], 0, 1)
        x = np.concatenate([inputs.values[known], inputs.values[known]])
        share = np.concatenate([y, 1 - y])
        outcome = np.concatenate([np.ones(len(y)), np.zeros(len(y))])
        keep = share > 0
        if len(set(outcome[keep])) < 2:  # it is always right, or never
            bias[model] = 6.0 if y.mean() > 0.5 else -6.0
            continue
        fitted = linear.LogisticRegression(C=1 / penalty, max_iter=300).fit(x[keep], outcome[keep], sample_weight=share[keep])
        weights[:, model], bias[model] = fitted.coef_[0], fitted.intercept_[0]
    return inputs.arrays(weights, bias)


def _factors(inputs: _Inputs, scores: _Floats, rank: int, seed: int) -> dict[str, _Floats]:
    """logit(score) ~ (P v) · e_model + b_model by Adam on the cross-entropy; P (dim + 1, rank), e (rank, models). Given back multiplied."""
    torch = need("torch", "local")
    draw = torch.Generator().manual_seed(seed)
    x, y = torch.tensor(inputs.values), torch.tensor(np.nan_to_num(np.clip(scores, 0, 1)))
    known = torch.tensor(~np.isnan(scores))
    project = (torch.randn(x.shape[1], rank, generator=draw) * 0.3).requires_grad_()
    models = (torch.randn(rank, y.shape[1], generator=draw) * 0.3).requires_grad_()
    bias = torch.zeros(y.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([project, models, bias], lr=0.02, weight_decay=1e-4)
    for _ in range(200):
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ project @ models + bias, y, reduction="none")
        (loss[known].mean() + 1e-3 * ((project @ models) ** 2).mean() * x.shape[1]).backward()
        optimizer.step()
    return inputs.arrays((project @ models).detach().numpy(), bias.detach().numpy())
