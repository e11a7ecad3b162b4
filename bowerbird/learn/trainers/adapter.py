"""Trains a query adapter on vectors that are made once: seconds, not hours, and nothing is embedded again.

It knows groups and a frozen encoder; no store, and not how a search uses what it makes (`components/adapter.py`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bowerbird.components.adapter import SHARED, QueryAdapter
from bowerbird.errors import InvalidInput
from bowerbird.kinds import kind
from bowerbird.learn.groups import Group
from bowerbird.learn.losses.graded import graded
from bowerbird.learn.losses.infonce import infonce
from bowerbird.learn.trainer import Fit, Setting, Trainer, chosen, gain_at
from bowerbird.need import need
from bowerbird.ports import Encoder, Vectors

__all__ = ["AdapterTrainer", "Options"]

_CHUNK = 256  # groups that are encoded at a time
_ENCODING = 0.6  # of the time, at most
_OWN = 16  # candidates of a group that are told apart, the best
_QUANTILES = (0.5, 0.99)  # of inner products with keys that do not help, at which adapted ones are brought to plain ones
_LOOKED = 500  # queries and
_AGAINST = 2000  # keys that quantiles and the dev measure are taken of


@dataclass(frozen=True)
class Options:
    """`rank` of each map, 0 = a full matrix. `steps` at most, of `batch` queries against up to `pool` keys each; `rate` of Adam, `decay`
    towards no change, `temperature` of the inner products. A look at dev every `look` steps, over after `patience` of them without gain."""

    rank: int = 32
    steps: int = 1500
    batch: int = 128
    pool: int = 4096
    rate: float = 0.003
    decay: float = 0.01
    temperature: float = 0.05
    look: int = 50
    patience: int = 5


class AdapterTrainer(Trainer):
    """Low-rank residual maps, one for each kind and one that kinds share, trained on vectors of the frozen encoder.

    Rewarded groups by graded distillation, others by InfoNCE (`learn/losses/`), each query against its own candidates and the pool of
    all keys of its kind; a batch is of one kind and source. A shared map is trained where there are two kinds or more: with one there
    is nothing to share, and kinds without data then stay as they are, to the bit. Maps begin at no change and decay towards it
    (AdamW), and the best look at dev is kept, no change included.
    Cost: one encoding of the distinct texts, then some seconds; the measured ones are in LOG.md.
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
        known = _Known(setting, train_groups=_in_order(self.usable(train)), dev_groups=_in_order(self.usable(dev)), until=until)
        encoded = time.monotonic()
        maps, curve = _trained(known, options, setting, until)
        plain = QueryAdapter(setting.encoder.id, maps)
        adapter = QueryAdapter(setting.encoder.id, maps, _levels(known, plain))
        about = {
            "groups": len(known.train),
            "keys": {name: len(rows) for name, rows in known.pools.items()},
            "seconds": {"encoding": round(encoded - began, 1), "training": round(time.monotonic() - encoded, 1)},
            "levels": {name: [round(scale, 4), round(shift, 4)] for name, (scale, shift) in adapter.levels.items()},
            "change": {name or "shared": round(change, 4) for name, change in _changes(known, adapter).items()},
        }
        return Fit(adapter, tuple(curve), about)


@dataclass(frozen=True)
class _Row:
    """A group as numbers: its query's row, its candidates' rows best first, their weights (log, None = only the helpful are known)."""

    kind: str
    source: str
    query: int
    own: tuple[int, ...]
    rewards: tuple[float, ...] | None
    helps: frozenset[int]
    labels: Mapping[int, float]
    weight: float


class _Known:
    """Groups with their vectors; keys and queries each encoded once. Groups that the time did not reach are left out."""

    def __init__(self, setting: Setting, train_groups: Sequence[Group], dev_groups: Sequence[Group], until: float | None) -> None:
        encoder = setting.encoder
        assert encoder is not None
        order = np.random.default_rng(setting.seed).permutation(len(train_groups))
        mixed = [*dev_groups, *(train_groups[i] for i in order)]
        queries, keys = _Texts(encoder, True), _Texts(encoder, False)
        stop = None if until is None else time.monotonic() + _ENCODING * (until - time.monotonic())
        self.train: list[_Row] = []
        self.dev: list[_Row] = []
        for start in range(0, len(mixed), _CHUNK):
            if stop is not None and time.monotonic() > stop and self.train:
                break
            chunk = mixed[start : start + _CHUNK]
            queries.add([(group.kind, group.query) for group in chunk])
            keys.add([(group.kind, candidate.text) for group in chunk for candidate in group.candidates])
            for place, group in enumerate(chunk, start):
                (self.dev if place < len(dev_groups) else self.train).append(_row(group, queries.rows, keys.rows))
            if setting.progress:
                setting.progress("encoding", min(start + _CHUNK, len(mixed)), len(mixed))
        if not self.dev:  # a tenth of the training groups decides when to stop
            self.dev, self.train = self.train[::10], [row for place, row in enumerate(self.train) if place % 10]
        self.queries, self.keys = queries.vectors(), keys.vectors()
        self.pools: dict[str, list[int]] = {}
        for (name, _), number in keys.rows.items():
            self.pools.setdefault(name, []).append(number)


