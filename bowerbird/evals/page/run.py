"""The section of the page that shows one run."""

from __future__ import annotations

from bowerbird.evals.page.parts import Json, Labels, anchor, badge, cell, details, empty, interval, said, table
from bowerbird.evals.page.pictures import Point, Series, Strip, curve, stacks, strips
from bowerbird.evals.page.text import day, duration, escape, number, seconds

__all__ = ["section"]

_LINES = 12  # of a notice
_COSTS = (
    ("tokens", "Context tokens"),
    ("prompt_tokens", "Tokens read"),
    ("completion_tokens", "Tokens written"),
    ("dollars_per_1000", "$ per 1,000"),
)
_TOLD = {"split", "protocol", "limit", "seed", "budget_tokens", "specs", "measures", "cases"}  # settings that stand elsewhere
_VOID = {"", "None", "{}", "[]"}
_VERDICT = {"better": "better than", "worse": "worse than", "undecided": "not told apart from"}
_NOTE = (
    "Bold: better than every other beyond chance, the oracle aside. ≈: not told apart from the highest. Grey: baselines. Italic: a ceiling."
)


def section(run: Json, labels: Labels, looked_at: str) -> str:
    """The section; `looked_at`: its items as HTML."""
    facts = {
        "kind": run["kind"],
        "protocol": run["protocol"],
        "split": run["split"],
        "items": f"{run['cases']:,}",
        "budget": f"{run['budget_tokens']:,} tokens",
        "encoder": run["encoder"] or "none",
        "model": run["llm"] or "none",
        "took": duration(run["seconds"]),
    }
    name = anchor(run["id"])
    listed = "".join(f"<li>{what} <b>{escape(value)}</b></li>" for what, value in facts.items())
    parts = [
        f'<section id="run-{name}" aria-labelledby="h-{name}"><h2 id="h-{name}">{escape(run["task"])}</h2><ul class="facts">{listed}</ul>',
        _verdicts(run, labels),
        _notices(run),
        _results(run, labels),
        _intervals(run, labels),
        _cost(run, labels),
        _latency(run, labels),
        _slices(run, labels),
        looked_at,
        _provenance(run),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _notices(run: Json) -> str:
    out = []
    if not run["complete"]:
        out.append('<div class="notice bad"><b>Not finished.</b> The run was stopped; its numbers are of what was done.</div>')
    if run["lacks"]:
        out.append(
            f'<div class="notice bad"><b>Not a result.</b> These baselines are missing: {escape(", ".join(run["lacks"]))}. '
            "Without them nobody can tell whether it helps.</div>"
        )
    for title, lines in (("Left open", run["open"]), ("Predicted, not measured", run["predicted"]), ("Left out", run["dropped"])):
        if lines:
            listed = "".join(f"<li>{escape(line)}</li>" for line in lines[:_LINES])
            more = f"<li>and {len(lines) - _LINES} more, in run.json</li>" if len(lines) > _LINES else ""
            out.append(f'<div class="notice"><b>{title}.</b><ul>{listed}{more}</ul></div>')
    return "".join(out)


def _verdicts(run: Json, labels: Labels) -> str:
    lines = []
    for one in run["verdicts"]:
        more = ""
        if one["word"] == "undecided" and one["needed"] and one["needed"] > one["n"]:
            more = f" A difference of this size would need about {one['needed']:,} items."
        lines.append(
            f"<li>{badge(one['word'])} {labels.letter(one['system'])}is {_VERDICT[one['word']]} <b>{escape(one['against'])}</b>: "
            f"{escape(one['measure'])} {one['difference']:+.3f} "
            f'<span class="soft">({one["low"]:+.3f} to {one["high"]:+.3f}, p = {one["p"]:.2g}; '
            f"better on {one['wins']:,}, worse on {one['losses']:,}, equal on {one['ties']:,} of {one['n']:,})</span>.{more}</li>"
        )
    return f'<ul class="verdicts">{"".join(lines)}</ul>' if lines else ""


def _results(run: Json, labels: Labels) -> str:
    costs = [(key, head) for key, head in _COSTS if any(s["cost"] and s["cost"][key] for s in run["systems"])]
    times = {s["name"]: _time(s) for s in run["systems"]}
    timed = any(took is not None for took in times.values())
    lower = [name for name, m in run["measures"].items() if m["better"] == "lower"]
    less = f" Less is better: {', '.join(lower)}." if lower else ""
    heads = ["System"]
    heads += [f'<abbr title="{escape(m["about"])}">{escape(name)}</abbr>' for name, m in run["measures"].items()]
    heads += [head for _, head in costs] + ["Time, median"] * timed
    rows = []
    for s in run["systems"]:
        cells = [_measured(s["measures"].get(name)) for name in run["measures"]]
        cells += [cell(_amount(s["cost"][key]), s["cost"][key]) if s["cost"] else empty() for key, _ in costs]
        took = times[s["name"]]
        if timed:
            cells.append(empty() if took is None else cell(seconds(took), took))
        kind = "ceiling baseline" if s["ceiling"] else "baseline" if s["baseline"] else "tested"
        about = f'<small class="about">{escape(s["about"])}</small>' if s["baseline"] and s["about"] not in ("", s["name"]) else ""
        rows.append(f'<tr class="{kind}"><th scope="row">{labels.chip(s["name"])}{about}</th>{"".join(cells)}</tr>')
    return f"<h3>Results</h3>{table(f'{_NOTE}{less}', heads, rows, True)}"


def _measured(row: Json | None) -> str:
    if row is None:
        return empty()
    text = number(row["value"])
    if row["mark"] == "best":
        text = f"<b>{text}</b>"
    elif row["mark"]:
        text = f'<span title="not told apart from the highest">≈</span> {text}'
    return cell(text + interval(row), row["value"])


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.2f}"


