"""Cross-encoder: query and record are read together, which is slower and better than comparing two vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bowerbird.kinds import kind
from bowerbird.ports import PairScorer, Trained
from bowerbird.roles import Rerank
from bowerbird.stage import part
from bowerbird.types import Scope, Turn

__all__ = ["CrossEncoder"]


@dataclass(frozen=True)
class CrossEncoder(Rerank):
    """Score of each (question, record text) pair by a cross-encoder (Nogueira and Cho, arXiv 1901.04085).

    The question is the turn's own, not its rewritten queries; the text is what the record's kind gives to encoders,
    the whole of it whatever span is shown, cut by the scorer at its own length. Scores are the scorer's: comparable
    within a turn only. A cross-encoder that was trained for the turn's scope takes the scorer's place there, and the trace says so.
    Cost: one call of each scorer for the batch over its distinct pairs, hits x turns forward passes; keep the list before it short.
    """

    name: ClassVar[str] = "cross_encoder"
    scorer: PairScorer = part("scorer")
    trained: Trained | None = part("trained", optional=True)

    def rerank(self, turns: Sequence[Turn]) -> list[Mapping[int, float]]:
        texts = [{hit.id: kind(hit.record.kind).encode(hit.record) for hit in turn.hits if hit.record is not None} for turn in turns]
        scorers = {turn.scope: self._own(turn.scope) or self.scorer for turn in turns}
        pairs: dict[int, dict[tuple[str, str], float]] = {id(scorer): {} for scorer in scorers.values()}
        for turn, mine in zip(turns, texts, strict=True):
            pairs[id(scorers[turn.scope])].update({(turn.query, text): 0.0 for text in mine.values()})
        for scorer in {id(scorer): scorer for scorer in scorers.values()}.values():
            asked = list(pairs[id(scorer)])
            pairs[id(scorer)] = dict(zip(asked, scorer.score(asked).tolist(), strict=True))
        scores = [pairs[id(scorers[turn.scope])] for turn in turns]
        return [{id: of[turn.query, text] for id, text in mine.items()} for turn, mine, of in zip(turns, texts, scores, strict=True)]

    def _own(self, scope: Scope) -> PairScorer | None:
        return None if self.trained is None else self.trained.component("cross_encoder", scope)

    def remarks(self, before: Turn, after: Turn) -> Mapping[str, Any]:
        return {"trained": True} if after.hits and self._own(before.scope) is not None else {}