class _Texts:
    """Distinct (kind, text) pairs and their vectors, encoded as a search or an index does it."""

    def __init__(self, encoder: Encoder, asked: bool) -> None:
        self._encoder, self._asked = encoder, asked
        self._made: list[Vectors] = []
        self.rows: dict[tuple[str, str], int] = {}

    def add(self, pairs: Sequence[tuple[str, str]]) -> None:
        fresh = [pair for pair in dict.fromkeys(pairs) if pair not in self.rows]
        texts = [text for _, text in fresh]
        if self._encoder.instructed:
            texts = [(kind(name).query_instruction if self._asked else kind(name).key_instruction) + text for name, text in fresh]
        if texts:
            self._made.append(self._encoder.encode(texts))
        for pair in fresh:
            self.rows[pair] = len(self.rows)

    def vectors(self) -> Vectors:
        return np.concatenate(self._made) if self._made else np.zeros((0, self._encoder.dim), np.float32)


def _in_order(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: (group.id, group.kind, group.source))


def _row(group: Group, queries: Mapping[tuple[str, str], int], keys: Mapping[tuple[str, str], int]) -> _Row:
    number = {candidate.key: keys[group.kind, candidate.text] for candidate in group.candidates}
    helps = group.positives
    if group.rewarded:
        best = sorted(group.candidates, key=lambda c: (-(c.reward or 0.0), c.key))[:_OWN]
        # Rewards are masses (`smooth`): their logarithms have the softmax that gives them back.
        rewards: tuple[float, ...] | None = tuple(float(np.log(max(c.reward or 0.0, 1e-6))) for c in best)
        labels = {number[c.key]: max(c.reward or 0.0, 0.0) for c in group.candidates}
    else:
        best, rewards = list(helps[:_OWN]), None
        labels = {number[c.key]: c.label for c in helps}
    own = tuple(dict.fromkeys(number[c.key] for c in best))
    if rewards is not None and len(own) < len(best):  # two records of one text
        rewards = tuple({number[c.key]: value for c, value in zip(reversed(best), reversed(rewards), strict=True)}[row] for row in own)
    return _Row(
        group.kind,
        group.source,
        queries[group.kind, group.query],
        own,
        rewards,
        frozenset(number[c.key] for c in helps),
        labels,
        group.weight,
    )


