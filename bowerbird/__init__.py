"""Bowerbird: retrieve anything to augment your LLM, and let every outcome train the retriever.

import bowerbird

with bowerbird.open("my.bower", scope="acme/ann") as bird:
    bird.add("docs/")
    turn = bird.ask("How do I reset my password?")
    print(turn.answer.text)
"""

from typing import TYPE_CHECKING, Any

from bowerbird.errors import BowerbirdError
from bowerbird.types import Answer, Block, Citation, Context, Hit, Message, Outcome, Record, Scope, Turn

if TYPE_CHECKING:
    from bowerbird.engine import Engine, Stats, open

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "Block",
    "BowerbirdError",
    "Citation",
    "Context",
    "Engine",
    "Hit",
    "Message",
    "Outcome",
    "Record",
    "Scope",
    "Stats",
    "Turn",
    "open",
]


def __getattr__(name: str) -> Any:
    # The engine brings the database and numpy, half a second on a slow machine: `bowerbird --help` does without.
    if name in ("Engine", "Stats", "open"):
        from bowerbird import engine

        return getattr(engine, name)
    raise AttributeError(f"module 'bowerbird' has no attribute {name!r}")
