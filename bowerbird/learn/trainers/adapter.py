"""Trains a query adapter on vectors that are made once: seconds, not hours, and nothing is embedded again.

It knows groups and a frozen encoder; no store, and not how a search uses what it makes (`components/adapter.py`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bowerbird.components.adapter import SHARED, QueryAdapter
from bowerbird.errors import InvalidInput
from bowerbird.learn.encoded import Known, Row, by_kind
from bowerbird.learn.groups import Group
from bowerbird.learn.losses.graded import graded
from bowerbird.learn.losses.infonce import infonce
from bowerbird.learn.trainer import Fit, Setting, Trainer, chosen
from bowerbird.need import need
from bowerbird.ports import Vectors

__all__ = ["AdapterTrainer", "Options"]

_UPPER = np.linspace(0.5, 0.98, 25)  # quantiles of what questions from elsewhere score at best
_LOOKED = 500  # queries and
_AGAINST = 2000  # keys that levels and the dev measure are taken of


@dataclass(frozen=True)
class Options:
    """`rank` of each map, 0 = a full matrix. `steps` at most, of `batch` queries against up to `pool` keys each; `rate` of Adam, `pull`
    towards no change, `temperature` of the inner products. A look at dev every `look` steps, over after `patience` of them without gain.
    What is looked at and kept is the maps' moving average (`average`: its decay a step, 0 = the last step's)."""

    rank: int = 0
    steps: int = 1500
    batch: int = 128
    pool: int = 4096
    rate: float = 0.0005
    pull: float = 1.0
    temperature: float = 0.05
    look: int = 50
    patience: int = 10
    average: float = 0.99


class AdapterTrainer(Trainer):
    """Residual maps, one for each kind and one that kinds share, trained on vectors of the frozen encoder.

    Rewarded groups by graded distillation, others by InfoNCE (`learn/losses/`), each query against its own candidates and the pool of
    all keys of its kind; a batch is of one kind and source. A shared map is trained where there are two kinds or more: with one there
    is nothing to share, and kinds without data then stay as they are, to the bit. Maps begin at no change and are pulled
    back to it (`pull`); the best look at dev is kept, no change included. A key that helps a training query of the same answer is no
    negative: the label of a class is on hundreds of examples, of which a group names a few.
    Measured on MetaTool's held-out requests (199 tools, n=4,296, all-MiniLM-L6-v2, seed 0): nDCG@5 0.646 plain, 0.862 from 4,516
    groups. Of 300 NQ questions 6 % score 0.3 or more with some tool, 7 % plainly; of the right tools of 600 requests 79 %, 61 % plainly
    (`benchmarks/adapter.py`). Differs from LoRA: full matrices by default; rank 32 gave 0.849 there. Cost: one encoding of the distinct
    queries, and of the keys that the bower does not hold; then some seconds.
    """

    component: ClassVar[str] = "adapter"

    def usable(self, groups: Sequence[Group]) -> list[Group]:
        """Groups with a candidate that helps or with rewards."""
        return [group for group in groups if group.positives or group.rewarded]

    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        options = chosen(Options(), setting.options)
        if setting.encoder is None:
            raise InvalidInput("An adapter is trained for a dense encoder, and none is set up (pip install 'bowerbird[openvino,weights]').")
        began = time.monotonic()
        until = None if setting.seconds is None else began + setting.seconds
        known = Known(self.usable(train), self.usable(dev), setting, until)
        encoded = time.monotonic()
        maps, curve = _trained(known, options, setting, until)
        plain = QueryAdapter(setting.encoder.id, maps)
        adapter = QueryAdapter(setting.encoder.id, maps, _levels(known, plain))
        about = {
            "groups": len(known.train),
            "keys": {name: len(rows) for name, rows in known.pools.items()},
            "seconds": {"encoding": round(encoded - began, 1), "training": round(time.monotonic() - encoded, 1)},
            "levels": {name or "shared": round(level, 4) for name, level in adapter.levels.items()},
            "change": {name or "shared": round(change, 4) for name, change in _changes(known, adapter).items()},
        }
        return Fit(adapter, tuple(curve), about)


def _trained(
    known: Known, options: Options, setting: Setting, until: float | None
) -> tuple[dict[str, tuple[Vectors, ...]], list[Mapping[str, float]]]:
    torch = need("torch", "local")
    generator = torch.Generator().manual_seed(setting.seed)
    queries, keys = torch.from_numpy(known.queries), torch.from_numpy(known.keys)
    kinds = sorted({row.kind for row in known.train})
    dim = known.queries.shape[1]
    maps: dict[str, list[Any]] = {}
    for name in [*([SHARED] if len(kinds) > 1 else []), *kinds]:
        if options.rank:
            into = torch.randn(dim, options.rank, generator=generator) / dim**0.5
            maps[name] = [into.requires_grad_(), torch.zeros(options.rank, dim, requires_grad=True)]
        else:
            maps[name] = [torch.zeros(dim, dim, requires_grad=True)]
    optimiser = torch.optim.Adam([f for factors in maps.values() for f in factors], lr=options.rate)
    blocks = _blocks(known.train)
    chances = torch.tensor([float(len(rows)) for rows in blocks])
    averaged = {name: [factor.detach().clone() for factor in factors] for name, factors in maps.items()}
    best, kept, worse = -1.0, _numbers(averaged), 0
    curve: list[Mapping[str, float]] = []
    total = 0.0
    for step in range(options.steps + 1):
        if step % options.look == 0 or step == options.steps:
            dev = _measured(known, QueryAdapter("", _numbers(averaged)))
            curve.append({"step": float(step), "loss": total / max(1, step % options.look or options.look), "dev": dev})
            total = 0.0
            if setting.progress:
                setting.progress("training", step, options.steps)
            worse = 0 if dev > best + 1e-4 else worse + 1
            if dev > best + 1e-4:
                best, kept = dev, _numbers(averaged)
            if worse > options.patience or (until is not None and time.monotonic() > until):
                break
        rows = blocks[int(torch.multinomial(chances, 1, generator=generator))]
        weights = torch.tensor([row.weight for row in rows])
        drawn = [rows[i] for i in torch.multinomial(weights, options.batch, replacement=True, generator=generator).tolist()]
        loss = _loss(torch, drawn, known, queries, keys, maps, options, generator) + options.pull * _strength(maps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay = min(options.average, (1 + step) / (10 + step))  # at the beginning short, or no change would be most of it
        with torch.no_grad():
            for name, factors in maps.items():
                for slow, factor in zip(averaged[name], factors, strict=True):
                    slow.lerp_(factor, 1 - decay)
        total += float(loss.detach())
    return kept, curve


def _blocks(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of one kind, source and objective each: batches are homogeneous."""
    found: dict[tuple[str, str, bool], list[Row]] = {}
    for row in rows:
        found.setdefault((row.kind, row.source, row.rewards is not None), []).append(row)
    return [found[name] for name in sorted(found)]


