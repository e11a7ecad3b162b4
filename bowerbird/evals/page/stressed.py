"""The part of the page that shows a stress test: what every pipeline owes, then a picture for each thing that was made harder."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bowerbird.evals.page.parts import Json, badge, cell, details, table
from bowerbird.evals.page.pictures import Point, Series, Strip, curve, strips
from bowerbird.evals.page.text import day, duration, escape, seconds

__all__ = ["stressed"]

_LOG_FROM = 20  # an axis that spans more than this is logarithmic
_CURVE = 3  # conditions that make a curve


def stressed(one: Json, chip: str) -> str:
    """A section. `chip`: the spec as HTML."""
    owed = [row for row in one["rows"] if row["must"] is not None]
    facts = (
        f"{one['questions']} made-up questions a condition · seed {one['seed']} · model {one['llm'] or 'none'} · "
        f"took {duration(one['seconds'])} · {day(one['started'])}"
    )
    name = one["anchor"]
    parts = [
        f'<section id="{name}" aria-labelledby="h-{name}"><h2 id="h-{name}">Stress</h2><p>{chip}</p><p class="soft">{escape(facts)}</p>'
    ]
    if one["left"]:
        listed = "".join(f"<li>{escape(line)}</li>" for line in one["left"])
        parts.append(f'<div class="notice"><b>Not run.</b><ul>{listed}</ul></div>')
    if owed:
        broken = sum(map(_broken, owed))
        told = badge("broken", f"{broken} of {len(owed)} broken") if broken else badge("holds", f"all {len(owed)} hold")
        listed = "".join(_owed(row) for row in sorted(owed, key=lambda row: not _broken(row)))
        parts.append(f'<h3>What every pipeline owes {told}</h3><ul class="verdicts">{listed}</ul>')
    for test, about in one["tests"].items():
        rows = [row for row in one["rows"] if row["test"] == test and row["must"] is None]
        if rows:
            title = escape(about[:1].upper() + about[1:])
            parts.append(f'<h3>{title}</h3><div class="plots">{_pictures(rows)}</div>{details("The numbers", _table(about, rows))}')
    if one["examples"]:
        parts.append(f"<h3>What went wrong, to look at</h3>{''.join(map(_example, one['examples']))}")
    parts.append(
        f"<h3>Provenance</h3><dl><dt>Run again</dt><dd><code>{escape(one['rerun'])}</code></dd>"
        f"<dt>Folder</dt><dd><code>{escape(one['folder'])}</code></dd></dl></section>"
    )
    return "\n".join(parts)


def _broken(row: Json) -> bool:
    return bool(row["value"] != row["must"])


def _owed(row: Json) -> str:
    told = badge("broken", "✗ broken") if _broken(row) else badge("holds", "✓ holds")
    share = f"{row['value']:.0%} of {row['n']}" + (f", and {row['must']:.0%} is owed" if _broken(row) else "")
    where = f"{row['test']}, {row['condition']}"
    return (
        f'<li>{told} {escape(where)}: {escape(row["measure"])} <b>{share}</b> <span class="soft">(95 % interval {_ends(row)})</span></li>'
    )


def _pictures(rows: Sequence[Json]) -> str:
    """A curve for each family of conditions that differ in a number alone, intervals for the rest."""
    families: dict[tuple[str, bool], list[Json]] = {}
    for row in rows:
        families.setdefault((re.sub(r"\d[\d,.]*", "#", row["condition"], count=1), row["measure"] == "seconds"), []).append(row)
    out, rest = [], []
    for (family, timed), members in families.items():
        if len({row["x"] for row in members if row["x"] is not None}) < _CURVE:
            rest += members
        else:
            out.append(_curve(family, timed, members))
    for place, name in enumerate(dict.fromkeys(row["measure"] for row in rest)):
        mine = [row for row in rest if row["measure"] == name]
        lines = [
            Strip(escape(r["condition"]), r["condition"], r["value"], r["low"], r["high"], f"c{place}", f"{_value(r)}, {r['n']} questions")
            for r in mine
        ]
        hint = {"more": ", more is better", "less": ", less is better"}.get(mine[0]["better"], "")
        timed = name == "seconds"
        picture = strips(lines, name, unit=seconds if timed else _percent, share=not timed)
        out.append(f'<figure><p class="y-label"><b>{escape(name)}</b>{hint}</p>{picture}</figure>')
    return "".join(out)


def _curve(family: str, timed: bool, members: Sequence[Json]) -> str:
    series = []
    for place, name in enumerate(dict.fromkeys(row["measure"] for row in members)):
        mine = [row for row in members if row["measure"] == name]
        points = tuple(Point(r["x"], r["value"], r["low"], r["high"], f"{r['condition']}: {name} {_value(r)}") for r in mine)
        series.append(Series(name, f"c{place}", points))
    xs = sorted({row["x"] for row in members})
    share = "%" in family
    return curve(
        series,
        family.replace("#%", "…").replace("#", "n"),
        family.replace("#%", "…").replace("#", "n"),
        "seconds a question" if timed else "share of the questions",
        log=xs[-1] / max(xs[0], 1.0) >= _LOG_FROM,
        x_unit=_percent if share else _whole,
        y_unit=seconds if timed else _percent,
        share=not timed,
    )


def _percent(value: float) -> str:
    return f"{value:.0%}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _ends(row: Json) -> str:
    told = seconds if row["measure"] == "seconds" else _percent
    return f"{told(row['low'])} to {told(row['high'])}"


def _value(row: Json) -> str:
    told = seconds if row["measure"] == "seconds" else _percent
    return f"{told(row['value'])} ({_ends(row)})"


def _table(about: str, rows: Sequence[Json]) -> str:
    body = [
        f'<tr><th scope="row">{escape(r["condition"])}</th><td class="text">{escape(r["measure"])}</td>'
        f"{cell(escape(_value(r)), r['value'])}{cell(str(r['n']), r['n'])}</tr>"
        for r in rows
    ]
    return table(about, ["Condition", "Measure", "Value", "n"], body, True)


def _example(one: Json) -> str:
    answer = f'<h5>Answer</h5><pre dir="auto" tabindex="0">{escape(one["answer"])}</pre>' if one["answer"] else ""
    return (
        f'<details class="item"><summary><span class="scores">{escape(one["test"])}, {escape(one["condition"])}</span>'
        f'<bdi class="said-text" dir="auto">{escape(one["query"])}</bdi></summary><p>{escape(one["why"])}.</p>{answer}'
        f'<h5>Context</h5><pre dir="auto" tabindex="0">{escape(one["context"])}</pre></details>'
    )
