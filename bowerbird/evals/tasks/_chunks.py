"""Long texts in chunks for language modelling: what comes next, given what a reader could look up in the text's own past.

The place of a chunk stands for the time: chunk j is valid from j, and a case that goes on from chunk i is asked at i - 1.
So a search at `case.at` sees what was read before the preceding chunk, and never what is still to come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bowerbird.evals.task import Case
from bowerbird.types import Record, Scope

__all__ = ["WORDS", "cases", "chunks", "records"]

WORDS = 128  # a chunk, as in LLM-Embedder (arXiv 2310.07554, section 4), which counts tokens
PAST = 8  # chunks that a case must be able to look up

_WORD = re.compile(r"\S+")


def chunks(text: str) -> list[str]:
    """`text` cut after every 128 words; what is between them stays as it is. A rest of less than half a chunk joins the last."""
    words = list(_WORD.finditer(text))
    starts = list(range(0, len(words), WORDS))
    if len(starts) > 1 and len(words) - starts[-1] < WORDS // 2:
        starts.pop()
    ends = [words[start - 1].end() for start in starts[1:]] + ([words[-1].end()] if words else [])
    return [text[words[start].start() : end] for start, end in zip(starts, ends, strict=True)]


def records(name: str, parts: list[str]) -> Iterator[Record]:
    """The chunks of the document `name`, in a scope of their own."""
    for place, part in enumerate(parts):
        fields = {"session": name, "turn": place}
        yield Record(f"{name}/{place}", "memory", part, fields, Scope("eval", name), valid_from=float(place))


def cases(name: str, parts: list[str]) -> Iterator[Case]:
    """One case for each chunk with a past: the chunk before it is the query, the chunk itself the one accepted answer."""
    for place in range(PAST + 1, len(parts)):
        yield Case(
            id=f"{name}/{place}",
            query=parts[place - 1],
            answers=(parts[place],),
            scope=Scope("eval", name),
            at=float(place - 2),
            category=name,
        )
