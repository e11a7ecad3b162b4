"""Batches of training groups: each of one kind and one source, in an order that follows from the seed, and who is whose in one. It knows
no tensor and no encoder.

Mixing kinds in a batch lets an encoder tell kinds apart instead of what helps (LLM-Embedder's ablation: homogeneous batches are
worth up to .06; arXiv 2310.07554, section 3.3).
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Collection, Iterator, Mapping, Sequence

from bowerbird.errors import InvalidInput
from bowerbird.kinds import kind
from bowerbird.learn.groups import Alike, Candidate, Group, alike

__all__ = ["Batch", "drawn", "key_text", "planned", "query_text"]

_LEAST = 1e-9  # what a reward of 0 counts as


def planned(groups: Sequence[Group], size: int, steps: int, seed: int = 0, homogeneous: bool = True) -> list[tuple[int, ...]]:
    """`steps` batches of up to `size` places of `groups`, kinds in turn by the square roots of their groups: a kind with few is seen more
    often than its share (tempered sampling with T = 2, Raffel et al., arXiv 1910.10683, section 3.5.2). Of each kind whole passes over
    all its groups, blocks shuffled across sources.

    A source's last block of a pass is smaller; a block of one group is left out where the source has more, since it has nothing to be
    told from. The first batches of a longer plan are those of a shorter one. Not `homogeneous`: all are of one kind and source. Raises
    `InvalidInput` for batches of fewer than two.
    """
    if size < 2:
        raise InvalidInput(f"A batch of {size} has nothing to be told from: at least 2 queries.")
    sources: dict[str, dict[str, list[int]]] = {}
    for place, group in enumerate(groups):
        name, source = (group.kind, group.source) if homogeneous else ("", "")
        sources.setdefault(name, {}).setdefault(source, []).append(place)
    passes = {name: _passes(of, size, f"{seed}/{name}") for name, of in sorted(sources.items())}
    roots = {name: math.sqrt(sum(map(len, sources[name].values()))) for name in passes}
    whole, taken = math.fsum(roots.values()), dict.fromkeys(passes, 0)
    batches: list[tuple[int, ...]] = []
    while len(batches) < steps and groups:
        name = max(passes, key=lambda name: roots[name] / whole * (len(batches) + 1) - taken[name])
        taken[name] += 1
        batches.append(next(passes[name]))
    return batches


def _passes(sources: Mapping[str, Sequence[int]], size: int, seed: str) -> Iterator[tuple[int, ...]]:
    """Blocks of one source each, pass after pass over all of them, without end."""
    for turn in itertools.count():
        draw = random.Random(f"{seed}/{turn}")
        blocks = []
        for _, members in sorted(sources.items()):
            mixed = draw.sample(members, len(members))
            cut = [tuple(mixed[start : start + size]) for start in range(0, len(mixed), size)]
            blocks += [block for block in cut if len(block) > 1 or len(members) == 1]
        draw.shuffle(blocks)
        yield from blocks


def drawn(group: Group, count: int, draw: random.Random, rewards: bool = True) -> tuple[list[Candidate], list[float] | None]:
    """Up to `count` candidates of a group, the one to come first in front, and the logarithms of their rewards; None = it has none.

    With rewards: the best one and others drawn, best first. Smoothed rewards are a softmax of raw ones (`rewards/smooth.py`), so a softmax
    of their logarithms over those drawn is what losses want. Without: one that helps, drawn, and others that are not known to.
    """
    if rewards and group.rewarded:
        ranked = sorted(group.candidates, key=lambda c: (-(c.reward or 0.0), c.key))
        rest = draw.sample(range(1, len(ranked)), min(count, len(ranked)) - 1)
        chosen = [ranked[0], *(ranked[i] for i in sorted(rest))]
        return chosen, [math.log(max(float(c.reward or 0.0), _LEAST)) for c in chosen]
    helps = list(group.positives) or [max(group.candidates, key=lambda c: (c.reward or 0.0, c.key))]
    others = [c for c in group.candidates if c.label <= 0 and c is not helps[0]]
    return [draw.choice(helps), *draw.sample(others, min(count - 1, len(others)))], None


class Batch:
    """A step's texts and who is whose: a text for each group's query first, then the distinct texts of keys. `own`, `rewards` (queries,
    candidates) best first, padded with the reward -inf; `allowed` (queries, keys), False for a key that is known to help a query, or one
    with the same gold output, and is not what it is taught; `rewarded` (queries,). `known`: what helps such queries in all groups of a
    training (None = in these alone)."""

    def __init__(
        self,
        groups: Sequence[Group],
        count: int,
        draw: random.Random,
        rewards: bool = True,
        instructed: Collection[str] = (),
        known: Alike | None = None,
    ) -> None:
        known = alike(groups) if known is None else known
        taken = [drawn(group, count, draw, rewards) for group in groups]
        texts = [[key_text(group, c.text, instructed) for c in candidates] for group, (candidates, _) in zip(groups, taken, strict=True)]
        keys = {text: place for place, text in enumerate(dict.fromkeys(text for row in texts for text in row))}
        most = max(map(len, texts))
        self.queries = len(groups)
        self.texts = [*(query_text(group, instructed) for group in groups), *keys]
        self.rewarded = [values is not None for _, values in taken]
        self.own: list[list[int]] = []
        self.rewards: list[list[float]] = []
        self.allowed: list[list[bool]] = []
        for group, mine, (_, values) in zip(groups, texts, taken, strict=True):
            distinct = list(dict.fromkeys(mine))  # two records that say the same are one key
            padding = most - len(distinct)
            first = [0.0] * len(distinct) if values is None else [values[mine.index(text)] for text in distinct]
            self.own.append([keys[text] for text in [*distinct, *[distinct[0]] * padding]])
            self.rewards.append([*first, *[-math.inf] * padding])
            taught = set(distinct[:1] if values is None else distinct)
            helping, alike_ones = {c.text for c in group.positives}, known.get(group.wants, {})
            behind = key_text(group, "", instructed)
            plain = ((text, text.removeprefix(behind)) for text in keys)
            self.allowed.append([text in taught or not (bare in helping or bare in alike_ones) for text, bare in plain])


def query_text(group: Group, instructed: Collection[str]) -> str:
    """A group's query as an encoder reads it."""
    return kind(group.kind).asked(group.query, instructed)


def key_text(group: Group, text: str, instructed: Collection[str]) -> str:
    """The text of a group's candidate as an encoder reads it."""
    return kind(group.kind).keyed(text, instructed)
