"""What an answer takes: tokens as the model counts them, and dollars."""

from __future__ import annotations

import math
from collections.abc import Callable

from bowerbird.evals.measure import Measure, Result, bare
from bowerbird.evals.task import Case

__all__ = ["completion_tokens", "cost", "prompt_tokens", "tokens"]


def _made(name: str, argument: str, about: str, take: Callable[[Case, Result], float]) -> Measure:
    bare(name, argument)
    return Measure(name, about, lambda case, result, pool: take(case, result), better="lower", high=math.inf)


def prompt_tokens(argument: str) -> Measure:
    """Tokens that went to the model."""
    return _made("prompt_tokens", argument, "tokens sent to the model", lambda case, result: result.prompt_tokens)


def completion_tokens(argument: str) -> Measure:
    """Tokens that came back."""
    return _made("completion_tokens", argument, "tokens that came back", lambda case, result: result.completion_tokens)


def tokens(argument: str) -> Measure:
    """Both together."""
    return _made("tokens", argument, "tokens sent and returned", lambda case, result: result.prompt_tokens + result.completion_tokens)


def cost(argument: str) -> Measure:
    """Dollars: what the chosen model costs on the case where the task says so (`facts["costs"]`), else what the result says."""

    def take(case: Case, result: Result) -> float:
        costs = case.facts.get("costs")
        return float(costs[result.output]) if costs and result.output in costs else result.cost

    return _made("cost", argument, "dollars", take)