def _loss(
    torch: Any,
    rows: Sequence[Row],
    known: Known,
    queries: Any,
    keys: Any,
    maps: Mapping[str, Sequence[Any]],
    options: Options,
    generator: Any,
) -> Any:
    pool = known.pools[rows[0].kind]
    if len(pool) > options.pool:
        drawn = torch.randperm(len(pool), generator=generator)[: options.pool].tolist()
        pool = list(dict.fromkeys([*(number for row in rows for number in row.own), *(pool[i] for i in drawn)]))
    column = np.full(len(keys), -1)
    column[pool] = np.arange(len(pool))
    asked = queries[[row.query for row in rows]]
    mapped = asked
    for name in (SHARED, rows[0].kind):
        if name in maps:
            residual = asked
            for factor in maps[name]:
                residual = residual @ factor
            mapped = mapped + residual
    mapped = torch.nn.functional.normalize(mapped, dim=1)
    scores = mapped @ keys[pool].T / options.temperature
    allowed = torch.ones_like(scores, dtype=torch.bool)
    for place, row in enumerate(rows):
        others = column[np.concatenate([row.alike, row.helps]).astype(int)]
        allowed[place, others[others >= 0]] = False
    if rows[0].rewards is None:  # one of the helpful, drawn; the others do not count against it
        draws = torch.rand(len(rows), generator=generator).tolist()
        own = torch.tensor([[int(column[row.own[int(draw * len(row.own))]])] for row, draw in zip(rows, draws, strict=True)])
        return infonce(scores, own, torch.zeros(own.shape), allowed)
    width = max(len(row.own) for row in rows)
    own = torch.tensor([column[[*row.own, *[row.own[-1]] * (width - len(row.own))]].tolist() for row in rows])
    rewards = torch.tensor([[*(row.rewards or ()), *[float("-inf")] * (width - len(row.own))] for row in rows])
    return graded(scores, own, rewards, allowed)


