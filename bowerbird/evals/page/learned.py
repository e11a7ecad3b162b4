"""The part of the page that shows a trained component: its card in words, how training went, and every kind before and after."""

from __future__ import annotations

from collections.abc import Sequence

from bowerbird.evals.page.parts import Json, badge, cell, details, empty, table
from bowerbird.evals.page.pictures import Point, Series, Strip, curve, strips
from bowerbird.evals.page.text import escape, number

__all__ = ["compared", "facts", "learned"]

_LOOKS = (("loss", "Loss", "less is better"), ("dev", "Dev measure", "more is better, and decides when to stop"))


def learned(one: Json) -> str:
    """A section."""
    name, verdict = one["anchor"], one["verdict"]
    told = badge("better", "may serve") if verdict["publish"] else badge("undecided", "not published")
    listed = "".join(f"<li>{escape(what)} <b>{escape(value)}</b></li>" for what, value in facts(one).items())
    parts = [
        f'<section id="{name}" aria-labelledby="h-{name}"><h2 id="h-{name}">Trained: {escape(one["name"])} {told}</h2>',
        f'<ul class="facts">{listed}</ul><p>{escape(verdict["why"])}</p>',
        _before_after(one),
        _training(one["curve"]),
        _provenance(one),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def facts(one: Json) -> dict[str, str]:
    """The card in words, name and value."""
    groups = ", ".join(f"{side} {count:,}" for side, count in one["groups"].items())
    return {
        "in place of": one["parent"] or "nothing",
        "learnt in": one["scope"],
        "ledger up to": f"{one['ledger_upto']:,}",
        "seed": str(one["seed"]),
        "encoder": one["encoder"] or "none",
        "queries": groups or "none",
        "options": ", ".join(f"{name} {value}" for name, value in one["options"].items()) or "as they are",
    }


def compared(one: Json) -> list[tuple[str, Json]]:
    """Kinds, and last the mean over them, each with its comparison; none where there was too little to compare."""
    mean = one["verdict"]["mean"]
    return [*one["verdict"]["kinds"].items(), *([("mean over kinds", mean)] if mean else [])]


def _before_after(one: Json) -> str:
    found = compared(one)
    if not found:
        return ""
    lines = [
        Strip(
            f'{escape(name)}<small class="about">{number(row["a"])} → {number(row["b"])}, {row["difference"]["n"]:,} queries</small>',
            name,
            row["difference"]["value"],
            row["difference"]["low"],
            row["difference"]["high"],
            "c7" if row is one["verdict"]["mean"] else "c0",
            f"{number(row['a'])} before, {number(row['b'])} after, {_difference(row)}",
        )
        for name, row in found
    ]
    picture = strips(lines, "After less before", line=0.0, unit=_signed)
    rows = [_row(name, row) for name, row in found]
    heads = ["Kind", "Before", "After", "Difference", "p", "Queries"]
    listed = details("The numbers", table("Held-out queries by kind, before and after", heads, rows, True))
    return (
        f'<h3>Before and after</h3><figure><p class="y-label"><b>After less before</b> on held-out queries, with 95 % intervals; '
        f"the dashed line is no change</p>{picture}</figure>{listed}"
    )


def _row(name: str, row: Json) -> str:
    seen, p = row["difference"], f"{row['p']:.2g}"
    cells = [
        cell(number(row["a"]), row["a"]),
        cell(number(row["b"]), row["b"]),
        cell(escape(_difference(row)), seen["value"]),
        cell(p, row["p"]),
        cell(f"{seen['n']:,}", seen["n"]),
    ]
    return f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>'


def _training(rows: Sequence[Json]) -> str:
    """A picture for each number that the trainer looked at."""
    out = []
    for place, (name, title, hint) in enumerate(_LOOKS):
        points = tuple(
            Point(row["step"], row[name], row[name], row[name], f"step {row['step']:,.0f}: {number(row[name])}")
            for row in rows
            if name in row
        )
        if points:
            series = [Series(name, f"c{place}", points)]
            label = f"{title.lower()}, {hint}"
            out.append(f"<figure>{curve(series, f'{title} over steps', 'step', label, x_unit=_whole, named=True)}</figure>")
    if not out:
        return ""
    body = [
        f'<tr><th scope="row">{row["step"]:,.0f}</th>'
        f"{''.join(cell(number(row[name])) if name in row else empty() for name, _, _ in _LOOKS)}</tr>"
        for row in rows
    ]
    listed = details("The numbers", table("Loss and dev measure by step", ["Step", *(title for _, title, _ in _LOOKS)], body))
    return f'<h3>Training</h3><div class="plots">{"".join(out)}</div>{listed}'


def _provenance(one: Json) -> str:
    sources = ", ".join(f"{name} {count:,}" for name, count in one["sources"].items()) or "none"
    rows = {"Groups by source": sources, "Data SHA-256": one["data_sha256"], "Folder": one["folder"]}
    listed = "".join(f"<dt>{what}</dt><dd><code>{escape(value)}</code></dd>" for what, value in rows.items())
    return f"<h3>Provenance</h3><dl>{listed}</dl>"


def _difference(row: Json) -> str:
    seen = row["difference"]
    return f"{_signed(seen['value'])} ({_signed(seen['low'])} to {_signed(seen['high'])})"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−") if value else "0"


def _whole(value: float) -> str:
    return f"{value:,.0f}"
