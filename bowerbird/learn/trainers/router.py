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
from bowerbird.learn.trainer import Fit, Scores, Setting, TooLittle, Trainer, chosen
from bowerbird.need import need

__all__ = ["Options", "RouterTrainer"]

_Floats = NDArray[np.float32]
_TRUST = 5.0  # percentile of the cosine of held-out queries to the nearest one seen, under which the router abstains


@dataclass(frozen=True)
class Options:
    """`family`: knn, mf, logistic, length, or best (the first three, by dev). `k` neighbours; `rank` of the factorisation; `ridge`: the
    strength of the penalty on linear maps, 0 = the best of a few by dev."""

    family: str = "best"
    k: int = 32
    rank: int = 16
    ridge: float = 0.0


class RouterTrainer(Trainer):
    """Fits the families of `components/router.py`, each on the vectors of the frozen encoder (RouteLLM, arXiv 2406.18665, section 4).

    Differs: trained on scores of both models for each query where the paper has human preferences for one pair; any number of models;
    the logistic map stands for its BERT classifier. Judged by the mean score over all thresholds (APGR up to the scale): a query
    whose wish for the strong model is higher than that of the share 1 - r of the others counts (1 - r) of the strong model's score and r of
    the weak one's; without a router r is a half. Cost: one encoding of the queries, then seconds.
    """

    component: ClassVar[str] = "router"

    def usable(self, groups: Sequence[Group]) -> list[Group]:
        """Groups of models of which at least two have scores."""
        return [g for g in groups if g.kind == "model" and sum(candidate.raw is not None for candidate in g.candidates) > 1]

    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        options = chosen(Options(), setting.options)
        if options.family not in (*FAMILIES, "best"):
            raise UnknownName("family of routers", options.family, (*FAMILIES, "best"))
        if setting.encoder is None:
            raise InvalidInput(
                "A router reads queries through a dense encoder, and none is set up (pip install 'bowerbird[openvino,weights]')."
            )
        seen = _Seen.of(self.usable(train), setting)
        held = _Seen.of(self.usable(dev) or self.usable(train), setting, seen.models)
        families = [options.family] if options.family != "best" else ["knn", "mf", "logistic"]
        made = {family: _fitted(family, seen, held, options, setting) for family in families}
        found = {family: float(np.mean(_areas(router, held))) for family, router in made.items()}
        best = max(families, key=lambda family: found[family])
        nothing = float(np.mean((held.scores[:, seen.strong] + held.scores[:, seen.weak]) / 2))
        return Fit(
            made[best], ({"step": 0.0, "dev": nothing}, {"step": 1.0, "dev": found[best]}), {"dev": found, "queries": len(seen.vectors)}
        )

    def scores(self, groups: Sequence[Group], component: Any | None, setting: Setting) -> Scores:
        """query id -> what it counts, as said above."""
        models = component.models if component is not None else None
        seen = _Seen.of(self.usable(groups), setting, models)
        if component is None:
            areas = (seen.scores[:, seen.strong] + seen.scores[:, seen.weak]) / 2
        else:
            areas = _areas(component, seen)
        return {"model": {id: float(value) for id, value in zip(seen.ids, areas, strict=True) if math.isfinite(value)}}


@dataclass(frozen=True)
class _Seen:
    """Queries as numbers: `vectors` (n, dim), `words` (n,), `scores` (n, models) with NaN where a model has none."""

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
        named = tuple(models or sorted({candidate.key for group in groups for candidate in group.candidates}))
        place = {key: i for i, key in enumerate(named)}
        scores = np.full((len(groups), len(named)), np.nan, np.float32)
        costs = np.full((len(groups), len(named)), np.nan, np.float32)
        for row, group in enumerate(groups):
            for candidate in group.candidates:
                if candidate.raw is not None and candidate.key in place:
                    scores[row, place[candidate.key]] = candidate.raw
            for key, dollars in group.about.get("costs", {}).items():
                if key in place:
                    costs[row, place[key]] = dollars
        if len(named) < 2 or not groups:
            raise TooLittle(f"A router chooses among at least two models; {len(named)} have scores.")
        low, high = np.nanmin(scores), np.nanmax(scores)
        if low == high:
            raise TooLittle(f"Every model scores {low:g} on every query: there is nothing to choose by.")
        scores = (scores - low) / (high - low) if low < 0 or high > 1 else scores
        quality, dollars = np.nan_to_num(np.nanmean(scores, axis=0)), _known_mean(costs)
        strong = int(np.argmax(quality))
        others = [i for i in range(len(named)) if i != strong]
        weak = min(others, key=lambda i: (dollars[i], quality[i]))
        vectors = setting.encoder.encode([group.query for group in groups])
        words = tuple(len(group.query.split()) for group in groups)
        return cls(tuple(g.id for g in groups), named, vectors, words, scores, dollars, strong, weak)


def _known_mean(costs: _Floats) -> _Floats:
    known = ~np.isnan(costs)
    made: _Floats = (np.nansum(costs, axis=0) / np.maximum(known.sum(axis=0), 1)).astype(np.float32)
    return made