def _time(system: Json) -> float | None:
    """Median seconds a case; the sum of the stages' medians where the whole was not timed."""
    latency = system["latency"]
    if not latency:
        return None
    return float(latency["total"]["p50"]) if "total" in latency else sum(float(row["p50"]) for row in latency.values())


def _intervals(run: Json, labels: Labels) -> str:
    pictures = []
    for name in run["measures"]:
        held = [(s["name"], s["measures"][name]) for s in run["systems"] if name in s["measures"]]
        rows = [
            Strip(labels.chip(who, 48), labels.short(who), m["value"], m["low"], m["high"], labels.colour(who), said(m)) for who, m in held
        ]
        none = next((m["value"] for who, m in held if who == "none"), None)
        pictures.append(f"<figure>{strips(rows, f'{name} with 95 % intervals', none)}</figure>")
    note = '<p class="soft">The dashed line is no augmentation.</p>' if any(s["name"] == "none" for s in run["systems"]) else ""
    others = list(run["measures"])[1:]
    rest = "".join(f"<h4>{escape(name)}</h4>{picture}" for name, picture in zip(others, pictures[1:], strict=True))
    more = details("The other measures", rest) if rest else ""
    return f"<h3>{escape(run['main'])} with intervals</h3>{note}{pictures[0]}{more}"


def _cost(run: Json, labels: Labels) -> str:
    main, pictures = run["main"], []
    for key, what in (
        ("tokens", "context tokens an item"),
        ("prompt_tokens", "tokens that the model reads, an item"),
        ("dollars_per_1000", "dollars for 1,000 items"),
    ):
        series = []
        for s in run["systems"]:
            if main in s["measures"] and s["cost"]:
                m, x, who = s["measures"][main], s["cost"][key], labels.short(s["name"])
                point = Point(x, m["value"], m["low"], m["high"], f"{who}: {said(m)} at {_amount(x)}")
                series.append(Series(who, labels.colour(s["name"]), (point,), line=False))
        if len({round(one.points[0].x, 9) for one in series}) > 2:
            pictures.append(curve(series, f"{main} against {what}", what, main, x_unit=_amount, named=True))
    if run["routes"]:
        routed = [
            Series(
                labels.short(one["system"]),
                labels.colour(one["system"]),
                tuple(
                    Point(x, y, y, y, f"{labels.short(one['system'])}: {number(y)} with {x:.0%} to the strong model")
                    for x, y in one["points"]
                ),
            )
            for one in run["routes"]
        ]
        what = "share of questions sent to the strong model"
        pictures.insert(0, curve(routed, f"quality against the {what}", what, "quality", x_unit=lambda x: f"{x:.0%}", named=True))
    return f'<h3>Quality against cost</h3><div class="plots">{"".join(pictures)}</div>' if pictures else ""


