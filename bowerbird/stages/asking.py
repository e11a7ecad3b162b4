"""What stages that ask a language model share: one call for a batch, in which a prompt that fails takes no other one with it.

It knows nothing of what is asked, or of what becomes of an answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from bowerbird.errors import LLMError
from bowerbird.ports import LLM, Completion, Prompt

__all__ = ["completions"]

_FEW_FAILURES = 2  # prompts in a row that may fail before the rest of a batch is given up


def completions(
    llm: LLM, prompts: Sequence[Prompt], *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = ()
) -> list[Completion | LLMError]:
    """What the model says to each prompt, or why it does not, in order. One call for the batch; when it fails, the prompts are asked
    one by one, until two in a row fail."""

    def asked(some: Sequence[Prompt]) -> list[Completion]:
        return llm.complete(some, max_tokens=max_tokens, temperature=temperature, stop=stop)

    if not prompts:
        return []
    try:
        return list(asked(prompts))
    except LLMError as error:
        if len(prompts) == 1:
            return [error]
    outcomes: list[Completion | LLMError] = []
    for prompt in prompts:
        last = outcomes[-_FEW_FAILURES:]
        if len(last) == _FEW_FAILURES and all(isinstance(outcome, LLMError) for outcome in last):
            outcomes.append(last[-1])
            continue
        try:
            outcomes += asked([prompt])
        except LLMError as error:
            outcomes.append(error)
    return outcomes
