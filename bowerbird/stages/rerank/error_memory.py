"""Error memory: what became of a record on earlier, similar queries corrects its score at once. No training, no model but the encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bowerbird.errors import InvalidInput
from bowerbird.ledger.lessons import Lesson, Lessons
from bowerbird.ports import Encoder
from bowerbird.roles import Rerank
from bowerbird.stage import part
from bowerbird.types import Turn

__all__ = ["ErrorMemory"]


@dataclass(frozen=True)
class ErrorMemory(Rerank):
    """score'(c) = score(c) + strength · spread · m(c),  m(c) = Σ_l K(q, q_l) v_l(c) / (doubt + Σ_l K(q, q_l) n_l(c)).

    v_l(c) is the sum and n_l(c) the number of outcomes, each in [-1, 1], that lesson l holds of record c; K is 1 for the same query (blind
    to case and spacing) and (cosine - near) / (1 - near) above `near`, else 0; spread is the range of the turn's scores (1 for a single
    hit). A record with m <= -drop is dropped: with the default, after some eight complaints more than praises on the very query.
    After ReLoop2 (Zhu et al., arXiv 2306.08808, section 3): an error memory that is read at serving time. Differs: it holds outcomes of
    records rather than a ranking model's errors, and a doubt of `doubt` unseen neutral outcomes, so one slip moves little.
    Turns of a scope without outcomes pass untouched. Cost: one look at the ledger's position a scope; where there are lessons,
    one encoder call for the batch.
    """

    name: ClassVar[str] = "error_memory"
    near: float = 0.85
    strength: float = 1.5
    doubt: float = 2.0
    drop: float = 0.8
    encoder: Encoder | None = part("encoder", optional=True)
    lessons: Lessons | None = part("lessons", optional=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.near <= 1 or self.strength < 0 or self.doubt < 0 or not 0 <= self.drop <= 1:
            raise InvalidInput(
                f"error_memory: near={self.near!r} and drop={self.drop!r} are between 0 and 1, strength={self.strength!r} and "
                f"doubt={self.doubt!r} 0 or more."
            )

    def rerank(self, turns: Sequence[Turn]) -> Sequence[Mapping[int, float] | None]:
        held = {turn.scope: self.lessons.of(turn.scope) if self.lessons is not None else () for turn in turns}
        told = [i for i, turn in enumerate(turns) if held[turn.scope]]
        if not told:
            return [None] * len(turns)
        texts = list(dict.fromkeys(turns[i].query for i in told))
        queries = dict(zip(texts, self.encoder.encode(texts), strict=True)) if self.encoder is not None else {}
        return [self._corrected(turn, held[turn.scope], queries.get(turn.query)) if held[turn.scope] else None for turn in turns]

    def _corrected(self, turn: Turn, lessons: Sequence[Lesson], vector: Any) -> Mapping[int, float] | None:
        near = self._kernel(turn, lessons, vector)
        sums: dict[int, float] = {}
        counts: dict[int, float] = {}
        hits = {hit.id: hit.score for hit in turn.hits}
        for weight, lesson in zip(near, lessons, strict=True):
            if weight > 0:
                for id in lesson.values.keys() & hits.keys():
                    value, count = lesson.values[id]
                    sums[id] = sums.get(id, 0.0) + float(weight) * value
                    counts[id] = counts.get(id, 0.0) + float(weight) * count
        if not sums:
            return None
        means = {id: total / (self.doubt + counts[id]) for id, total in sums.items()}
        spread = max(hits.values()) - min(hits.values()) or 1.0
        return {
            id: score + self.strength * spread * means.get(id, 0.0)
            for id, score in hits.items()
            if means.get(id, 0.0) > -self.drop or not means.get(id, 0.0)
        }

    def _kernel(self, turn: Turn, lessons: Sequence[Lesson], vector: Any) -> Any:
        mine = _folded(turn.query)
        same = np.array([_folded(lesson.query) == mine for lesson in lessons], dtype=np.float32)
        if vector is None or self.encoder is None or self.lessons is None:
            return same
        asked = [lesson.query for lesson in lessons]
        cosines = self.lessons.vectors(turn.scope, asked, self.encoder.id, self.encoder.encode) @ vector
        return np.maximum(same, np.clip((cosines - self.near) / max(1 - self.near, 1e-6), 0.0, 1.0))

    def remarks(self, before: Turn, after: Turn) -> Mapping[str, Any]:
        changed = sum(self.name in hit.scores for hit in after.hits)
        dropped = len(before.hits) - len(after.hits)
        return {"corrected": changed, "dropped": dropped} if changed or dropped else {}


def _folded(query: str) -> str:
    return " ".join(query.casefold().split())
