"""A language model from what a person types: `local`, `local:Qwen/Qwen3-0.6B`, `openai:gpt-4o-mini`, `openai:llama3@http://localhost:11434/v1`.

It knows nothing of what a model is for. It never picks a model that nobody named: a key that happens to lie in the
environment must not send somebody's records to a paid service.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from bowerbird.errors import InvalidInput
from bowerbird.ports import LLM
from bowerbird.table import load

__all__ = ["choose"]


def choose(name: str | None = None, *, on_progress: Callable[[str], None] | None = None) -> LLM | None:
    """The model called `name`; None = $BOWERBIRD_LLM; None when that is not set either, or for "none".

    `local[:MODEL]`, `openai:MODEL[@BASE_URL]` (the address else from $OPENAI_BASE_URL, the key from $OPENAI_API_KEY), or
    `PART[:MODEL]` for a part that another package lists under `bowerbird.llms`: its class is called with MODEL, if any.
    An unknown part raises `UnknownName`. `on_progress` hears of conversions and downloads.
    """
    name = (name if name is not None else os.environ.get("BOWERBIRD_LLM", "")).strip()
    if name in ("", "none"):
        return None
    part, _, model = name.partition(":")
    made = load("llms", part)
    if part == "local":
        llm: LLM = made(model, on_progress=on_progress) if model else made(on_progress=on_progress)
    elif part == "openai":
        model, *address = re.split(r"@(?=https?://)", model, maxsplit=1)
        if not model:
            raise InvalidInput(f"{name!r} names no model: openai:MODEL or openai:MODEL@BASE_URL, such as 'openai:gpt-4o-mini'.")
        llm = made(model, base_url=address[0] if address else None)
    else:
        llm = made(model) if model else made()
    return llm
