"""Error memory: what became of a record on earlier, similar queries corrects its score at once. No training, no model but the encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bowerbird.errors import InvalidInput
from bowerbird.ledger.lessons import Lesson, Lessons, Named
from bowerbird.ports import Encoder, Vectors
from bowerbird.roles import Rerank
from bowerbird.stage import part
from bowerbird.types import Scope, Turn

__all__ = ["ErrorMemory"]

_COMPARED = 256  # lessons of a turn whose queries are compared with it by meaning, the newest: what a first request may encode


@dataclass(frozen=True)
class ErrorMemory(Rerank):
    """score'(c) = score(c) + strength · spread · m(c),  m(c) = Σ_l K(q, q_l) v_l(c) / (doubt + Σ_l K(q, q_l) n_l(c)).

    v_l(c) is the sum and n_l(c) the number of outcomes, each in [-1, 1], that lesson l holds of record c in the version that was found; K
    is 1 for the same query (blind to case and spacing) and (cosine - near) / (1 - near) above `near`, else 0, of the newest 256 lessons
    that name a hit; spread is the range of the turn's scores (1 for a single hit). A record with m <= -drop is dropped: with the default,
    after some eight complaints more than praises on the very query.
    After ReLoop2 (Zhu et al., arXiv 2306.08808, section 3): an error memory that is read at serving time. Differs: it holds outcomes of
    records rather than a ranking model's errors, and a doubt of `doubt` unseen neutral outcomes, so one slip moves little.
    Turns whose hits no outcome names pass untouched. Cost: one look at the ledger's position a turn; where lessons name a hit, one
    encoder call for the batch, and one for those of their queries that were not compared before.
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
        held = [self.lessons.of(turn.scope, _named(turn)) if self.lessons is not None else () for turn in turns]
        vectors = self._vectors([(turn, lessons) for turn, lessons in zip(turns, held, strict=True) if lessons])
        return [
            self._corrected(turn, lessons, vectors.get(turn.scope, {})) if lessons else None
            for turn, lessons in zip(turns, held, strict=True)
        ]

    def _vectors(self, told: Sequence[tuple[Turn, Sequence[Lesson]]]) -> Mapping[Scope, Mapping[str, Vectors]]:
        """For each scope the vectors of its turns' queries and of those that they are compared with; nothing without an encoder."""
        if self.encoder is None or self.lessons is None or not told:
            return {}
        asked = list(dict.fromkeys(turn.query for turn, _ in told))
        own = dict(zip(asked, self.encoder.encode(asked), strict=True))
        compared: dict[Scope, dict[str, None]] = {}
        for turn, lessons in told:
            compared.setdefault(turn.scope, {}).update(dict.fromkeys(lesson.query for lesson in lessons[-_COMPARED:]))
        given = (self.encoder.id, self.encoder.encode)
        return {scope: {**own, **self.lessons.vectors(scope, queries, *given)} for scope, queries in compared.items()}

    def _corrected(self, turn: Turn, lessons: Sequence[Lesson], vectors: Mapping[str, Vectors]) -> Mapping[int, float] | None:
        sums: dict[int, float] = {}
        counts: dict[int, float] = {}
        hits, here = {hit.id: hit.score for hit in turn.hits}, _named(turn)
        for weight, lesson in zip(_kernel(turn.query, lessons, vectors, self.near), lessons, strict=True):
            if weight > 0:
                for named in lesson.values.keys() & here:
                    value, count = lesson.values[named]
                    sums[named[0]] = sums.get(named[0], 0.0) + float(weight) * value
                    counts[named[0]] = counts.get(named[0], 0.0) + float(weight) * count
        if not sums:
            return None
        means = {id: total / (self.doubt + counts[id]) for id, total in sums.items()}
        spread = max(hits.values()) - min(hits.values()) or 1.0
        return {
            id: score + self.strength * spread * means.get(id, 0.0)
            for id, score in hits.items()
            if means.get(id, 0.0) > -self.drop or not means.get(id, 0.0)
        }

    def remarks(self, before: Turn, after: Turn) -> Mapping[str, Any]:
        changed = sum(self.name in hit.scores for hit in after.hits)
        dropped = len(before.hits) - len(after.hits)
        return {"corrected": changed, "dropped": dropped} if changed or dropped else {}


def _named(turn: Turn) -> set[Named]:
    """The records that were found, in the versions that were found."""
    return {(hit.id, hit.record.version) for hit in turn.hits if hit.record is not None}


def _kernel(query: str, lessons: Sequence[Lesson], vectors: Mapping[str, Vectors], near: float) -> Vectors:
    """(lessons,) how far each lesson speaks of this query."""
    mine = _folded(query)
    weights = np.array([_folded(lesson.query) == mine for lesson in lessons], dtype=np.float32)
    if vectors:
        newest = lessons[-_COMPARED:]
        cosines = np.stack([vectors[lesson.query] for lesson in newest]) @ vectors[query]
        weights[-len(newest) :] = np.maximum(weights[-len(newest) :], np.clip((cosines - near) / max(1 - near, 1e-6), 0.0, 1.0))
    return weights


def _folded(query: str) -> str:
    return " ".join(query.casefold().split())
