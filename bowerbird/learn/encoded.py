"""Training groups as numbers: every distinct text encoded once by a frozen encoder, groups as rows of those vectors.

It knows groups, an encoder, and a bower whose vectors it takes where there are; not what is trained on them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bowerbird.kinds import kind
from bowerbird.learn.elsewhere import QUESTIONS
from bowerbird.learn.groups import Group, alike
from bowerbird.learn.trainer import Bench, Setting, gain_at
from bowerbird.ports import Encoder, Vectors

__all__ = ["Known", "Row", "by_kind"]

_CHUNK = 256  # groups that are encoded at a time
_ENCODING = 0.6  # of the time, at most
_OWN = 16  # candidates of a group that are told apart, the best

_NONE: NDArray[np.int64] = np.zeros(0, np.int64)
_Pair = tuple[str, str]  # kind and text


@dataclass(frozen=True)
class Row:
    """A group as numbers: its query's row, its candidates' rows best first, their weights (log, None = only the helpful are known).

    `helps`: rows of its candidates that help; `alike`: rows that are known to help a query of the same gold output, as an array that
    such queries share (a label is on thousands of keys). `labels`: what its own candidates are worth.
    """

    kind: str
    source: str
    query: int
    own: tuple[int, ...]
    rewards: tuple[float, ...] | None
    helps: tuple[int, ...]
    alike: NDArray[np.int64]
    labels: Mapping[int, float]
    weight: float

    def gain(self, k: int, ranked: Sequence[int]) -> float:
        """nDCG@k of keys in ranked order. What is alike is worth 1 where its own candidates do not say otherwise and nobody scored them."""
        if self.rewards is not None or not len(self.alike):
            return gain_at(k, [self.labels.get(row, 0.0) for row in ranked], list(self.labels.values()))
        more = set(self.alike[np.isin(self.alike, ranked)].tolist())
        others = len(self.alike) - int(np.isin(list(self.labels), self.alike).sum())
        every = [*self.labels.values(), *[1.0] * min(k, others)]
        return gain_at(k, [self.labels.get(row, float(row in more)) for row in ranked], every)


class Known:
    """Groups with their vectors; keys and queries each encoded once. The order they come in does not show.

    `train`, `dev`: rows; a tenth of the training groups is dev where there is none. `queries`, `keys`: (n, dim). `pools`: kind -> rows of
    its keys. `elsewhere`: (n, dim), questions of all sorts. What the bower holds of keys is not encoded again. Encoding takes up to
    0.6 of the time that is left until `until` (`time.monotonic`); training groups that it does not reach are left out.
    """

    def __init__(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting, until: float | None) -> None:
        train_groups, dev_groups = _in_order(train), _in_order(dev)
        encoder = setting.encoder
        assert encoder is not None
        order = np.random.default_rng(setting.seed).permutation(len(train_groups))
        mixed = [*dev_groups, *(train_groups[i] for i in order)]
        queries, keys = _Texts(encoder, True), _Texts(encoder, False)
        held = _held(setting.bench, encoder, mixed)
        stop = None if until is None else time.monotonic() + _ENCODING * (until - time.monotonic())
        reached = 0
        for start in range(0, len(mixed), _CHUNK):
            if stop is not None and time.monotonic() > stop and reached > len(dev_groups):
                break
            chunk = mixed[start : start + _CHUNK]
            queries.add([(group.kind, group.query) for group in chunk])
            keys.add([(group.kind, candidate.text) for group in chunk for candidate in group.candidates], held)
            reached = start + len(chunk)
            if setting.progress:
                setting.progress("encoding", reached, len(mixed))
        texts = alike(mixed[len(dev_groups) : reached])
        known = {wants: np.array(sorted({keys.rows[wants[0], text] for text in found}), np.int64) for wants, found in texts.items()}
        rows = [_row(group, queries.rows, keys.rows, known.get(group.wants, _NONE)) for group in mixed[:reached]]
        self.dev, self.train = rows[: len(dev_groups)], rows[len(dev_groups) :]
        if not self.dev:  # a tenth of the training groups decides when to stop
            self.dev, self.train = self.train[::10], [row for place, row in enumerate(self.train) if place % 10]
        self.queries, self.keys = queries.vectors(), keys.vectors()
        self.elsewhere = encoder.encode(QUESTIONS)
        self.pools: dict[str, list[int]] = {}
        for (name, _), number in keys.rows.items():
            self.pools.setdefault(name, []).append(number)


class _Texts:
    """Distinct (kind, text) pairs and their vectors, encoded as a search or an index does it."""

    def __init__(self, encoder: Encoder, asked: bool) -> None:
        self._encoder, self._asked = encoder, asked
        self._made: list[Vectors] = []
        self.rows: dict[_Pair, int] = {}

    def add(self, pairs: Sequence[_Pair], held: Mapping[_Pair, Vectors] = MappingProxyType({})) -> None:
        """`held`: vectors that need no encoding."""
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self.rows]
        there = [pair for pair in new if pair in held]
        fresh = [pair for pair in new if pair not in held]
        of = self._encoder.instructed
        texts = [kind(name).asked(text, of) if self._asked else kind(name).keyed(text, of) for name, text in fresh]
        if texts:
            self._made.append(self._encoder.encode(texts))
        if there:
            self._made.append(np.stack([held[pair] for pair in there]))
        for pair in (*fresh, *there):
            self.rows[pair] = len(self.rows)

    def vectors(self) -> Vectors:
        return np.concatenate(self._made) if self._made else np.zeros((0, self._encoder.dim), np.float32)


def _held(bench: Bench, encoder: Encoder, groups: Sequence[Group]) -> dict[_Pair, Vectors]:
    """The vectors of candidates that the bower holds: a record that still says what it said then needs no encoding. A group without a
    scope, of a file, is of no bower."""
    named: dict[tuple[str, str], dict[str, _Pair]] = {}
    for group in (group for group in groups if group.scope):
        pairs = named.setdefault((group.scope, group.source), {})
        pairs.update({candidate.key: (group.kind, candidate.text) for candidate in group.candidates})
    found: dict[_Pair, Vectors] = {}
    for (scope, _), pairs in named.items():
        known = bench.vectors(encoder.id, {key: text for key, (_, text) in pairs.items()}, scope)
        found |= {pairs[key]: vector for key, vector in known.items()}
    return found


def _in_order(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda group: (group.id, group.kind, group.source))


def _row(group: Group, queries: Mapping[_Pair, int], keys: Mapping[_Pair, int], known: NDArray[np.int64]) -> Row:
    """`known`: rows of keys that help queries of the same gold output, so that none of them is a negative."""
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
    helping = tuple(number[c.key] for c in helps)
    return Row(group.kind, group.source, queries[group.kind, group.query], own, rewards, helping, known, labels, group.weight)


def by_kind(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by the kind of record that is wanted."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.kind, []).append(row)
    return found
