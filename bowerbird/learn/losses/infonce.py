"""`infonce`: the first of a query's candidates against every other key of the batch."""

from __future__ import annotations

from typing import Any

__all__ = ["infonce"]


def infonce(scores: Any, own: Any, rewards: Any, allowed: Any, temperature: float = 1.0) -> Any:
    """mean_q ( - s(q, own_q0) + log Σ_{k allowed} exp s(q, k) ), a scalar tensor (van den Oord et al., arXiv 1807.03748, section 2.3;
    LLM-Embedder, arXiv 2310.07554, section 3). Takes no notice of `rewards` and `temperature` beyond who comes first."""
    first = scores.gather(1, own[:, :1])[:, 0]
    mine = allowed.scatter(1, own[:, :1], True)
    return (scores.masked_fill(~mine, float("-inf")).logsumexp(1) - first).mean()
