"""Maximal marginal relevance: the next best record is one that is near the question and unlike those already chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bowerbird.errors import InvalidInput
from bowerbird.kinds import kind
from bowerbird.ports import Encoder, Filter, Store, Vectors
from bowerbird.roles import Rerank
from bowerbird.stage import part
from bowerbird.types import Hit, Record, Scope, Turn

__all__ = ["MMR"]


@dataclass(frozen=True)
class MMR(Rerank):
    """Greedy choice of the record with the highest lam x cos(question, record) - (1 - lam) x max cos(record, chosen)
    (Carbonell and Goldstein, SIGIR 1998, section 2). The score is that value at the moment of choice.

    `lam`: 1 = by relevance alone, 0 = by difference alone. Differs from the paper: relevance is the encoder's cosine,
    not the score of the stage before, and a cosine below 0 to those chosen earns nothing, so that scores never rise
    down the list. The same text twice is what it removes best.
    Cost: one encoder call for the batch (the questions, and records whose vector the store does not hold), one store
    call a scope; n x top products a turn, n the hits.
    """

    name: ClassVar[str] = "mmr"
    lam: float = 0.5
    encoder: Encoder = part("encoder")
    store: Store = part("store")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.lam <= 1.0:
            raise InvalidInput(f"mmr: lam={self.lam} must lie between 0 (difference alone) and 1 (relevance alone).")

    def rerank(self, turns: Sequence[Turn]) -> list[Mapping[int, float]]:
        stored = self._stored(turns)
        hits = [sorted(turn.hits, key=_id) for turn in turns]  # by id, so that the order they came in does not show
        wanted: list[str] = []
        for turn, mine in zip(turns, hits, strict=True):
            for hit in mine:
                wanted.append(self._query(turn, hit))
                if hit.id not in stored[turn.scope]:
                    wanted.append(self._key(hit))
        rows = {text: row for row, text in enumerate(dict.fromkeys(wanted))}
        made = self.encoder.encode(list(rows))
        done: list[Mapping[int, float]] = []
        for turn, mine in zip(turns, hits, strict=True):
            known = stored[turn.scope]
            keys = np.stack([known[hit.id] if hit.id in known else made[rows[self._key(hit)]] for hit in mine]).astype(np.float64)
            asked = made[[rows[self._query(turn, hit)] for hit in mine]].astype(np.float64)
            chosen = _chosen(keys, np.einsum("nd,nd->n", keys, asked), self.lam, self.top or len(mine))
            done.append({mine[place].id: score for place, score in chosen})
        return done

    def _stored(self, turns: Sequence[Turn]) -> dict[Scope, dict[int, Vectors]]:
        ids: dict[Scope, set[int]] = {}
        for turn in turns:
            ids.setdefault(turn.scope, set()).update(hit.id for hit in turn.hits)
        # No moment in the filter: the catalog has looked at validity when it gave the records.
        return {scope: self.store.vectors(self.encoder.id, sorted(mine), Filter(scope)) for scope, mine in ids.items()}

    def _query(self, turn: Turn, hit: Hit) -> str:
        return kind(_record(hit).kind).asked(turn.query, self.encoder.instructed)

    def _key(self, hit: Hit) -> str:
        record = _record(hit)
        row = kind(record.kind)
        return row.keyed(row.encode(record), self.encoder.instructed)


def _id(hit: Hit) -> int:
    return hit.id


def _record(hit: Hit) -> Record:
    if hit.record is None:
        raise InvalidInput(f"mmr: hit {hit.id} carries no record.")
    return hit.record


def _chosen(keys: Vectors | np.ndarray, relevance: np.ndarray, lam: float, top: int) -> list[tuple[int, float]]:
    """(place, score) in the order of choice; ties go to the lower place."""
    nearest = np.zeros(len(keys))
    free = np.ones(len(keys), dtype=bool)
    chosen: list[tuple[int, float]] = []
    for _ in range(min(top, len(keys))):
        value = np.where(free, lam * relevance - (1 - lam) * nearest, -np.inf)
        place = int(value.argmax())
        chosen.append((place, float(value[place])))
        free[place] = False
        nearest = np.maximum(nearest, keys @ keys[place])
    return chosen
