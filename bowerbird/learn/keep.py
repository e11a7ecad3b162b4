"""What other kinds' texts have in common stays as it was behind a kind's instruction, while that kind learns a likeness of its own.

It knows groups and the net from before training; no loss and no optimiser.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from bowerbird.kinds import kind
from bowerbird.learn.groups import Group
from bowerbird.ports import Vectors

__all__ = ["Keep", "Kept"]

_LEAST = 3  # texts: of two, each has one other to be like


@dataclass(frozen=True, slots=True)
class Kept:
    """A step's texts whose likeness is kept: `texts` are distinct, `asked` and `keyed` (n,) the places of each as a query and as a record,
    `likeness` (n, n) the inner products from before, -inf of a text with itself."""

    texts: list[str]
    asked: list[int]
    keyed: list[int]
    likeness: list[list[float]]


class Keep:
    """Draws texts of all other kinds, and gives how alike `before` finds them without an instruction.

    Behind an instruction nothing but its own kind holds an encoder in place: what it learnt of questions by type and of reviews by mood
    would be its likeness of all texts, also of sets that it never saw. Distilling what it was before does (learning without forgetting,
    Li and Hoiem, arXiv 1606.09282, section 3; relations between texts of a batch, Tung and Mori, arXiv 1907.09682). Differs: the texts
    are of other kinds, not of the one that is learnt, and the teacher reads them without the instruction.
    """

    def __init__(self, groups: Sequence[Group], instructed: Collection[str], before: Callable[[Sequence[str]], Vectors]) -> None:
        self._instructed, self._before = instructed, before
        self._texts: dict[str, list[str]] = {}
        for name in {group.kind for group in groups if group.kind in instructed}:
            others = [group for group in groups if group.kind != name]
            self._texts[name] = sorted({text for group in others for text in (group.query, *(c.text for c in group.candidates))})

    def drawn(self, name: str, count: int, draw: random.Random) -> Kept | None:
        """Up to `count` texts behind the instructions of the kind `name`; None where it has none, or where there are too few texts."""
        pool = self._texts.get(name, [])
        if len(pool) < _LEAST:
            return None
        bare = draw.sample(pool, min(count, len(pool)))
        asked = [kind(name).asked(text, self._instructed) for text in bare]
        keyed = [kind(name).keyed(text, self._instructed) for text in bare]
        places = {text: place for place, text in enumerate(dict.fromkeys([*asked, *keyed]))}
        vectors = self._before(bare)
        likeness = (vectors @ vectors.T).tolist()
        for i, row in enumerate(likeness):
            row[i] = -math.inf
        return Kept(list(places), [places[text] for text in asked], [places[text] for text in keyed], likeness)
