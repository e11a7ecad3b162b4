"""Pictures as inline SVG: intervals, curves, stacked bars. Positions are percentages, so that text keeps its size on any width.

Each has a text alternative; its numbers stand in a table beside it. Series differ by shape as well as by colour. What is inside a
picture (`strip`, `plotted`, on a `scale`) can stand in other surroundings too: `benchmarks/pictures.py` makes files of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bowerbird.evals.page.text import escape, number

__all__ = ["Point", "Series", "Strip", "curve", "place", "plotted", "scale", "shape", "stacks", "strip", "strips", "tick"]

_STRIP, _HIGH, _LINE = 26, 260, 15.0  # px: a strip, a plot, a line of text
_SHARE = (0.0, 1.0, [0.0, 0.25, 0.5, 0.75, 1.0])
_SHAPES = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",  # circle, square, triangle, diamond, triangle on its head
    "M-4-4h8v8h-8z",
    "M0-5.5 5 4H-5z",
    "M0-6 5 0 0 6-5 0z",
    "M0 5.5 5-4H-5z",
)


@dataclass(frozen=True, slots=True)
class Strip:
    """One interval: who (HTML), value and ends, CSS class of its colour, and the number as text."""

    who: str
    name: str
    value: float
    low: float
    high: float
    colour: str
    said: str


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a curve with its interval; `title` is shown on hovering."""

    x: float
    y: float
    low: float
    high: float
    title: str


@dataclass(frozen=True, slots=True)
class Series:
    """A curve, or single points where `line` is False. `colour`: c0 to c7."""

    name: str
    colour: str
    points: tuple[Point, ...]
    line: bool = True


def strips(rows: Sequence[Strip], about: str, line: float | None = None, unit: Callable[[float], str] = number, share: bool = False) -> str:
    """Intervals under one another over a common scale; `line`: a value that all are read against. `share`: the scale is 0 to 1."""
    ends = [end for row in rows for end in (row.low, row.high, row.value)] + ([line] if line is not None else [])
    low, high, ticks = _SHARE if share else scale(min(ends), max(ends))
    at = place(low, high)
    grid = "".join(f'<line class="grid" x1="{at(t)}" x2="{at(t)}" y1="0" y2="100%"/>' for t in ticks)
    if line is not None:
        grid += f'<line class="reference" x1="{at(line)}" x2="{at(line)}" y1="0" y2="100%"/>'
    out = []
    for row in rows:
        out.append(
            f'<div class="strip"><span class="who">{row.who}</span>'
            f'<svg class="{escape(row.colour)}" width="100%" height="{_STRIP}" aria-hidden="true">{grid}{strip(row, at)}</svg>'
            f'<span class="said">{escape(unit(row.value))}</span></div>'
        )
    axis = "".join(f'<text x="{at(t)}" y="14" text-anchor="middle">{escape(tick(t, ticks, unit))}</text>' for t in ticks)
    told = f"{about}: " + "; ".join(f"{row.name} {row.said}" for row in rows)
    return (
        f'<div class="strips" role="img" aria-label="{escape(told)}">{"".join(out)}'
        f'<div class="strip axis"><span></span><svg width="100%" height="20" aria-hidden="true">{axis}</svg><span></span></div></div>'
    )


def strip(row: Strip, at: Callable[[float], str]) -> str:
    """The inside of one strip: its interval and its value."""
    return (
        f'<line class="ci" x1="{at(row.low)}" x2="{at(row.high)}" y1="50%" y2="50%"/>'
        f'<circle class="dot" cx="{at(row.value)}" cy="50%" r="5"><title>{escape(row.said)}</title></circle>'
    )