def _strength(maps: Mapping[str, Sequence[Any]]) -> Any:
    """The mean squared change of a random direction, summed over the maps: what a query unlike those trained on would suffer."""
    whole = [factors[0] if len(factors) == 1 else factors[0] @ factors[1] for factors in maps.values()]
    return sum((residual**2).sum() / residual.shape[0] for residual in whole)


def _numbers(maps: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Vectors, ...]]:
    return {name: tuple(factor.detach().numpy().copy() for factor in factors) for name, factors in maps.items()}


def _measured(known: Known, adapter: QueryAdapter) -> float:
    """Mean over kinds of nDCG@10 of dev queries among the keys of their kind."""
    means = []
    for name, rows in by_kind(known.dev).items():
        pool = np.array(known.pools[name])
        rows = rows[:_LOOKED]
        scores = adapter.apply(known.queries[[row.query for row in rows]], name) @ known.keys[pool].T
        best = _first(scores, 10)
        gains = [row.gain(10, pool[top].tolist()) for row, top in zip(rows, best, strict=True)]
        means.append(sum(gains) / len(gains))
    return sum(means) / len(means) if means else 0.0


def _first(scores: Vectors, k: int) -> NDArray[np.int64]:
    """(rows, k) columns of the highest scores, in order."""
    few = np.sort(np.argpartition(-scores, min(k, scores.shape[1]) - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(scores, few, 1), axis=1, kind="stable")
    return np.take_along_axis(few, order, 1)


def _levels(known: Known, adapter: QueryAdapter) -> dict[str, float]:
    """For each map what its scores are moved by, so that a threshold which at most half of the questions from elsewhere passed lets no
    more of them through than it did: by as much as the upper quantiles of their best scores need. What a single quantile needs differs by
    .03 from one set of questions to another."""
    found: dict[str, float] = {}
    pools = {name: known.keys[pool[:_AGAINST]] for name, pool in known.pools.items()}
    for name in adapter.maps:
        mapped = adapter.apply(known.elsewhere, name)
        moved = [
            (np.quantile((known.elsewhere @ keys.T).max(1), _UPPER) - np.quantile((mapped @ keys.T).max(1), _UPPER)).min()
            for keys in ([pools[name]] if name in pools else pools.values())
        ]
        found[name] = float(np.mean(moved))
    return found


def _changes(known: Known, adapter: QueryAdapter) -> dict[str, float]:
    """1 - cos of a query before and after, the mean, for each kind and for a kind that has no map of its own."""
    found = {}
    for name, rows in by_kind(known.dev).items():
        asked = known.queries[[row.query for row in rows[:_LOOKED]]]
        found[name] = 1.0 - float((asked * adapter.apply(asked, name)).sum(1).mean())
    asked = known.queries[[row.query for row in known.dev[:_LOOKED]]]
    found[SHARED] = 1.0 - float((asked * adapter.apply(asked, SHARED)).sum(1).mean()) if len(asked) else 0.0
    return found
