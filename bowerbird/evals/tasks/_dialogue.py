"""What tasks of remembered conversations share: evidence that names turns, and pictures in words. Knows no dataset."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

__all__ = ["evidence", "said"]

# D8:6, D 2:18, D:11:26 and D30:05 name turns; D12:3-D12:5 names a range of them. D17;39, D58 and D:56 name none.
_TURNS = re.compile(r"D[:\s]*(\d+):(\d+)(?:\s*-\s*D[:\s]*(\d+):(\d+))?")


def evidence(entries: Iterable[str], turns: Collection[str]) -> tuple[dict[str, float], list[str]]:
    """(gold, what is absent) of evidence entries; each may name several turns, or a range of those that are there.

    Ids are compared as numbers, so D30:05 is D30:5. Absent are ids that no turn has, and entries without any id.
    """
    gold, absent = dict[str, float](), list[str]()
    for entry in entries:
        found = list(_TURNS.finditer(entry))
        if not found:
            absent.append(entry)
        for match in found:
            first = int(match[1]), int(match[2])
            last = (int(match[3]), int(match[4])) if match[3] else first
            ends = dict.fromkeys(f"D{session}:{turn}" for session, turn in (first, last))
            absent += [end for end in ends if end not in turns]
            gold |= {end: 1.0 for end in ends if end in turns}
            if last != first:
                gold |= {turn: 1.0 for turn in turns if first < _number(turn) < last}
    return gold, absent


def _number(turn: str) -> tuple[int, int]:
    session, _, place = turn.removeprefix("D").partition(":")
    return int(session), int(place)


def said(text: str, turn: Mapping[str, Any]) -> str:
    """What was said, with the caption of a shared picture: evidence can lie in the picture."""
    caption = turn.get("blip_caption")
    return f"{text.strip()} [shares a picture: {caption}]".strip() if caption else text.strip()