def curve(
    series: Sequence[Series],
    about: str,
    x_label: str,
    y_label: str,
    *,
    log: bool = False,
    x_unit: Callable[[float], str] = number,
    y_unit: Callable[[float], str] = number,
    share: bool = False,
    named: bool = False,
) -> str:
    """Curves with their intervals. `log`: the x axis is logarithmic, of 1 + x (no x < 0). `share`: the y axis is 0 to 1.

    `named`: each series' name stands at its last point, or at the end of its line, instead of in a key.
    """
    inside = plotted(series, log=log, x_unit=x_unit, y_unit=y_unit, share=share, named=named)
    told = f"{about}. " + "; ".join(f"{one.name}: " + ", ".join(f"{x_unit(p.x)} {y_unit(p.y)}" for p in one.points) for one in series)
    key = "" if named else "".join(f"<li>{_patch(i, one.colour)} {escape(one.name)}</li>" for i, one in enumerate(series))
    kind = "area ends" if named and any(one.line for one in series) else "area"
    return (
        f'<div class="plot"><p class="y-label">{escape(y_label)}</p><div class="{kind}"><svg width="100%" height="{_HIGH}" role="img" '
        f'aria-label="{escape(told)}">{inside}</svg></div><p class="x-label">{escape(x_label)}</p>{_key(key)}</div>'
    )


def plotted(
    series: Sequence[Series],
    *,
    log: bool = False,
    x_unit: Callable[[float], str] = number,
    y_unit: Callable[[float], str] = number,
    share: bool = False,
    named: bool = False,
    height: int = _HIGH,
) -> str:
    """The inside of a plot of curves, `height` px high: grid, marks of the axes, intervals, points and lines; the rest as in `curve`."""
    points = [point for one in series for point in one.points]
    xs = sorted({point.x for point in points})
    low, high, ticks = _SHARE if share else scale(min(p.low for p in points), max(p.high for p in points))
    warp: Callable[[float], float] = math.log1p if log else float
    left, right = warp(xs[0]), warp(xs[-1])
    room = (right - left) * 0.05 or 1.0
    across, up = place(left - room, right + room), place(high, low)
    parts = [f'<line class="grid" x1="0" x2="100%" y1="{up(t)}" y2="{up(t)}"/>' for t in ticks]
    parts += [f'<text x="-8" y="{up(t)}" dy="4" text-anchor="end">{escape(tick(t, ticks, y_unit))}</text>' for t in ticks]
    parts += [
        f'<text x="{across(warp(x))}" y="100%" dy="18" text-anchor="middle">{escape(x_unit(x))}</text>'
        for x in _thinned(xs, warp, right - left)
    ]
    parts.append('<line class="base" x1="0" x2="100%" y1="100%" y2="100%"/>')
    for at, one in enumerate(series):
        dots = sorted(one.points, key=lambda point: point.x)
        # Curves that run on one another stand a little apart, so that each is seen.
        parts.append(f'<g transform="translate({5 * (at - (len(series) - 1) / 2) if one.line and not named else 0:g})">')
        for a, b in pairwise(dots) if one.line else ():
            ends = f'x1="{across(warp(a.x))}" y1="{up(a.y)}" x2="{across(warp(b.x))}" y2="{up(b.y)}"'
            parts.append(f'<line class="curve {escape(one.colour)}" {ends}/>')
        for point in dots:
            x = across(warp(point.x))
            parts.append(f'<line class="whisker {escape(one.colour)}" x1="{x}" x2="{x}" y1="{up(point.low)}" y2="{up(point.high)}"/>')
            parts.append(f'<svg x="{x}" y="{up(point.y)}" overflow="visible">{shape(at, one.colour, point.title)}</svg>')
        parts.append("</g>")
    if named:
        parts += _names(
            series,
            lambda point: (warp(point.x) - left + room) / (right - left + 2 * room),
            lambda y: height * (high - y) / (high - low),
        )
    return "".join(parts)


def _names(series: Sequence[Series], across: Callable[[Point], float], down: Callable[[float], float]) -> list[str]:
    """Names at the last points, moved up or down where two would stand on one another."""
    lasts = sorted(((down(one.points[-1].y), across(one.points[-1]), one) for one in series if one.points), key=lambda last: last[0])
    out: list[str] = []
    placed: list[tuple[float, float]] = []
    for y, x, one in lasts:
        at = max([y, *(before + _LINE for other, before in placed if one.line or abs(other - x) < 0.12)])
        placed.append((x, at))
        side = 'dx="-9" text-anchor="end"' if x > 0.75 and not one.line else 'dx="9"'
        where = "100%" if one.line else f"{100 * x:.2f}%"
        out.append(f'<text class="name" x="{where}" y="{at:.0f}" dy="4" {side}>{escape(one.name)}</text>')
    return out


