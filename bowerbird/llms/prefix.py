"""What prompts begin with in common goes through a causal model once, and each prompt goes on from there.

It is exact: every token sees what it would see alone, at the same position. It knows tokens and a transformers model, and no texts.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from bowerbird.llms.scoring import branches
from bowerbird.need import need

__all__ = ["LEAST", "begun", "cache_argument", "computed"]

LEAST = 32  # tokens in common that are worth a pass of their own


def computed(rows: Sequence[list[int]]) -> tuple[int, int]:
    """(tokens that all rows begin with and that are worth sharing, tokens that each row computes by itself, padding included)."""
    longest, shortest = max(map(len, rows)), min(map(len, rows))
    first, last = min(rows), max(rows)
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), shortest)
    own = longest - min(shared, shortest - 1)  # a row's last token is its own: it tells what comes next
    return (longest - own, own) if len(rows) > 1 and shortest - own >= LEAST else (0, longest)


def begun(model: Any, rows: Sequence[list[int]]) -> tuple[Any, int]:
    """(a cache with a row for each of `rows`, padded on the left, how many of each row's last tokens it lacks); (None, longest) where
    nothing is worth sharing or the model has other layers than attention over all or the last tokens."""
    torch = need("torch", "local")
    shared, own = computed(rows)
    if not shared or not branches(model):
        return None, max(map(len, rows))
    cache = need("transformers", "local").DynamicCache(config=model.config)
    for layer in cache.layers:
        if layer.is_sliding:
            layer.activate_past_recording()  # a row that is shorter looks back further
    ids = torch.tensor([list(rows[0][:shared])], device=model.device)
    model(input_ids=ids, use_cache=True, logits_to_keep=1, **{cache_argument(model): cache})
    held = torch.tensor([len(row) - own for row in rows], device=model.device)
    places = (torch.arange(shared, device=model.device)[None] - (shared - held)[:, None]).clamp(min=0)
    for layer in cache.layers:
        for name in ("keys", "values"):
            states = getattr(layer, name)[0][:, places].transpose(0, 1)  # (rows, heads, shared, width)
            if layer.is_sliding:
                states = states[:, :, 1 - layer.sliding_window :]
            setattr(layer, name, states.contiguous())
        if layer.is_sliding:
            layer.record_past = False
    return cache, own


def cache_argument(model: Any) -> str:
    """What the model's forward calls its cache; transformers called it `past_key_values` before."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
