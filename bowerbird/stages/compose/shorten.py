"""A record that is too long, cut to the sentences around the place that shares most words with the question.

It knows words, not meaning, and looks at the first 20,000 characters only. What it gives is a span of the record's own
text, so that citations stay exact.
"""

from __future__ import annotations

from bowerbird.sentences import safe, sentences
from bowerbird.stages.words import share, words

__all__ = ["MOST_CHARACTERS", "shortened"]

MOST_CHARACTERS = 20_000
_MOST_SENTENCES = 200


def shortened(text: str, start: int, end: int, query: str, characters: int) -> tuple[int, int] | None:
    """A span within text[start:end] of at most `characters`, at sentence borders; None where not one sentence fits.

    Begins with the sentence that shares most words with the query (of equals the first) and grows by the neighbour after
    it, then the one before it, while they fit. A text without a sentence border in reach is cut between two words.
    """
    spans: list[tuple[int, int]] = []
    for low, high, _ in sentences(text, start, min(end, start + MOST_CHARACTERS)):
        spans.append((low, high))
        if len(spans) == _MOST_SENTENCES:
            break
    if not spans or characters < 1:
        return None
    asked = words(query)
    scored = [share(asked, words(text[low:high])) if high - low <= characters else -1.0 for low, high in spans]
    first = max(range(len(spans)), key=lambda i: (scored[i], -i))
    if scored[first] < 0:
        return _between_words(text, *spans[0], characters)
    last = first
    while True:
        if last + 1 < len(spans) and spans[last + 1][1] - spans[first][0] <= characters:
            last += 1
        elif first > 0 and spans[last][1] - spans[first - 1][0] <= characters:
            first -= 1
        else:
            return spans[first][0], spans[last][1]


def _between_words(text: str, start: int, end: int, characters: int) -> tuple[int, int] | None:
    stop = start + characters
    if stop >= end:
        return start, end
    space = max(text.rfind(" ", start, stop), text.rfind("\n", start, stop))
    stop = space if space > start + characters // 2 else safe(text, stop, start)
    return (start, stop) if stop > start else None
