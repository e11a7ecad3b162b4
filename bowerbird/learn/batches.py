"""Batches of training groups: each of one kind and one source, in an order that follows from the seed. It knows no tensor and no text.

Mixing kinds in a batch lets an encoder tell kinds apart instead of what helps (LLM-Embedder's ablation: homogeneous batches are
worth up to .06; arXiv 2310.07554, section 3.3).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from bowerbird.learn.groups import Candidate, Group

__all__ = ["drawn", "planned"]

_LEAST = 1e-9  # what a reward of 0 counts as


def planned(groups: Sequence[Group], size: int, steps: int, seed: int = 0, homogeneous: bool = True) -> list[tuple[int, ...]]:
    """`steps` batches of up to `size` places of `groups`: whole passes over all of them, blocks shuffled across kinds and sources.

    A source's last block of a pass is smaller; a block of one group is left out where the source has more, since it has nothing to be
    told from. The first batches of a longer plan are those of a shorter one.
    """
    sources: dict[tuple[str, str], list[int]] = {}
    for place, group in enumerate(groups):
        sources.setdefault((group.kind, group.source) if homogeneous else ("", ""), []).append(place)
    batches: list[tuple[int, ...]] = []
    turn = 0
    while len(batches) < steps and groups:
        draw = random.Random(f"{seed}/{turn}")
        blocks = []
        for _, members in sorted(sources.items()):
            mixed = draw.sample(members, len(members))
            cut = [tuple(mixed[start : start + size]) for start in range(0, len(mixed), size)]
            blocks += [block for block in cut if len(block) > 1 or len(members) == 1]
        draw.shuffle(blocks)
        batches += blocks
        turn += 1
    return batches[:steps]


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
