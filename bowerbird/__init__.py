"""Bowerbird: retrieve anything to augment your LLM, and let every outcome train the retriever.

import bowerbird

with bowerbird.open("my.bower", scope="acme/ann") as bird:
    bird.add("docs/")
    turn = bird.ask("How do I reset my password?")
    print(turn.answer.text)
"""

from bowerbird.engine import Engine, Stats, open
from bowerbird.errors import BowerbirdError
from bowerbird.types import Answer, Block, Citation, Context, Hit, Message, Outcome, Record, Scope, Turn

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
