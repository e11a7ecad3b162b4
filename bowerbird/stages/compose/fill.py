"""How one budget is parted among kinds: floors first, then shares, then whatever is left by rank.

It knows kinds, ranks and sizes; nothing of text. A kind that wants less than its share gives the rest to the others.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Filling", "allotments"]


class Filling:
    """What has been spent so far, in all and by kind. Made, filled and dropped within one turn."""

    def __init__(self, budget: int, ceilings: Mapping[str, int]) -> None:
        self.budget, self.ceilings = budget, ceilings
        self.spent: dict[str, int] = {}

    @property
    def left(self) -> int:
        """Tokens that nobody has yet."""
        return self.budget - sum(self.spent.values())

    def below_ceiling(self, kind: str) -> int:
        """Tokens that the kind may still take before its ceiling."""
        return self.ceilings[kind] - self.spent.get(kind, 0) if kind in self.ceilings else self.left

    def spend(self, kind: str, tokens: int) -> None:
        self.spent[kind] = self.spent.get(kind, 0) + tokens


def allotments(budget: int, shares: Mapping[str, float], wants: Mapping[str, int]) -> dict[str, int]:
    """Tokens each kind of `wants` may claim when all are claimed; kinds without a share stand together for what the shares leave.

    What a kind does not want flows to the others in proportion to their shares (max-min fairness by water filling). `wants`
    may be a guess: a last pass by rank hands out what a wrong guess left over.
    """
    pools: dict[str, list[str]] = {kind: [kind] for kind in wants if kind in shares}
    rest = [kind for kind in wants if kind not in shares]
    weights = {kind: shares[kind] for kind in pools}
    if rest:
        pools[""] = rest
        weights[""] = max(0.0, 1.0 - sum(shares.values()))
    wanted = {pool: sum(wants[kind] for kind in members) for pool, members in pools.items()}
    given: dict[str, int] = {}
    open_pools = list(pools)
    left = budget
    while open_pools:
        total = sum(weights[pool] for pool in open_pools)
        fair = {pool: int(left * weights[pool] / total) if total else left // len(open_pools) for pool in open_pools}
        content = [pool for pool in open_pools if wanted[pool] <= fair[pool]]
        if not content:
            given.update(fair)
            break
        for pool in content:
            given[pool] = wanted[pool]
            left -= wanted[pool]
            open_pools.remove(pool)
    return {kind: given[pool] for pool, members in pools.items() for kind in members}