def stacks(rows: Sequence[tuple[str, str, Sequence[tuple[str, float]]]], about: str, unit: Callable[[float], str]) -> str:
    """(who as HTML, name, parts) as bars of stacked parts over a common scale; each part has the same colour in all rows."""
    names = list(dict.fromkeys(name for _, _, parts in rows for name, _ in parts))
    most = max((sum(value for _, value in parts) for _, _, parts in rows), default=0.0) or 1.0
    out = []
    for who, _, parts in rows:
        bars, start = [], 0.0
        for name, value in parts:
            bars.append(
                f'<rect class="c{names.index(name) % 8}" x="{100 * start / most:.2f}%" width="{100 * value / most:.2f}%" y="5" '
                f'height="{_STRIP - 10}"><title>{escape(name)} {escape(unit(value))}</title></rect>'
            )
            start += value
        out.append(
            f'<div class="strip"><span class="who">{who}</span><svg width="100%" height="{_STRIP}" aria-hidden="true">{"".join(bars)}</svg>'
            f'<span class="said">{escape(unit(start))}</span></div>'
        )
    told = f"{about}: " + "; ".join(f"{name}: " + ", ".join(f"{stage} {unit(value)}" for stage, value in parts) for _, name, parts in rows)
    key = "".join(f"<li>{_patch(1, f'c{i % 8}')} {escape(name)}</li>" for i, name in enumerate(names))
    return f'<div class="strips" role="img" aria-label="{escape(told)}">{"".join(out)}</div>{_key(key)}'


def _key(listed: str) -> str:
    return f'<ul class="key">{listed}</ul>' if listed else ""


def _patch(which: int, colour: str) -> str:
    """A shape of a colour, for keys."""
    return f'<svg width="16" height="12" aria-hidden="true"><svg x="8" y="6" overflow="visible">{shape(which, colour, "")}</svg></svg>'


def shape(which: int, colour: str, title: str) -> str:
    """The mark of series number `which` around the point (0, 0); `title` is shown on hovering."""
    told = f"<title>{escape(title)}</title>" if title else ""
    return f'<path class="mark {escape(colour)}" d="{_SHAPES[which % len(_SHAPES)]}">{told}</path>'


def place(low: float, high: float) -> Callable[[float], str]:
    """Where a value stands between two ends, in percent."""
    return lambda value: f"{100 * (value - low) / (high - low):.2f}%"


def scale(low: float, high: float) -> tuple[float, float, list[float]]:
    """Ends and about four round marks around the values."""
    if low == high:
        low, high = low - abs(low or 1) * 0.1, high + abs(high or 1) * 0.1
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough)
    first = math.floor(low / step)
    if low >= 0 and low < 0.35 * high:
        first = 0
    count = math.ceil(high / step - 1e-9) - first
    ticks = [round((first + i) * step, 12) for i in range(count + 1)]
    while len(ticks) > 6:
        ticks = [*ticks[::2], *([ticks[-1] + (ticks[1] - ticks[0])] if len(ticks) % 2 == 0 else [])]
    return ticks[0], ticks[-1], ticks


def tick(value: float, ticks: Sequence[float], unit: Callable[[float], str]) -> str:
    """A mark of a scale as text, with no more digits than tell it from the next."""
    if unit is not number:
        return unit(value)
    places = len(f"{ticks[1] - ticks[0]:.10f}".rstrip("0").partition(".")[2])
    return f"{value:,.{places}f}"


def _thinned(xs: Sequence[float], warp: Callable[[float], float], span: float) -> list[float]:
    """Those of the ascending marks that do not stand on one another; the last one always."""
    kept: list[float] = []
    for x in reversed(xs):
        if not kept or (warp(kept[-1]) - warp(x)) / span > 0.13:
            kept.append(x)
    return kept
