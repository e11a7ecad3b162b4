"""Citation marks in an answer: where they stand, which sentence each belongs to, and the answer without some of them.

Reads `[1]`, `[1, 2]`, `[1-3]`, `[^1]`, `【1】` and `【1†source】`, and `(1)` in an answer that has no other marks. A number between
backticks is code, never a mark. It does not know whether a mark is true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from bowerbird.sentences import sentences

__all__ = ["Cited", "cited", "without"]

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_LIST = r"(?P<{0}>\d{{1,3}}(?:\s*[,;–-]\s*\^?\d{{1,3}})*)"
_MARK = re.compile(rf"\[\s*\^?{_LIST.format('square')}\s*\]|【\s*{_LIST.format('wide')}\s*(?:†[^】\n]{{0,80}})?】")
_ROUND = re.compile(rf"\({_LIST.format('round')}\)")
_NUMBER = re.compile(r"(\d{1,3})(?:\s*[–-]\s*\^?(\d{1,3}))?")
_WIDEST = 20  # marks that one range may stand for


@dataclass(frozen=True, slots=True)
class Cited:
    """One mark in an answer: `[3]`, where it stands, and the sentence that carries it (all in characters of the answer)."""

    mark: str
    at: tuple[int, int]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Group:
    start: int
    end: int
    numbers: tuple[int, ...]
    round: bool = False


def cited(text: str, known: Collection[str]) -> list[Cited]:
    """Every mark, in order. A mark after a sentence's end belongs to that sentence, one that begins a line to the next."""
    groups = _groups(text, known)
    pieces, at = [], 0
    for group in groups:  # marks are no words: with them gone, a full stop before one ends its sentence
        pieces += [text[at : group.start], " " * (group.end - group.start)]
        at = group.end
    masked = "".join([*pieces, text[at:]])
    spans = [(low, high) for low, high, _ in sentences(masked, 0, len(masked))]
    found = []
    for group in groups:
        start, end = _sentence(masked, spans, group)
        found += [Cited(f"[{number}]", (group.start, group.end), min(start, group.start), max(end, group.end)) for number in group.numbers]
    return found


def without(text: str, drop: Callable[[str, int], bool], known: Collection[str]) -> tuple[str, Callable[[int], int]]:
    """`text` without the marks for which `drop(mark, start of its group)` says so, and where a character of `text` stands now."""
    pieces: list[str] = []
    cuts: list[tuple[int, int, int]] = []  # (start, end, length of what stands there now)
    at = 0
    groups = [(group, [number for number in group.numbers if not drop(f"[{number}]", group.start)]) for group in _groups(text, known)]
    for place, (group, kept) in enumerate(groups):
        if len(kept) == len(group.numbers):
            continue
        low, high = group.start, group.end
        new = "".join(f"[{number}]" for number in kept)
        if not new:  # the space before a mark goes with it; at the beginning of a line, the space after it
            while low > at and text[low - 1] in " \t" and not _another(groups[place:]):
                low -= 1
            if low == 0 or text[low - 1] == "\n":
                while text[high : high + 1] in (" ", "\t"):
                    high += 1
            elif text[high : high + 1].isalnum():
                new = " "
        pieces += [text[at:low], new]
        cuts.append((low, high, len(new)))
        at = high
    pieces.append(text[at:])

    def now(place: int) -> int:
        moved = 0
        for low, high, length in cuts:
            if place >= high:
                moved += length - (high - low)
            elif place > low:
                return low + moved + min(place - low, length)
        return place + moved

    return "".join(pieces), now


def _another(groups: Sequence[tuple[_Group, list[int]]]) -> bool:
    """Whether a mark that stays follows the first one without a space between."""
    end = groups[0][0].end
    for group, kept in groups[1:]:
        if group.start != end or kept:
            return group.start == end
        end = group.end
    return False


def _groups(text: str, known: Collection[str]) -> list[_Group]:
    code = [found.span() for found in _CODE.finditer(text)]

    def outside(start: int) -> bool:
        return not any(low <= start < high for low, high in code)

    groups = [
        _Group(found.start(), found.end(), _numbers(found["square"] or found["wide"]))
        for found in _MARK.finditer(text)
        if outside(found.start())
    ]
    if groups:
        return groups
    rounds = [
        _Group(found.start(), found.end(), _numbers(found["round"]), True) for found in _ROUND.finditer(text) if outside(found.start())
    ]
    return [group for group in rounds if all(f"[{number}]" in known for number in group.numbers)]


def _numbers(listed: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for low, high in _NUMBER.findall(listed):
        first, last = int(low), int(high or low)
        numbers += range(first, last + 1) if first <= last < first + _WIDEST else [first, last]
    return tuple(dict.fromkeys(numbers))


def _sentence(text: str, spans: list[tuple[int, int]], group: _Group) -> tuple[int, int]:
    before: tuple[int, int] | None = None
    for low, high in spans:
        if low <= group.start < high:
            return low, high
        if low > group.start:
            begins_line = before is None or "\n" in text[before[1] : group.start]
            return (low, high) if begins_line or before is None else before
        before = (low, high)
    return before or (group.start, group.end)
