"""The pictures of the pages: small SVG files made of the numbers that benchmarks have left in docs/, and of nothing else.

    python benchmarks/pictures.py                     # docs/pictures/*.svg; `make learn` ends with it

What stands in a picture is drawn by the report's own `page/pictures.py`, in the report's own colours. A file holds all it needs, on a
ground of its own, light or dark as the reader's system is; it is 352 px wide, so that no phone makes its text smaller. A picture whose
numbers are not there is not made, and one that was made of them before is deleted.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bowerbird.evals.page
from bowerbird.evals.page.pictures import Point, Series, Strip, place, plotted, scale, shape, strip, tick
from bowerbird.evals.page.text import escape, number

__all__ = ["drawn", "shown", "write"]

DOCS = Path(__file__).parents[1] / "docs"
WIDE, EDGE = 352, 14  # px
STYLED = ("svg ", ".grid", ".reference", ".ci", ".curve", ".mark", ".c0", ".c5")
"""How the lines of the report's style begin that a picture needs."""
Json = Mapping[str, Any]


def drawn(docs: Path = DOCS) -> dict[str, str]:
    """File name -> SVG, for every picture whose numbers are in `docs`."""
    found: dict[str, str] = {}
    learned = _read(docs / "learned.json")
    if learned:
        found["one-encoder.svg"] = one_encoder(learned)
        found["systems.svg"] = systems(learned)
        if learned["curve"]:
            found["training.svg"] = training(learned)
    complaints = _read(docs / "learned" / "error_memory.json")
    if complaints:
        found["error-memory.svg"] = error_memory(complaints)
    return found


def write(docs: Path = DOCS) -> list[Path]:
    """Make `docs/pictures` anew; the files in it."""
    folder = docs / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    made = drawn(docs)
    for path in folder.glob("*.svg"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in made]


def shown(names: Sequence[str]) -> list[str]:
    """Markdown lines that show those of `names` that tell of training, with what they say as text."""
    texts = {
        "systems.svg": "Mean over kinds of every system, with its 95 % interval",
        "one-encoder.svg": "Every task before and after: the plain encoder, and one encoder trained on all kinds",
        "training.svg": "Loss and dev measure over the steps of the common encoder",
    }
    return ["", *(f"![{text}](pictures/{name})" for name, text in texts.items() if name in names)]


# --- pictures ---------------------------------------------------------------------------------------------------------


def one_encoder(learned: Json) -> str:
    """Every task, kind by kind: the plain encoder and the common one, and what is between them."""
    plain, ours = learned["means"]["plain"], learned["means"]["one encoder"]
    pairs = learned["against"]["one encoder"]
    at = place(0.0, 1.0)
    sheet = _Sheet("One encoder for all kinds", "Before: the plain encoder, a square. After: trained on all kinds, a circle. 1 is best.")
    sheet.axis([0.0, 0.25, 0.5, 0.75, 1.0], at, number, 116, 64)
    said = []
    for kind in dict.fromkeys(row["kind"] for row in learned["tasks"]):
        rows = [row for row in learned["tasks"] if row["kind"] == kind]
        sheet.heading(f"{kind}, {', '.join(dict.fromkeys(row['measure'] for row in rows))}")
        for row in rows:
            before, after, seen = plain[row["task"]], ours[row["task"]], pairs[row["task"]]
            ends = f'x1="{at(before)}" x2="{at(after)}" y1="50%" y2="50%"'
            inside = (
                f'<g class="c0"><line class="ci" {ends}/></g><svg x="{at(before)}" y="50%" overflow="visible">{shape(1, "c6", "")}</svg>'
                f'<svg x="{at(after)}" y="50%" overflow="visible">{shape(0, "c0", "")}</svg>'
            )
            sheet.row(row["task"], inside, _signed(seen["difference"]), strong=seen["decided"])
            said.append(f"{row['task']} {number(before)} before, {number(after)} after")
    sheet.note("Bold: beyond chance (paired test, p < 0.05), not corrected for the number of tasks.")
    return sheet.svg("; ".join(said))


def systems(learned: Json) -> str:
    """The mean over kinds of every system."""
    rows = [
        Strip("", name, of["value"], of["low"], of["high"], "c0" if "one encoder" in name else "c6", _said(of))
        for name, of in learned["mean over kinds"].items()
    ]
    low, high, ticks = scale(min(row.low for row in rows), max(row.high for row in rows))
    at = place(low, high)
    line = learned["mean over kinds"]["plain"]["value"]
    sheet = _Sheet("Before and after, mean over kinds", "With 95 % intervals. The dashed line is the plain encoder.")
    sheet.axis(ticks, at, number, 168, 58, line)
    for row in rows:
        sheet.row(row.name, f'<g class="{row.colour}">{strip(row, at)}</g>', number(row.value), strong=row.colour == "c0")
    return sheet.svg("; ".join(f"{row.name} {row.said}" for row in rows))


def training(learned: Json) -> str:
    """The dev measure over the steps of the common encoder."""
    dots = tuple(Point(row["step"], row["dev"], row["dev"], row["dev"], "") for row in learned["curve"])
    sheet = _Sheet("Training one encoder", "nDCG@10 on queries that decide when to stop, over steps.")
    sheet.plot([Series("dev", "c0", dots)], _whole, number)
    return sheet.svg("; ".join(f"step {p.x:,.0f}: {number(p.y)}" for p in dots))


