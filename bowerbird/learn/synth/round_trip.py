"""Round-trip filter: a written query is kept when retrieval leads from it back to the record that it was written for."""

from __future__ import annotations

from collections.abc import Sequence

from bowerbird.errors import InvalidInput
from bowerbird.learn.groups import Group
from bowerbird.learn.trainer import Bench, Progress
from bowerbird.types import Scope, Turn, record_id

__all__ = ["kept"]

_BATCH = 64


def kept(
    bench: Bench, groups: Sequence[Group], spec: str = "dbsf(bm25(k=20), dense(k=20))", top: int = 5, progress: Progress | None = None
) -> list[Group]:
    """The groups whose record is among the first `top` hits of their query.

    Round-trip consistency (Dai et al., arXiv 2209.11755, section 3.2; UDAPDR, arXiv 2303.00807, section 3). Differs: the retriever is
    the one at hand, untrained, so `top` is 5 rather than 1: a filter that keeps only what is found already teaches nothing new.
    """
    if top < 1:
        raise InvalidInput(f"top={top} must be at least 1.")
    done: list[Group] = []
    for start in range(0, len(groups), _BATCH):
        batch = groups[start : start + _BATCH]
        turns = [Turn(group.query, Scope.parse(group.scope), id=group.id, kinds=(group.kind,)) for group in batch]
        for group, turn in zip(batch, bench.run(turns, spec), strict=True):
            found = {hit.id for hit in turn.hits[:top]}
            if any(record_id(turn.scope, candidate.key) in found for candidate in group.positives):
                done.append(group)
        if progress:
            progress("filtering queries", start + len(batch), len(groups))
    return done
