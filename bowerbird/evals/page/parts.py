"""What all sections of the page are made of: letters and colours for specs, tables, cells, badges. All of it is HTML as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bowerbird.evals.page.text import escape, number

__all__ = ["Json", "Labels", "anchor", "badge", "cell", "details", "empty", "interval", "said", "spec", "table"]

Json = Mapping[str, Any]


class Labels:
    """A letter and a colour for each spec, the same all over the page. A baseline has its name and is grey."""

    def __init__(self, letters: Mapping[str, str]) -> None:
        self.letters = letters
        self.colours = {name: f"c{place % 8}" for place, name in enumerate(letters)}

    def colour(self, system: str) -> str:
        """The CSS class of its colour."""
        return self.colours.get(system, "cb")

    def paint(self, system: str) -> str:
        """The style attribute that gives an element its colour."""
        return f'style="--chip: var(--{self.colours.get(system, "base")})"'

    def short(self, system: str) -> str:
        """The letter, or the name of a baseline."""
        return self.letters.get(system, system)

    def letter(self, system: str) -> str:
        """HTML: the letter alone."""
        return f'<span class="chip" {self.paint(system)} title="{escape(system)}">{escape(self.short(system))}</span>'

    def chip(self, system: str, most: int = 0) -> str:
        """HTML: the letter and the spec (its first `most` characters, 0 = all), or the name of a baseline."""
        if system not in self.letters:
            return escape(system)
        text = system if not most or len(system) <= most else f"{system[: most - 1]}…"
        return self.letter(system) + spec(text)


def spec(text: str) -> str:
    """A spec that may break after its arrows."""
    broken = escape(text).replace("&gt;&gt; ", "&gt;&gt; <wbr>")
    return f'<span class="spec">{broken}</span>'


def anchor(text: str) -> str:
    """An id that can stand in a link."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "x"


def badge(word: str, text: str = "") -> str:
    """A word in the colour of what it means: better, worse, undecided, holds, broken."""
    return f'<span class="badge {escape(word)}">{escape(text or word)}</span>'


def table(caption: str, heads: Sequence[str], rows: Sequence[str], sorts: bool = False) -> str:
    """A table that scrolls by itself on a narrow screen. `heads` and `rows` are HTML."""
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    kind = ' class="sorts"' if sorts else ""
    about = escape(caption)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{about}"><table{kind}><caption><span>{about}</span></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def cell(html: str, value: object = None) -> str:
    """A cell; `value` is what it sorts by."""
    return f"<td>{html}</td>" if value is None else f'<td data-value="{escape(value)}">{html}</td>'


def empty() -> str:
    """A cell for what there is not."""
    return '<td data-value="">·</td>'


def interval(row: Json) -> str:
    """The ends of an interval, small."""
    return f"<small>{number(row['low'])} – {number(row['high'])}</small>"


def said(row: Json) -> str:
    """A value with its interval, as plain text."""
    return f"{number(row['value'])} ({number(row['low'])} to {number(row['high'])})"


def details(summary: str, body: str) -> str:
    """What is there for those who want it."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"
