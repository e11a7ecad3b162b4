"""`kl`: the distribution of rewards over a query's own candidates, matched by that of scores. No other key of the batch counts."""

from __future__ import annotations

from typing import Any

__all__ = ["kl"]


def kl(scores: Any, own: Any, rewards: Any, allowed: Any, temperature: float = 0.1) -> Any:
    """mean_q KL( softmax(rewards_q / temperature) ‖ softmax(s(q, own_q)) ) (REPLUG, arXiv 2301.12652, section 4; LLM-Embedder uses it
    for memories, with temperature 0.1). A reward of -inf marks padding."""
    padding = rewards == float("-inf")
    wanted = (rewards / temperature).softmax(1)
    said = scores.gather(1, own).masked_fill(padding, float("-inf")).log_softmax(1)
    terms = wanted * ((rewards / temperature).log_softmax(1) - said)
    return terms.masked_fill(padding | (wanted == 0), 0.0).sum(1).mean()
