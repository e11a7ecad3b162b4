"""`graded`: every candidate against what is ranked below it and all other keys of the batch, weighted by its reward."""

from __future__ import annotations

from typing import Any

__all__ = ["graded"]


def graded(scores: Any, own: Any, rewards: Any, allowed: Any, temperature: float = 1.0) -> Any:
    """mean_q Σ_i w_qi ( - s(q, c_i) + log Σ_{k ∈ U, not c_1 … c_{i-1}} exp s(q, k) ), w_q = softmax(rewards_q / temperature).

    Graded distillation (LLM-Embedder, arXiv 2310.07554, section 3.2, "stabilised distillation"). Differs from the released code: the
    whole group is sorted by reward, where the code pins the labelled positive first; the temperature is used, where the code ignores it.
    Polarised rewards give InfoNCE, equal ones a ranked InfoNCE of equal weights. A reward of -inf marks padding.
    """
    padding = rewards == float("-inf")
    taken = allowed.long().zero_().scatter_add(1, own, (~padding).long()) > 0  # padding may repeat a column
    theirs = scores.masked_fill(~allowed | taken, float("-inf")).logsumexp(1, keepdim=True)
    mine = scores.gather(1, own)
    ranked = mine.masked_fill(padding, float("-inf"))
    below = _logaddexp(ranked.flip(1).logcumsumexp(1).flip(1), theirs)
    weights = (rewards / temperature).softmax(1)
    return (weights * (below - mine).masked_fill(padding, 0.0)).sum(1).mean()


def _logaddexp(a: Any, b: Any) -> Any:
    """Safe where both are -inf, which `torch.logaddexp` has no gradient for."""
    most = a.detach().maximum(b.detach()).clamp(min=-1e30)
    return most + ((a - most).exp() + (b - most).exp()).log()
