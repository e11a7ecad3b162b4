"""Cross-encoder: query and record are read together, which is slower and better than comparing two vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.kinds import kind
from bowerbird.ports import PairScorer
from bowerbird.roles import Rerank
from bowerbird.stage import part
from bowerbird.types import Turn

__all__ = ["CrossEncoder"]


@dataclass(frozen=True)
class CrossEncoder(Rerank):
    """Score of each (question, record text) pair by a cross-encoder (Nogueira and Cho, arXiv 1901.04085).

    The question is the turn's own, not its rewritten queries; the text is what the record's kind gives to encoders,
    the whole of it whatever span is shown, cut by the scorer at its own length. Scores are the scorer's: comparable
    within a turn only.
    Cost: one scorer call for the batch over its distinct pairs, hits x turns forward passes; keep the list before it short.
    """

    name: ClassVar[str] = "cross_encoder"
    scorer: PairScorer = part("scorer")

    def rerank(self, turns: Sequence[Turn]) -> list[Mapping[int, float]]:
        texts = [{hit.id: kind(hit.record.kind).encode(hit.record) for hit in turn.hits if hit.record is not None} for turn in turns]
        pairs = list(dict.fromkeys((turn.query, text) for turn, mine in zip(turns, texts, strict=True) for text in mine.values()))
        scores = dict(zip(pairs, self.scorer.score(pairs).tolist(), strict=True))
        return [{id: scores[turn.query, text] for id, text in mine.items()} for turn, mine in zip(turns, texts, strict=True)]