def error_memory(found: Json) -> str:
    """How often the first hit is another one, after so many complaints about it."""
    names = {"complained": "that query", "same intent": "same intent", "others": "others"}
    series = [
        Series(
            name,
            colour,
            tuple(Point(row["complaints"], row["changed"], row["low"], row["high"], "") for row in found["rows"] if row["queries"] == key),
        )
        for (key, name), colour in zip(names.items(), ("c0", "c1", "c2"), strict=True)
    ]
    sheet = _Sheet("Complaints, before and after", "Share of queries whose first hit is another one, after so many complaints about it.")
    sheet.plot(series, _whole, _percent, named=True, share=True)
    return sheet.svg("; ".join(f"{one.name}: " + ", ".join(f"{_percent(p.y)} after {p.x:.0f}" for p in one.points) for one in series))


# --- a file -----------------------------------------------------------------------------------------------------------


class _Sheet:
    """One picture as it grows downwards: a title, what is seen, rows or a plot."""

    def __init__(self, title: str, about: str) -> None:
        self.title, self.about = title, about
        self.parts = [f'<text class="title" x="{EDGE}" y="26">{escape(title)}</text>']
        self.y = 32
        self._lines(about)
        self._axis: tuple[str, int, int] = ("", 0, 0)
        self._marks = ""

    def _lines(self, text: str) -> None:
        for line in textwrap.wrap(text, 54):
            self.y += 17
            self.parts.append(f'<text x="{EDGE}" y="{self.y}">{escape(line)}</text>')

    def axis(self, ticks: Sequence[float], at: Any, unit: Any, left: int, right: int, line: float | None = None) -> None:
        """What all rows below stand over: `left` px for names, `right` px for numbers; `line`: a value that all are read against."""
        grid = "".join(f'<line class="grid" x1="{at(t)}" x2="{at(t)}" y1="0" y2="100%"/>' for t in ticks)
        if line is not None:
            grid += f'<line class="reference" x1="{at(line)}" x2="{at(line)}" y1="0" y2="100%"/>'
        self._axis = (grid, left, right)
        marks = [t for place_of, t in enumerate(ticks) if place_of % 2 == 0] if len(ticks) > 5 else ticks
        self._marks = "".join(f'<text x="{at(t)}" y="14" text-anchor="middle">{escape(tick(t, ticks, unit))}</text>' for t in marks)
        self.y += 12

    def heading(self, text: str) -> None:
        self.y += 4
        self.parts.append(f'<text class="name" x="{EDGE}" y="{self.y + 15}">{escape(text)}</text>')
        self.y += 22

    def row(self, name: str, inside: str, said: str, strong: bool) -> None:
        grid, left, right = self._axis
        kind = ' class="title"' if strong else ""
        self.parts.append(
            f'<text x="{EDGE}" y="{self.y + 16}">{escape(name)}</text>{self._box(left, right, 24, grid + inside)}'
            f'<text{kind} x="{WIDE - EDGE}" y="{self.y + 16}" text-anchor="end">{escape(said)}</text>'
        )
        self.y += 24

    def plot(self, series: Sequence[Series], x_unit: Any, y_unit: Any, *, named: bool = False, share: bool = False) -> None:
        self.y += 20
        inside = plotted(series, x_unit=x_unit, y_unit=y_unit, named=named, share=share, height=170)
        self.parts.append(self._box(EDGE + 42, 98 if named else EDGE + 6, 170, inside))
        self.y += 170 + 24

    def note(self, text: str) -> None:
        self._end()
        self.y += 2
        self._lines(text)

    def _end(self) -> None:
        """The marks under the rows."""
        if self._marks:
            self.parts.append(self._box(self._axis[1], self._axis[2], 20, self._marks))
            self.y, self._marks = self.y + 20, ""

    def _box(self, left: int, right: int, height: int, inside: str) -> str:
        return f'<svg x="{left}" y="{self.y}" width="{WIDE - left - right}" height="{height}" overflow="visible">{inside}</svg>'

    def svg(self, said: str) -> str:
        """The file; `said`: its numbers, for those who hear it."""
        self._end()
        high = self.y + EDGE
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{high}" viewBox="0 0 {WIDE} {high}" role="img" '
            f'aria-labelledby="t d"><title id="t">{escape(self.title)}</title><desc id="d">{escape(f"{self.about} {said}.")}</desc>\n'
            f"<style>{_style()}</style>\n"
            f'<rect x="0.5" y="0.5" width="{WIDE - 1}" height="{high - 1}" rx="10" class="ground"/>\n{body}\n</svg>\n'
        )


def _style() -> str:
    """Colours and lines of the report's page, and a ground."""
    whole = (Path(bowerbird.evals.page.__file__).parent / "page.css").read_text("utf-8")
    colours, _, rest = whole.partition(':root[data-theme="dark"]')
    kept = [line for line in rest.splitlines() if line.startswith(STYLED)]
    own = [
        "text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }",
        "svg text.title { fill: var(--ink); font-weight: 600; } .ground { fill: var(--card); stroke: var(--line); }",
    ]
    return "\n".join([colours.partition("*/")[2].strip(), *kept, *own])


def _read(path: Path) -> Json | None:
    found: Json | None = json.loads(path.read_text("utf-8")) if path.exists() else None
    return found


def _said(of: Json) -> str:
    return f"{number(of['value'])} ({number(of['low'])} to {number(of['high'])})"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{value:.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=Path, default=DOCS, help="the folder with the numbers; pictures/ in it is made anew")
    for path in write(parser.parse_args().docs):
        print(path)


if __name__ == "__main__":
    main()
