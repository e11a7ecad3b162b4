"""How far one text's words stand in another: content words without endings, and numbers, which must be the same.

Shared by the stages that cut off, quote, cite and check. It knows spelling, not meaning: synonyms, negation and who did
what to whom are beyond it. Endings are English (Snowball); other languages are compared word by word, ideographs and
kana in pairs. Scripts without spaces other than those (Thai, Lao, Khmer) count a whole run as one word.
"""

from __future__ import annotations

import functools
import re
import threading
import unicodedata
from dataclasses import dataclass

from bowerbird.sentences import sentences

__all__ = ["Window", "Words", "best_window", "share", "words"]

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_ASCII_WORD, _ASCII_NUMBER = re.compile(r"([a-z]+)(?:'[a-z]+)?"), re.compile(r"[0-9]+(?:[.,][0-9]+)*")  # the same for ASCII, faster
_IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_FUNCTION_WORDS = (
    "a about above after again all also am an and any are as at be been being below between both but by can could did do does doing "
    "down during each few for from further had has have having he her here hers him his how i if in into is it its itself just me might "
    "more most must my no nor not of off on once only or other our ours out over own same shall she should so some such than that the "
    "their theirs them then there these they this those through to too under until up us very was we were what when where which while "
    "who whom whose why will with would you your yours tell know please "
)
_STOP = frozenset(_FUNCTION_WORDS.split())
_LONGEST = 100_000  # characters of a text that are looked at
_MOST_SENTENCES = 400


@dataclass(frozen=True, slots=True)
class Words:
    """The distinct content words (without endings) and numbers of a text."""

    stems: frozenset[str]
    numbers: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.stems or self.numbers)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a text (characters) and the share of a claim's words that stand in it."""

    start: int
    end: int
    share: float


@functools.lru_cache(maxsize=4096)
def words(text: str) -> Words:
    """The content words and numbers of `text`; function words only where there is nothing else ("who are you")."""
    plain = unicodedata.normalize("NFKC", text[:_LONGEST]).casefold()
    pairs: set[str] = set()
    if plain.isascii():
        found, numbers = set(_ASCII_WORD.findall(plain)), set(_ASCII_NUMBER.findall(plain))
    else:
        found, numbers = set(), set()
        for token in set(_TOKEN.findall(plain)):
            if token[0].isdigit():
                numbers.add(token)
            elif not token.isascii() and _IDEOGRAPHS.search(token):
                pairs.update(token[i : i + 2] for i in range(max(1, len(token) - 1)))
            else:
                found.add(token.partition("'")[0].partition("’")[0])
    stems = {*map(_content, found), *pairs}
    stems.discard("")
    if not stems and not numbers:
        stems = {*map(_stem, found)}
    return Words(frozenset(stems), frozenset(map(_number, numbers)))


def share(claim: Words, evidence: Words) -> float:
    """The share of the claim's words and numbers that the evidence has, in [0, 1]; 0 for a claim without words."""
    size = len(claim.stems) + len(claim.numbers)
    if not size:
        return 0.0
    return (len(claim.stems & evidence.stems) + len(claim.numbers & evidence.numbers)) / size


def best_window(claim: Words, text: str, start: int, end: int, widest: int = 2) -> Window:
    """The run of up to `widest` sentences of text[start:end] that has the largest share; of equals the shortest, then the first."""
    spans: list[tuple[int, int]] = []
    for low, high, _ in sentences(text, start, min(end, start + _LONGEST)):
        spans.append((low, high))
        if len(spans) == _MOST_SENTENCES:
            break
    if not spans:
        return Window(start, end, 0.0)
    each = [words(text[low:high]) for low, high in spans]
    best = Window(*spans[0], -1.0)
    for width in range(1, widest + 1):
        for i in range(len(spans) - width + 1):
            run = each[i : i + width]
            found = share(claim, Words(frozenset().union(*(w.stems for w in run)), frozenset().union(*(w.numbers for w in run))))
            if found > best.share + 1e-9:
                best = Window(spans[i][0], spans[i + width - 1][1], found)
    return best


def _number(token: str) -> str:
    """1,000.50 → 1000.50; digits of any script as 0-9; "3,5" stays apart from 35 only where the comma cannot part thousands."""
    if token.isascii() and "," not in token:
        return token
    digits = "".join(str(unicodedata.digit(c)) if c.isdigit() and unicodedata.digit(c, None) is not None else c for c in token)
    return re.sub(r",(?=\d{3}(?:\D|$))", "", digits)


_LOCAL = threading.local()  # a Snowball stemmer is not safe in threads


@functools.lru_cache(maxsize=65_536)
def _content(word: str) -> str:
    """The stem of a content word, "" for another. Remembered, since most words of a text are in others too: half of the time."""
    return "" if word in _STOP or len(word) == 1 else _stem(word)


def _stem(word: str) -> str:
    stemmer = getattr(_LOCAL, "stemmer", None)
    if stemmer is None:
        import Stemmer

        stemmer = _LOCAL.stemmer = Stemmer.Stemmer("english", 0)
    return str(stemmer.stemWord(word))
