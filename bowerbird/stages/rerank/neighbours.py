"""Neighbours: what stands beside a good hit, in its conversation or on its server, is likelier to matter too. No model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.kinds import kind
from bowerbird.roles import Rerank
from bowerbird.types import Hit, Turn

__all__ = ["Neighbours"]

Place = tuple[Any, int | None]


@dataclass(frozen=True)
class Neighbours(Rerank):
    """score'(c) = score(c) + share · max(0, max_n score(n) - score(c)), n the hits beside c: a hit is pulled up towards a better
    neighbour, and none is raised above one.

    Nearby records vouch for each other (Diaz, Regularizing ad hoc retrieval scores, CIKM 2005). Differs: near is what `Kind.place` says,
    not what is alike in words: of memories the turns right before and after in a session, of tools all of the same server (one request
    often takes several, and a server is looked for before its tools: MCP-Zero, arXiv 2506.01056, section 3); upwards only, since a good
    hit among small talk is good; one step, in closed form. Where there is no order, `share` is lessened by the part of the hits that
    stand together: a server that all of them are of tells nothing. What is not among the hits vouches for nothing. Kinds without places
    keep their scores.
    Cost: linear in the hits.
    """

    name: ClassVar[str] = "neighbours"
    share: float = 0.4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.share <= 1.0:
            raise InvalidInput(
                f"neighbours: share={self.share!r} lies between 0 (nothing) and 1 (a neighbour counts like the record itself)."
            )

    def rerank(self, turns: Sequence[Turn]) -> Sequence[Mapping[int, float] | None]:
        return [self._spread(turn) for turn in turns]

    def _spread(self, turn: Turn) -> Mapping[int, float] | None:
        placed = [(hit, place) for hit in turn.hits if (place := _place(hit)) is not None]
        if not placed:
            return None
        best: dict[Place, float] = {}
        for hit, place in placed:
            best[place] = max(best.get(place, hit.score), hit.score)
        together = Counter(place for _, place in placed)
        done = {hit.id: hit.score for hit in turn.hits}
        for hit, (whole, number) in placed:
            if number is None:
                near, share = best[whole, None], self.share * (1 - together[whole, None] / len(turn.hits))
            else:
                near, share = max(best.get((whole, number + step), hit.score) for step in (-1, 1)), self.share
            done[hit.id] += share * max(0.0, near - hit.score)
        return done


def _place(hit: Hit) -> Place | None:
    """(what it is a part of, its number there), each scope's apart."""
    if hit.record is None:
        raise InvalidInput(f"neighbours: hit {hit.id} carries no record.")
    found = kind(hit.record.kind).place(hit.record)
    return None if found is None else ((hit.record.scope, hit.record.kind, found[0]), found[1])
