"""Hard negatives from the bower itself: what a query finds that is not what helps it. One batch of turns is held at a time."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence

from bowerbird.errors import InvalidInput
from bowerbird.kinds import kind
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.trainer import Bench, Progress
from bowerbird.types import Hit, Scope, Turn, replace

__all__ = ["mine"]

_BATCH = 128


def mine(
    bench: Bench,
    groups: Sequence[Group],
    spec: str = "dense(k=30)",
    *,
    n: int = 7,
    share: float = 0.95,
    skip: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Group]:
    """The groups with up to `n` more candidates each, label 0, drawn by `seed` from what `spec` finds after the first `skip` hits.

    Likely false negatives are left out: hits that score `share` of the best candidate that helps or more, where that one is found
    too (positive-aware mining; Moreira et al., NV-Retriever, arXiv 2407.15831, section 4), hits that say the same as one that
    helps, and examples whose output is the query's. They carry no scores: those of `spec` are not what a served pipeline would
    have given them. Cost: one search a group. Raises `InvalidInput` for settings that leave nothing.
    """
    if n < 1 or skip < 0 or not 0 < share <= 1:
        raise InvalidInput(f"n={n}, skip={skip}, share={share}: at least 1, at least 0, and above 0 up to 1.")
    done: list[Group] = []
    for start in range(0, len(groups), _BATCH):
        batch = groups[start : start + _BATCH]
        turns = [Turn(group.query, Scope.parse(group.scope), id=group.id, kinds=(group.kind,)) for group in batch]
        for group, turn in zip(batch, bench.run(turns, spec, records=True), strict=True):
            found = list(_negatives(group, turn.hits[skip:], turn.hits, share))
            chosen = sorted(found, key=lambda candidate: _place(f"{seed}/{group.id}/{candidate.key}"))[:n]
            done.append(replace(group, candidates=(*group.candidates, *chosen)))
        if progress:
            progress("mining", start + len(batch), len(groups))
    return done


def _negatives(group: Group, hits: Sequence[Hit], every: Sequence[Hit], share: float) -> Iterator[Candidate]:
    known = {candidate.key for candidate in group.candidates}
    helps = {candidate.key for candidate in group.positives}
    said = {candidate.text for candidate in group.positives}
    best = max((hit.score for hit in every if hit.record is not None and hit.record.key in helps), default=math.inf)
    most = best - (1 - share) * abs(best) if math.isfinite(best) else best  # scores of pairs may be below 0
    for hit in hits:
        if hit.record is None or hit.record.key in known or hit.score >= most or str(hit.record.fields.get("output", "")) in group.answers:
            continue
        text = kind(hit.record.kind).encode(hit.record)
        if text not in said:
            yield Candidate(hit.record.key, text)


def _place(draw: str) -> bytes:
    return hashlib.blake2b(draw.encode("utf-8", "surrogatepass"), digest_size=8).digest()
