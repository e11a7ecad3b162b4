"""Where sentences end, and how long a text is in words. Punctuation and white space alone; no model, no language detection.

Knows the full stops of Latin, Greek, Cyrillic, Arabic, Devanagari and CJK text and a list of abbreviations of six
languages. It does not know Thai, Lao or Khmer sentences (which have no full stop): those end at paragraphs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

__all__ = ["PARAGRAPH", "SENTENCE", "WORD", "safe", "sentences", "size", "too_long"]

WORD, SENTENCE, PARAGRAPH = 0, 1, 2  # what ends where a piece of text ends, from weak to strong

# The pattern begins with a set of characters, which lets the engine skip to the next of them (three times as fast as an
# alternation), and a run of stops is tried at its first character alone, so that no input is scanned more than a few times.
_BORDER = re.compile(
    r"""[.!?…。！？｡؟۔।\n](?:"""
    r"""(?<=[.!?…])(?<![.!?…]{2})[.!?…]*+["'”’»)\]]*+(?=\s)"""
    r"""|(?<=[。！？｡؟۔।])(?<![。！？｡؟۔।]{2})[。！？｡؟۔।]*+[」』”’）"]*+"""
    r"""|(?<=\n)(?:[ \t]*+\n\s*+|(?=[ \t]*+(?:[-*+•‣]|\d{1,3}[.)])[ \t])))"""
)
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_SHORT_WORDS = (
    "mr mrs ms dr prof st sr jr vs etc cf al fig figs eq eqs sec ch vol no nos nr pp ed eds approx dept inc ltd co corp gen "
    "col sen rep rev hon capt sgt lt jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun ca usw bzw "
    "ggf evtl inkl abb bd hrsg zb mme mlle av env art núm sra srta ud uds pág dott sig sigg ing avv т тт г гг др пр рис стр "
    "см "
)
_SHORT = frozenset(_SHORT_WORDS.split())
_WIDEST = 8  # characters a word has at most when a text without spaces is measured


def size(text: str) -> float:
    """Length in words: white-space separated ones, two ideographs or kana to a word, 8 characters to a word without spaces."""
    words: float = max(len(text.split()), len(text) / _WIDEST)
    if not text.isascii():
        words = max(words, len(_WIDE.findall(text)) / 2)
    return words


def too_long(start: int, end: int, most: float) -> bool:
    """Whether a stretch exceeds `most` words by its characters alone (saves measuring a line of a gigabyte)."""
    return (end - start) / _WIDEST > most


def _abbreviated(text: str, stop: int, after: int) -> bool:
    """Whether the full stop at `stop` belongs to a word such as "e.g." and ends nothing."""
    before = text[max(0, stop - 16) : stop]
    if not before or before[-1].isspace():
        return False
    word = before.rsplit(None, 1)[-1]
    if len(word) > 8 and "." not in word:
        return False
    word = word.lstrip("([\"'“‘«")
    if not word:
        return False
    if word.isdigit():  # "1. First": a number that begins a line counts, it does not end a sentence
        line = text.rfind("\n", max(0, stop - 16), stop) + 1
        return text[line:stop].strip() == word if line or stop <= 16 else False
    if word.lower() in _SHORT or (len(word) == 1 and word.isalpha() and word != "I"):
        return True
    if "." in word and len(word) <= 6 and word.replace(".", "").isalpha():
        return True
    return len(word) <= 4 and text[after : after + 4].lstrip()[:1].islower()


def sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, what ends there) of the sentences of text[start:end], stripped of white space, in order; lazily and in linear time."""
    held: tuple[int, int, int] | None = None
    at = start
    for border in _BORDER.finditer(text, start, end):
        begin, stop = border.span()
        gap = text[begin] == "\n"
        if stop - begin == 1 and text[begin] == "." and _abbreviated(text, begin, stop):
            continue
        span = _stripped(text, at, begin if gap else stop)
        at = stop
        level = PARAGRAPH if gap else SENTENCE
        if span is None:
            if held is not None and level > held[2]:
                held = (held[0], held[1], level)
            continue
        if held is not None:
            yield held
        held = (*span, level)
    span = _stripped(text, at, end)
    if span is not None:
        if held is not None:
            yield held
        held = (*span, PARAGRAPH)
    if held is not None:
        yield held[0], held[1], PARAGRAPH


_EDGE = re.compile(r"\S")


def _stripped(text: str, start: int, end: int) -> tuple[int, int] | None:
    """text[start:end] without the white space around it; None when there is nothing else."""
    found = _EDGE.search(text, start, end)
    if found is None:
        return None
    while text[end - 1].isspace():
        end -= 1
    return found.start(), end


def safe(text: str, at: int, low: int) -> int:
    """The nearest place not after `at` (and after `low`) where text may be cut without parting a character from its marks.

    Keeps combining marks, variation selectors, emoji modifiers and joined emoji with what they follow; gives up after 64 characters.
    """
    best = at
    for _ in range(64):
        if best <= low + 1:
            return at
        if not (_clings(text[best]) or text[best - 1] == "\u200d"):
            return best
        best -= 1
    return at


def _clings(character: str) -> bool:
    return character == "\u200d" or unicodedata.category(character)[0] == "M" or "\U0001f3fb" <= character <= "\U0001f3ff"