def _fitted(family: str, seen: _Seen, held: _Seen, options: Options, setting: Setting) -> Router:
    prior = np.nan_to_num(np.nanmean(seen.scores, axis=0)).astype(np.float32)
    blank = Router(
        family,
        setting.encoder.id if setting.encoder else "",
        seen.models,
        {},
        prior,
        seen.costs,
        seen.models[seen.strong],
        seen.models[seen.weak],
        np.zeros(101, np.float32),
        k=options.k,
    )
    queries = {"queries": seen.vectors}
    if family == "knn":
        made = replace(blank, arrays={**queries, "scores": seen.scores})
    elif family == "mf":
        made = replace(blank, arrays={**queries, **_factors(seen, options.rank, setting.seed)})
    else:
        inputs = np.log1p(np.asarray(seen.words, np.float32))[:, None] if family == "length" else seen.vectors
        penalties = [options.ridge] if options.ridge else [0.3, 1.0, 3.0, 10.0]
        tried = [
            replace(blank, arrays={**(queries if family != "length" else {}), **_logistics(inputs, seen.scores, p)}) for p in penalties
        ]
        made = max(tried, key=lambda router: float(np.mean(_areas(router, held))))
    nearest = (held.vectors @ seen.vectors.T).max(axis=1)
    reach = float(np.percentile(nearest, _TRUST)) if family != "length" else -1.0
    made = replace(made, reach=min(reach, 0.999))
    return replace(made, wishes=np.percentile(_wishes(made, held), np.arange(101)).astype(np.float32))


def _wishes(router: Router, seen: _Seen) -> _Floats:
    made, _ = router.qualities(seen.vectors, seen.words)
    wish: _Floats = made[:, router.models.index(router.strong)] - made[:, router.models.index(router.weak)]
    return wish


def _areas(router: Router, seen: _Seen) -> NDArray[np.float64]:
    """(n,) what each query counts over all thresholds; equal wishes share their ranks."""
    wish = _wishes(router, seen).astype(np.float64)
    higher = (
        (wish[None, :] > wish[:, None]).mean(axis=1) if len(wish) < 3000 else 1 - np.searchsorted(np.sort(wish), wish, "right") / len(wish)
    )
    equal = np.array([np.searchsorted(np.sort(wish), w, "right") - np.searchsorted(np.sort(wish), w, "left") for w in wish]) / len(wish)
    r = higher + equal / 2
    strong = seen.scores[:, seen.models.index(router.strong)]
    weak = seen.scores[:, seen.models.index(router.weak)]
    made: NDArray[np.float64] = (1 - r) * strong + r * weak
    return made


def _logistics(inputs: _Floats, scores: _Floats, penalty: float) -> dict[str, _Floats]:
    """One logistic regression a model. A score between 0 and 1 counts as that share of a success."""
    linear = need("sklearn.linear_model", "train")
    weights, bias = np.zeros((inputs.shape[1], scores.shape[1]), np.float32), np.zeros(scores.shape[1], np.float32)
    for model in range(scores.shape[1]):
        known = ~np.isnan(scores[:, model])
        y = np.clip(scores[known, model], 0, 1)
        x = np.concatenate([inputs[known], inputs[known]])
        share = np.concatenate([y, 1 - y])
        outcome = np.concatenate([np.ones(len(y)), np.zeros(len(y))])
        keep = share > 0
        if len(set(outcome[keep])) < 2:  # it is always right, or never
            bias[model] = 6.0 if y.mean() > 0.5 else -6.0
            continue
        fitted = linear.LogisticRegression(C=1 / penalty, max_iter=300).fit(x[keep], outcome[keep], sample_weight=share[keep])
        weights[:, model], bias[model] = fitted.coef_[0], fitted.intercept_[0]
    return {"weights": weights, "bias": bias}


def _factors(seen: _Seen, rank: int, seed: int) -> dict[str, _Floats]:
    """logit(score) ~ (P v) · e_model + b_model by Adam on the cross-entropy; P (dim, rank), e (rank, models). Given back multiplied."""
    torch = need("torch", "local")
    draw = torch.Generator().manual_seed(seed)
    x, y = torch.tensor(seen.vectors), torch.tensor(np.nan_to_num(np.clip(seen.scores, 0, 1)))
    known = torch.tensor(~np.isnan(seen.scores))
    project = (torch.randn(x.shape[1], rank, generator=draw) * 0.3).requires_grad_()
    models = (torch.randn(rank, y.shape[1], generator=draw) * 0.3).requires_grad_()
    bias = torch.zeros(y.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([project, models, bias], lr=0.02, weight_decay=1e-4)
    for _ in range(200):
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ project @ models + bias, y, reduction="none")
        (loss[known].mean() + 1e-3 * ((project @ models) ** 2).mean() * x.shape[1]).backward()
        optimizer.step()
    return {"weights": (project @ models).detach().numpy(), "bias": bias.detach().numpy()}