def _trained(
    known: _Known, options: Options, setting: Setting, until: float | None
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
    optimiser = torch.optim.AdamW([f for factors in maps.values() for f in factors], lr=options.rate, weight_decay=options.decay)
    blocks = _blocks(known.train)
    chances = torch.tensor([float(len(rows)) for rows in blocks])
    best, kept, worse = -1.0, _numbers(maps), 0
    curve: list[Mapping[str, float]] = []
    total = 0.0
    for step in range(options.steps + 1):
        if step % options.look == 0 or step == options.steps:
            dev = _measured(known, QueryAdapter("", _numbers(maps)))
            curve.append({"step": float(step), "loss": total / max(1, step % options.look or options.look), "dev": dev})
            total = 0.0
            if setting.progress:
                setting.progress("training", step, options.steps)
            worse = 0 if dev > best + 1e-4 else worse + 1
            if dev > best + 1e-4:
                best, kept = dev, _numbers(maps)
            if worse > options.patience or (until is not None and time.monotonic() > until):
                break
        rows = blocks[int(torch.multinomial(chances, 1, generator=generator))]
        weights = torch.tensor([row.weight for row in rows])
        drawn = [rows[i] for i in torch.multinomial(weights, options.batch, replacement=True, generator=generator).tolist()]
        loss = _loss(torch, drawn, known, queries, keys, maps, options, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += float(loss.detach())
    return kept, curve


def _blocks(rows: Sequence[_Row]) -> list[list[_Row]]:
    """Rows of one kind, source and objective each: batches are homogeneous."""
    found: dict[tuple[str, str, bool], list[_Row]] = {}
    for row in rows:
        found.setdefault((row.kind, row.source, row.rewards is not None), []).append(row)
    return [found[name] for name in sorted(found)]


def _loss(
    torch: Any,
    rows: Sequence[_Row],
    known: _Known,
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
    column = {number: place for place, number in enumerate(pool)}
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
        others = [column[number] for number in row.helps if number in column]
        allowed[place, others] = False
    if rows[0].rewards is None:  # one of the helpful, drawn; the others do not count against it
        draws = torch.rand(len(rows), generator=generator).tolist()
        own = torch.tensor([[column[row.own[int(draw * len(row.own))]]] for row, draw in zip(rows, draws, strict=True)])
        return infonce(scores, own, torch.zeros(own.shape), allowed)
    width = max(len(row.own) for row in rows)
    own = torch.tensor([[column[n] for n in row.own] + [column[row.own[-1]]] * (width - len(row.own)) for row in rows])
    rewards = torch.tensor([[*(row.rewards or ()), *[float("-inf")] * (width - len(row.own))] for row in rows])
    return graded(scores, own, rewards, allowed)


def _numbers(maps: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Vectors, ...]]:
    return {name: tuple(factor.detach().numpy().copy() for factor in factors) for name, factors in maps.items()}


def _measured(known: _Known, adapter: QueryAdapter) -> float:
    """Mean over kinds of nDCG@10 of dev queries among the keys of their kind."""
    means = []
    for name, rows in _by_kind(known.dev).items():
        pool = np.array(known.pools[name])
        rows = rows[:_LOOKED]
        scores = adapter.apply(known.queries[[row.query for row in rows]], name) @ known.keys[pool].T
        best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
        gains = [
            gain_at(10, [row.labels.get(int(n), 0.0) for n in pool[top]], list(row.labels.values()))
            for row, top in zip(rows, best, strict=True)
        ]
        means.append(sum(gains) / len(gains))
    return sum(means) / len(means) if means else 0.0


def _by_kind(rows: Sequence[_Row]) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = {}
    for row in rows:
        found.setdefault(row.kind, []).append(row)
    return found


def _levels(known: _Known, adapter: QueryAdapter) -> dict[str, tuple[float, float]]:
    """For each map (scale, shift): two quantiles of the adapted inner products with keys that do not help, brought to the plain ones."""
    found: dict[str, tuple[float, float]] = {}
    every: list[tuple[float, float]] = []
    for name, rows in _by_kind([*known.dev, *known.train]).items():
        rows, pool = rows[:_LOOKED], known.pools[name][:_AGAINST]
        asked = known.queries[[row.query for row in rows]]
        unhelpful = np.array([[number not in row.helps for number in pool] for row in rows])
        for kept, one in ((True, name), (False, SHARED)):
            plain, mapped = asked @ known.keys[pool].T, adapter.apply(asked, one) @ known.keys[pool].T
            if not unhelpful.any():
                continue
            (low, high), (was_low, was_high) = np.quantile(mapped[unhelpful], _QUANTILES), np.quantile(plain[unhelpful], _QUANTILES)
            scale = float((was_high - was_low) / (high - low)) if high > low else 1.0
            level = (scale, float(was_low - scale * low))
            if kept:
                found[name] = level
            else:
                every.append(level)
    if SHARED in adapter.maps and every:
        found[SHARED] = (sum(scale for scale, _ in every) / len(every), sum(shift for _, shift in every) / len(every))
    return found


def _changes(known: _Known, adapter: QueryAdapter) -> dict[str, float]:
    """1 - cos of a query before and after, the mean, for each kind and for a kind that has no map of its own."""
    found = {}
    for name, rows in _by_kind(known.dev).items():
        asked = known.queries[[row.query for row in rows[:_LOOKED]]]
        found[name] = 1.0 - float((asked * adapter.apply(asked, name)).sum(1).mean())
    asked = known.queries[[row.query for row in known.dev[:_LOOKED]]]
    found[SHARED] = 1.0 - float((asked * adapter.apply(asked, SHARED)).sum(1).mean()) if len(asked) else 0.0
    return found
