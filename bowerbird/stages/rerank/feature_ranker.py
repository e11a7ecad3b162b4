"""Feature ranker: hits reordered by a trained net over the scores that stages gave them, words shared, length and kind. No model call.

`features` is read by the trainer too, so that both see the same numbers. It knows spelling and scores, not meaning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bowerbird.components.ranker import FeatureRanker as Ranker
from bowerbird.kinds import kind
from bowerbird.ports import Encoder, Trained
from bowerbird.roles import Rerank
from bowerbird.stage import part
from bowerbird.stages.words import share, words
from bowerbird.types import Scope, Turn

__all__ = ["FeatureRanker", "Seen", "features"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one candidate: its kind, the text that the kind gives to encoders, and the score of every stage."""

    kind: str
    text: str
    scores: Mapping[str, float]


def features(query: str, seen: Sequence[Seen], stages: Sequence[str], kinds: Sequence[str]) -> NDArray[np.float64]:
    """(n, 4 x stages + 3 + kinds), for each candidate of one list:

    of each stage its score (the list's lowest where it gave none), where that lies between the list's lowest and highest, 1 / rank (0
    where it gave none) and whether it gave one; the share of the question's words that the text has and the reverse; the log of its
    length; its kind. Nothing depends on the order of the list.
    """
    columns: list[list[float]] = []
    for stage in stages:
        given = sorted((one.scores[stage] for one in seen if stage in one.scores), reverse=True)
        low, high = (given[-1], given[0]) if given else (0.0, 0.0)
        rank = {score: given.index(score) + 1 for score in dict.fromkeys(given)}
        found = [one.scores.get(stage) for one in seen]
        columns.append([low if score is None else score for score in found])
        columns.append([0.0 if score is None or high == low else (score - low) / (high - low) for score in found])
        columns.append([0.0 if score is None else 1.0 / rank[score] for score in found])
        columns.append([float(score is not None) for score in found])
    asked, texts = words(query), [words(one.text) for one in seen]
    columns.append([share(asked, text) for text in texts])
    columns.append([share(text, asked) for text in texts])
    columns.append([math.log1p(len(one.text)) for one in seen])
    columns += [[float(one.kind == name) for one in seen] for name in kinds]
    return np.array(columns, dtype=np.float64).T.reshape(len(seen), len(columns))


@dataclass(frozen=True)
class FeatureRanker(Rerank):
    """Learning to rank over stage scores (Liu, Learning to Rank for Information Retrieval, 2009), by the ranker that was trained for
    the turn's scope.

    Where none serves, or one that was trained on another encoder's scores, order and scores stay and the trace says so. A score of its
    own from an earlier round is not read. Cost: no model call; the words of each text, some tens of microseconds a hit.
    """

    name: ClassVar[str] = "feature_ranker"
    encoder: Encoder | None = part("encoder", optional=True)
    trained: Trained | None = part("trained", optional=True)

    def rerank(self, turns: Sequence[Turn]) -> Sequence[Mapping[int, float] | None]:
        return [self._ranked(turn) for turn in turns]

    def _ranked(self, turn: Turn) -> Mapping[int, float] | None:
        ranker = self._ranker(turn.scope)
        if ranker is None or self._skips(ranker):
            return None
        known = {hit.id: hit for hit in turn.hits if hit.record is not None}
        seen = [
            Seen(hit.record.kind, kind(hit.record.kind).encode(hit.record), hit.scores) for hit in known.values() if hit.record is not None
        ]
        scores = ranker.score(features(turn.query, seen, ranker.stages, ranker.kinds))
        return dict(zip(known, scores.tolist(), strict=True))

    def _ranker(self, scope: Scope) -> Ranker | None:
        return None if self.trained is None else self.trained.component("ranker", scope)

    def _skips(self, ranker: Ranker | None) -> str:
        """Why the ranker is not asked; "" = it is."""
        if ranker is None:
            return "no ranker serves this scope"
        now = self.encoder.id if self.encoder else ""
        return (
            ""
            if ranker.encoder == now
            else f"the ranker is for {ranker.encoder or 'no encoder'}, the encoder is {now or None}: fit it anew"
        )

    def remarks(self, before: Turn, after: Turn) -> Mapping[str, Any]:
        skips = self._skips(self._ranker(before.scope))
        return {"skipped": skips} if skips else {}
