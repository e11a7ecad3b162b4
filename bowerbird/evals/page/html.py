"""The report as one HTML page that needs nothing else. What comes from data is escaped, and no script but the page's own may run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from bowerbird.evals.page.items import items
from bowerbird.evals.page.learned import learned
from bowerbird.evals.page.parts import Json, Labels, anchor, badge, cell, details, empty, interval, said, table
from bowerbird.evals.page.pictures import Point, Series, curve
from bowerbird.evals.page.run import section
from bowerbird.evals.page.stressed import stressed
from bowerbird.evals.page.text import day, escape, number

__all__ = ["page"]

_HERE = Path(__file__).parent
_SIDE = ("none", "bm25", "dense", "oracle")
_FOOT = (
    "Intervals are 95 % intervals. Systems are compared item by item: a randomisation test, corrected for the number of comparisons "
    "(Holm), and a bootstrap interval of the difference that leaves out zero. This page holds all it needs and asks nothing of the network."
)


def page(report: Json) -> str:
    """The whole page for what `report.gather` made."""
    style, script = (_HERE / "page.css").read_text("utf-8"), (_HERE / "page.js").read_text("utf-8")
    pin = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{pin}'; base-uri 'none'; form-action 'none'"
    labels, runs, title = Labels(report["labels"]), report["runs"], escape(report["title"])
    sorts = ((runs, "run"), (report["stress"], "stress test"), (report["learned"], "trained component"))
    held = [_count(things, name) for things, name in sorts if things]
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">',
        f"<title>{title}</title><style>{style}</style></head><body>",
        '<a class="skip" href="#results">Skip to the results</a>',
        f'<header><div class="top"><div><h1>{title}</h1>',
        f'<p class="soft">{", ".join(held)} · made {day(report["made"])} with Bowerbird {escape(report["version"])}</p></div>',
        '<button id="theme" class="no-print" type="button" hidden aria-label="Switch between light and dark"></button></div>',
        _begun(report["begun"]),
        _contents(report),
        '</header><main id="results">',
        _glance(runs, labels),
        *(_budgets(one, labels) for one in report["curves"]),
        *(section(run, labels, "".join(items(run, group, labels) for group in run["items"])) for run in runs),
        *(stressed(one, labels.chip(one["spec"])) for one in report["stress"]),
        *(learned(one) for one in report["learned"]),
        f"</main><footer><p>{_FOOT}</p></footer>",
        f"<script>{script}</script></body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _count(things: Sequence[Any], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def _begun(folders: Sequence[str]) -> str:
    listed = "".join(f"<li><code>{escape(one)}</code></li>" for one in folders)
    return f'<div class="notice"><b>Begun, without results yet.</b><ul>{listed}</ul></div>' if listed else ""


def _contents(report: Json) -> str:
    links = [(one["anchor"], f"{one['task']}: budgets") for one in report["curves"]]
    links += [(f"run-{anchor(run['id'])}", _title(run, report["runs"])) for run in report["runs"]]
    links += [(one["anchor"], "stress") for one in report["stress"]]
    links += [(one["anchor"], one["name"]) for one in report["learned"]]
    if len(links) < 2:
        return ""
    listed = "".join(f'<li><a href="#{escape(link)}">{escape(name)}</a></li>' for link, name in links)
    return f'<nav aria-label="Contents"><ul>{listed}</ul></nav>'


def _title(run: Json, runs: Sequence[Json]) -> str:
    """The task, and what tells it from other runs of the same task: as few words as will do."""
    twins = [one for one in runs if one["task"] == run["task"]]
    told = {
        "split": run["split"],
        "protocol": run["protocol"],
        "budget_tokens": f"{run['budget_tokens']:,} tokens",
        "cases": f"{run['cases']:,} items",
    }
    for some in (names for size in range(len(told) + 1) for names in combinations(told, size)):
        if sum(all(one[name] == run[name] for name in some) for one in twins) == 1:
            return " · ".join([str(run["task"]), *(told[name] for name in some)])
    return f"{run['task']} · {run['id'].rpartition('-')[2]}"


def _glance(runs: Sequence[Json], labels: Labels) -> str:
    rows = []
    for run in runs:
        by_name = {system["name"]: system["measures"].get(run["main"]) for system in run["systems"]}
        for system in run["systems"]:
            mine = by_name[system["name"]]
            if system["baseline"] or mine is None:
                continue
            words = {one["against"]: one["word"] for one in run["verdicts"] if one["system"] == system["name"]}
            plain = next(((name, word) for name, word in words.items() if name != "none"), None)
            none = badge("broken", "no result") if run["lacks"] else badge(words["none"]) if "none" in words else "·"
            cells = [
                f'<th scope="row">{labels.letter(system["name"])}<a href="#run-{anchor(run["id"])}">{escape(_title(run, runs))}</a>'
                f"<small>{escape(run['main'])}</small></th>",
                cell(f"<b>{number(mine['value'])}</b>{interval(mine)}", mine["value"]),
                f'<td class="text">{none}</td>',
                f'<td class="text">{badge(plain[1])}<small>{escape(plain[0])}</small></td>' if plain else '<td class="text">·</td>',
                *(cell(number(row["value"]), row["value"]) if (row := by_name.get(name)) else empty() for name in _SIDE),
            ]
            rows.append(f"<tr>{''.join(cells)}</tr>")
    if not rows:
        return ""
    heads = ["System and task", "Value", "Against none", "Against the best retriever", *_SIDE]
    key = "".join(f"<li>{labels.chip(name)}</li>" for name in labels.letters)
    listed = table("Does it help? One row a system and run.", heads, rows, True)
    return f'<section aria-labelledby="glance"><h2 id="glance">At a glance</h2>{listed}<ul class="key specs">{key}</ul></section>'


def _budgets(one: Json, labels: Labels) -> str:
    series = [
        Series(
            labels.short(s["name"]),
            labels.colour(s["name"]),
            tuple(
                Point(p["budget"], p["value"], p["low"], p["high"], f"{labels.short(s['name'])}: {said(p)} at {p['budget']:,} tokens")
                for p in s["points"]
            ),
        )
        for s in one["systems"]
    ]
    budgets = sorted({p["budget"] for s in one["systems"] for p in s["points"]})
    log = budgets[0] > 0 and budgets[-1] / budgets[0] >= 8
    name = f"{one['measure']} against the token budget"
    picture = curve(series, f"{one['task']}: {name}", "budget, tokens", one["measure"], log=log, x_unit=lambda x: f"{x:,.0f}", named=True)
    rows = []
    for s in one["systems"]:
        by = {p["budget"]: p for p in s["points"]}
        cells = "".join(cell(number(by[b]["value"]) + interval(by[b]), by[b]["value"]) if b in by else empty() for b in budgets)
        rows.append(f'<tr><th scope="row">{labels.chip(s["name"])}</th>{cells}</tr>')
    listed = details("The numbers", table(name, ["System", *(f"{b:,} tokens" for b in budgets)], rows, True))
    return (
        f'<section id="{one["anchor"]}" aria-labelledby="h-{one["anchor"]}"><h2 id="h-{one["anchor"]}">{escape(one["task"])}: '
        f'{escape(name)}</h2><figure class="wide">{picture}</figure>{listed}</section>'
    )
