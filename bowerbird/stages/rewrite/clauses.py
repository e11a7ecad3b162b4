"""`clauses`: a request that asks for several things is searched for whole and for each of them. No model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bowerbird.errors import InvalidInput
from bowerbird.roles import Rewrite
from bowerbird.sentences import sentences
from bowerbird.types import Turn

__all__ = ["Clauses"]

_LEAST = 3  # words: a shorter piece asks for nothing by itself
_JOINT = re.compile(r";\s+|,\s+(?:and|und|et|y|e)\s+(?=\w)", re.IGNORECASE)


@dataclass(frozen=True)
class Clauses(Rewrite):
    """The question and its sentences and clauses as queries of their own, up to `most` of them; a record keeps its best score.

    Query decomposition without a model (what Khot et al., Decomposed Prompting, arXiv 2210.02406, ask a model to do). Sentences end as
    in `sentences.py`; clauses at a semicolon, and at a comma with an "and" of English, German, French, Spanish or Italian. Pieces
    of fewer than three words are left out, and a question of one clause stays as it is. A clause knows nothing of the others, so a
    pronoun in it refers to nothing: fuse it with the whole, `dbsf(bm25, dense, clauses >> dense)`.
    Costs nothing itself; the search after it has as many queries.
    """

    name: ClassVar[str] = "clauses"
    most: int = 8

    def __post_init__(self) -> None:
        if self.most < 0:
            raise InvalidInput(f"clauses: most={self.most} must be at least 1, or 0 for the question alone.")

    def rewrite(self, turns: Sequence[Turn]) -> list[tuple[tuple[str, ...], Mapping[str, Any]]]:
        done: list[tuple[tuple[str, ...], Mapping[str, Any]]] = []
        for turn in turns:
            parts = list(dict.fromkeys(_clauses(turn.query)))[: self.most]
            alone = len(parts) < 2
            done.append((() if alone else (turn.query, *parts), {"clauses": 1 if alone else len(parts)}))
        return done


def _clauses(query: str) -> list[str]:
    pieces = [piece.strip() for low, high, _ in sentences(query, 0, len(query)) for piece in _JOINT.split(query[low:high])]
    return [piece for piece in pieces if len(piece.split()) >= _LEAST]