def _latency(run: Json, labels: Labels) -> str:
    bars, rows = [], []
    for s in run["systems"]:
        stages = [(name, row["p50"]) for name, row in s["latency"].items() if name != "total"]
        if stages:
            bars.append((labels.chip(s["name"], 48), labels.short(s["name"]), stages))
        rows += [
            f'<tr><th scope="row">{labels.chip(s["name"])}</th><td class="text">{escape(name)}</td>'
            f"{cell(seconds(row['p50']), row['p50'])}{cell(seconds(row['p95']), row['p95'])}</tr>"
            for name, row in s["latency"].items()
        ]
    if not bars:
        return ""
    listed = details("Medians and 95th percentiles", table("Seconds an item, by stage", ["System", "Stage", "p50", "p95"], rows, True))
    return f"<h3>Time by stage</h3><figure>{stacks(bars, 'Median seconds an item by stage', seconds)}</figure>{listed}"


def _slices(run: Json, labels: Labels) -> str:
    found = run["slices"]
    if not found:
        return ""
    systems = [s["name"] for s in run["systems"] if any(s["name"] in row["values"] for row in found["rows"])]
    rows = []
    for row in found["rows"]:
        cells = [cell(f"{row['n']:,}", row["n"])]
        cells += [cell(number(row["values"][name]), row["values"][name]) if name in row["values"] else empty() for name in systems]
        gap = row["difference"]
        if found["against"]:
            told = "" if gap is None else f"<b>{gap[0]:+.3f}</b>" if row["decided"] else f"{gap[0]:+.3f}"
            cells.append(empty() if gap is None else cell(f"{told}<small>{gap[1]:+.3f} to {gap[2]:+.3f}</small>", gap[0]))
        rows.append(f'<tr><th scope="row">{escape(row["category"])}</th>{"".join(cells)}</tr>')
    heads = ["Category", "n", *(escape(labels.short(name)) for name in systems)]
    heads += [escape(f"{labels.short(found['system'])} − {found['against']}")] if found["against"] else []
    note = f"{found['measure']}. A bold difference is beyond chance, corrected for the number of categories."
    more = f'<p class="soft">{found["more"]:,} smaller categories are not shown.</p>' if found["more"] else ""
    return f"<h3>By category</h3>{table(note, heads, rows, True)}{more}"


def _provenance(run: Json) -> str:
    share = f" ({run['overhead_seconds'] / run['seconds']:.1%} of it the harness)" if run["seconds"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    rows = {
        "Run again": f"<code>{escape(run['rerun'])}</code>",
        "Folder": f"<code>{escape(run['folder'])}</code>",
        "Data SHA-256": f"<code>{escape(run['data_sha256'])}</code>",
        "Seed, limit": f"{run['seed']}, {'all items' if run['limit'] is None else run['limit']}",
        "Started": day(run["started"]),
        "Took": f"{duration(run['seconds'])}{share}",
        "Encoder": f"<code>{escape(run['encoder'] or 'none')}</code>",
        "Model": f"<code>{escape(run['llm'] or 'none')}</code>",
        "Versions": escape(versions or "not noted"),
        **{
            escape(name): f"<code>{escape(value)}</code>"
            for name, value in run["settings"].items()
            if name not in _TOLD and value not in _VOID
        },
    }
    return f"<h3>Provenance</h3><dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in rows.items())}</dl>"
