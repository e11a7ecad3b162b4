"""Which cases a run takes, and in which order: the same each time, evenly over the categories; a smaller run is the start of a larger."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from bowerbird.errors import InvalidInput
from bowerbird.evals.task import Case

__all__ = ["drawn"]


def drawn(cases: Sequence[Case], limit: int | None, seed: int = 0) -> list[Case]:
    """The first `limit` (None = all) of `cases` in the order of a run.

    Each category's cases are ordered by a hash of seed and id, and the categories are merged in proportion to their size. So
    every beginning of the order is a stratified sample, within one case a category, and a run that stops early has seen a
    fair one. The order depends on ids, categories and seed alone.
    """
    if limit is not None and limit < 1:
        raise InvalidInput(f"limit={limit}: at least 1 case, or none given for all.")
    groups: dict[str, list[tuple[str, int]]] = {}
    for place, case in enumerate(cases):
        digest = hashlib.blake2b(f"{seed}\x00{case.id}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        groups.setdefault(case.category, []).append((digest, place))
    order = [((rank + 0.5) / len(group), digest, place) for group in groups.values() for rank, (digest, place) in enumerate(sorted(group))]
    return [cases[place] for _, _, place in sorted(order)[:limit]]
