"""Training groups as numbers: every distinct text encoded once by a frozen encoder, groups as rows of those vectors.

It knows groups and an encoder; not what is trained on the vectors.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bowerbird.kinds import kind
from bowerbird.learn.groups import Alike, Group, alike
from bowerbird.learn.trainer import Setting
from bowerbird.ports import Encoder, Vectors

__all__ = ["Known", "Row", "by_kind"]

# Questions of all sorts, of which a bower answers few: what they score keeps the meaning that a threshold on a score has.
_ELSEWHERE = tuple(
    """
    who wrote the first novel about a sea voyage|when did the last ice age end|how many strings does a violin have|why do cats purr
    what is the capital of the largest island|how do I remove a wine stain|is it going to rain tomorrow|who won the cup final last year
    how long does rice take to cook|what does this error message mean|can you recommend a good dentist|how far away is the moon
    which river is the longest|what time does the museum close|how much is a ticket to the zoo|who discovered the electron
    my card was declined at the shop|how do I change my address|what was the name of my first teacher|translate good evening into Italian
    what is twelve times thirteen|who is the head of the union|how do bees find their way home|when is the best time to plant tulips
    what are the symptoms of the flu|how do I tie a bow tie|which team plays at home tonight|what is the plot of the opera
    how do I sort a list of numbers|why is the sky red in the evening|what is a good gift for my sister|when does the next train leave
    how does a heat pump work|who painted the ceiling of the chapel|what do we owe the bank|how old is the oldest living tree
    is there a doctor on board|where can I buy fresh bread|what is the law on fences between neighbours|tell me a story about a dragon
    """.strip()
    .replace("\n", "|")
    .split("|")
)

_CHUNK = 256  # groups that are encoded at a time
_ENCODING = 0.6  # of the time, at most
_OWN = 16  # candidates of a group that are told apart, the best


@dataclass(frozen=True)
class Row:
    """A group as numbers: its query's row, its candidates' rows best first, their weights (log, None = only the helpful are known)."""

    kind: str
    source: str
    query: int
    own: tuple[int, ...]
    rewards: tuple[float, ...] | None
    helps: frozenset[int]
    labels: Mapping[int, float]
    weight: float


class Known:
    """Groups with their vectors; keys and queries each encoded once. The order they come in does not show.

    `train`, `dev`: rows; a tenth of the training groups is dev where there is none. `queries`, `keys`: (n, dim). `pools`: kind -> rows of
    its keys. `elsewhere`: (n, dim), questions of all sorts. Encoding takes up to 0.6 of the time that is left until `until`
    (`time.monotonic`); training groups that it does not reach are left out.
    """

    def __init__(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting, until: float | None) -> None:
        train_groups, dev_groups = _in_order(train), _in_order(dev)
        encoder = setting.encoder
        assert encoder is not None
        order = np.random.default_rng(setting.seed).permutation(len(train_groups))
        mixed = [*dev_groups, *(train_groups[i] for i in order)]
        queries, keys = _Texts(encoder, True), _Texts(encoder, False)
        stop = None if until is None else time.monotonic() + _ENCODING * (until - time.monotonic())
        reached = 0
        for start in range(0, len(mixed), _CHUNK):
            if stop is not None and time.monotonic() > stop and reached > len(dev_groups):
                break
            chunk = mixed[start : start + _CHUNK]
            queries.add([(group.kind, group.query) for group in chunk])
            keys.add([(group.kind, candidate.text) for group in chunk for candidate in group.candidates])
            reached = start + len(chunk)
            if setting.progress:
                setting.progress("encoding", reached, len(mixed))
        known = alike(mixed[len(dev_groups) : reached])
        rows = [_row(group, queries.rows, keys.rows, known) for group in mixed[:reached]]
        self.dev, self.train = rows[: len(dev_groups)], rows[len(dev_groups) :]
        if not self.dev:  # a tenth of the training groups decides when to stop
            self.dev, self.train = self.train[::10], [row for place, row in enumerate(self.train) if place % 10]
        self.queries, self.keys = queries.vectors(), keys.vectors()
        self.elsewhere = encoder.encode([text.strip() for text in _ELSEWHERE])
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


def _row(group: Group, queries: Mapping[tuple[str, str], int], keys: Mapping[tuple[str, str], int], known: Alike) -> Row:
    """Every key that is known to help a query of the same gold output helps it, so none of them is a negative."""
    number = {candidate.key: keys[group.kind, candidate.text] for candidate in group.candidates}
    helps, more = group.positives, [keys[group.kind, text] for text in known.get(group.wants, ())]
    if group.rewarded:
        best = sorted(group.candidates, key=lambda c: (-(c.reward or 0.0), c.key))[:_OWN]
        # Rewards are masses (`smooth`): their logarithms have the softmax that gives them back.
        rewards: tuple[float, ...] | None = tuple(float(np.log(max(c.reward or 0.0, 1e-6))) for c in best)
        labels = {number[c.key]: max(c.reward or 0.0, 0.0) for c in group.candidates}
    else:
        best, rewards = list(helps[:_OWN]), None
        labels = {**dict.fromkeys(more, 1.0), **{number[c.key]: c.label for c in helps}}
    own = tuple(dict.fromkeys(number[c.key] for c in best))
    if rewards is not None and len(own) < len(best):  # two records of one text
        rewards = tuple({number[c.key]: value for c, value in zip(reversed(best), reversed(rewards), strict=True)}[row] for row in own)
    return Row(
        group.kind,
        group.source,
        queries[group.kind, group.query],
        own,
        rewards,
        frozenset([*(number[c.key] for c in helps), *more]),
        labels,
        group.weight,
    )


def by_kind(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by the kind of record that is wanted."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.kind, []).append(row)
    return found
