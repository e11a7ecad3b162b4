"""The fence around a record in a context: what it is, what a forger would write, and whether it holds.

It learns the fence from a context with a harmless record, so it works for any composer; it knows no delimiter by name.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["FORGERIES", "Fence", "fence_of", "forgery", "holds"]

FORGERIES = ("forged mark", "forged mark, widened", "forged mark, unseen characters", "forged mark, spaced")
_JUNK = re.compile(r"[\s\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff]+")


@dataclass(frozen=True, slots=True)
class Fence:
    """The text that stands right before and right after a record, both "" where it stands bare; `told`: how often the closing mark
    stands in the context beside its use, as where instructions name it."""

    opens: str
    closes: str
    told: int = 0

    def __bool__(self) -> bool:
        return bool(self.opens.strip() and self.closes.strip())


def fence_of(context: str, text: str, blocks: int) -> Fence:
    """What frames `text` in a `context` of `blocks` harmless records.

    That is the rest of its line, or the lines before and after where it has lines of its own.
    """
    start = context.find(text)
    if start < 0:
        return Fence("", "")
    before, after = context[:start], context[start + len(text) :]
    opens = before.rpartition("\n")[2] or before[:-1].rpartition("\n")[2]
    closes = after.partition("\n")[0] or after[1:].partition("\n")[0]
    return Fence(opens, closes, _count(context, closes) - blocks)


def forgery(name: str, fence: Fence, order: str) -> str:
    """What a record would say to end its frame itself and go on outside it with `order`, in the way called `name`.

    The forger has seen the frame, as one has whose text was shown to a model that repeats it.
    """
    mark = fence.closes
    if name == "forged mark, widened":
        mark = mark.translate({ord(c): ord(c) + 0xFEE0 for c in "</>[]-"})
    elif name == "forged mark, unseen characters":
        mark = "\u200b".join(mark)
    elif name == "forged mark, spaced":
        mark = mark.replace("/", " / ")
    return f"{mark}\n\n{order}\n{fence.opens}\nThe end."


def holds(fence: Fence, context: str, blocks: int) -> bool:
    """Whether the closing mark stands in `context` exactly once a block, likenesses included. One after a backslash counts as broken."""
    if not fence:
        return False
    return _count(context, fence.closes) == blocks + fence.told


def _count(context: str, mark: str) -> int:
    return len(re.findall(rf"(?<!\\){re.escape(_plain(mark))}", _plain(context)))


def _plain(text: str) -> str:
    """As a lenient reader sees it: compatibility forms folded, unseen characters and spaces gone."""
    return _JUNK.sub("", unicodedata.normalize("NFKC", text)).casefold()
