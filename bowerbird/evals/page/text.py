"""Texts and numbers for people: unseen characters made visible, long texts cut, numbers as short as they are honest."""

from __future__ import annotations

import html
from datetime import UTC, datetime

__all__ = ["clean", "cut", "day", "duration", "escape", "markdown", "number", "seconds"]

_CONTROLS = {c: chr(0x2400 + c) for c in range(0x20) if c not in (0x09, 0x0A)}
_UNSEEN = [0x7F, *range(0x80, 0xA0), 0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
_LOST = [*range(0xD800, 0xE000), *range(0xFFF9, 0xFFFC), 0xFFFE, 0xFFFF, *range(0xE0000, 0xE0080)]
_TABLE: dict[int, str] = {**_CONTROLS, **dict.fromkeys(_UNSEEN, "\u00b7"), **dict.fromkeys(_LOST, "\ufffd"), 0x2028: "\n", 0x2029: "\n"}
_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]()#+!|~$^"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;", "\n": " ", "\t": " "})


def clean(text: str) -> str:
    """Without characters that change what others look like: controls and turns of direction become visible, halves of characters a mark."""
    return text.replace("\r\n", "\n").translate(_TABLE)


def cut(text: str, most: int) -> str:
    """The beginning and the end of a long text, with how much is missing between."""
    if len(text) <= most:
        return text
    head, tail = most * 3 // 4, most // 4
    return f"{text[:head]}\n[… {len(text) - head - tail:,} characters …]\n{text[-tail:]}" if most >= 400 else f"{text[: most - 1]}…"


def escape(text: object) -> str:
    """For HTML, in text and in quoted attributes."""
    return html.escape(str(text), quote=True)


def markdown(text: object) -> str:
    """For one line of Markdown, as text: no markup, no link, no cell border."""
    said = str(text).translate(_SPECIAL)
    return said.replace("://", ":\u200b//").replace("www.", "www\u200b.")  # bare addresses are made links by some readers


def number(value: float) -> str:
    """Three digits after the point for scores, fewer for what is large."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def seconds(value: float) -> str:
    """A short time with its unit."""
    if value == 0:
        return "0 s"
    if value >= 1:
        return f"{value:.2f} s" if value < 10 else f"{value:,.1f} s"
    return f"{value * 1e3:.0f} ms" if value >= 0.01 else f"{value * 1e3:.2f} ms"


def duration(value: float) -> str:
    """A long time: 41 s, 5 min 3 s, 1 h 2 min."""
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def day(when: float) -> str:
    """A moment in UTC."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC")
