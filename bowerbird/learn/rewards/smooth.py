"""From raw rewards to those that training uses. Raw ones stay as they were measured, so this can be done anew with other settings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from bowerbird.errors import InvalidInput
from bowerbird.learn.groups import Group

__all__ = ["smooth"]


def smooth(groups: Sequence[Group], *, temperature: float = 1.0, margin: float = 0.1, keep: int | None = None) -> list[Group]:
    """Groups with reward_i = softmax(raw / temperature)_i over their own candidates, in order; they sum to 1.

    Groups whose raw rewards lie within `margin` say nothing and are left out (LLM-Embedder's code does so at 0.1, in nats a token,
    for long texts). `keep`: only so many candidates, the best, share the mass; the others get 0 and stay as negatives; ties by key.
    The weights of a part of a group are its rewards over their sum, which is the softmax over that part. What raw rewards have in
    common cancels out, so raw and gain give the same. Raises `InvalidInput` for a candidate without a raw reward.
    """
    if not temperature > 0 or margin < 0 or (keep is not None and keep < 1):
        raise InvalidInput(f"temperature={temperature!r}, margin={margin!r}, keep={keep!r}: above 0, 0 or more, and at least 1 (or None).")
    found = []
    for group in groups:
        raw = _raw(group)
        if not raw or max(raw.values()) - min(raw.values()) < margin:
            continue
        best = sorted(raw, key=lambda key: (-raw[key], key))[:keep]
        mass = {key: math.exp((raw[key] - raw[best[0]]) / temperature) for key in best}
        whole = math.fsum(mass.values())
        candidates = tuple(replace(candidate, reward=mass.get(candidate.key, 0.0) / whole) for candidate in group.candidates)
        settings = {"temperature": temperature, "margin": margin, "keep": keep}
        found.append(replace(group, candidates=candidates, about={**group.about, "smooth": settings}))
    return found


def _raw(group: Group) -> dict[str, float]:
    raw = {}
    for candidate in group.candidates:
        if candidate.raw is None:
            raise InvalidInput(f"Candidate {candidate.key!r} of query {group.query!r:.80} has no raw reward: score the group first.")
        raw[candidate.key] = candidate.raw
    return raw
