"""The report as Markdown, for a pull request or a terminal. What comes from data is escaped or fenced."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bowerbird.evals.page.learned import compared, facts
from bowerbird.evals.page.text import day, duration, markdown, number, seconds

__all__ = ["text"]

Json = Mapping[str, Any]


def text(report: Json) -> str:
    """The whole report."""
    letters = report["labels"]
    parts = [f"# {markdown(report['title'])}", "", f"Made {day(report['made'])} with Bowerbird {report['version']}.", ""]
    parts += [f"- **{letter}**: {_code(name)}" for name, letter in letters.items()]
    parts += [f"- begun, without results yet: {_code(one)}" for one in report["begun"]]
    for run in report["runs"]:
        parts += ["", *_run(run, letters)]
    for one in report["curves"]:
        budgets = sorted({p["budget"] for s in one["systems"] for p in s["points"]})
        parts += ["", f"## {markdown(one['task'])}: {markdown(one['measure'])} against the token budget", ""]
        rows = []
        for s in one["systems"]:
            by = {p["budget"]: p["value"] for p in s["points"]}
            rows.append([_short(s["name"], letters), *(number(by[b]) if b in by else "" for b in budgets)])
        parts += _table(["System", *(f"{b:,}" for b in budgets)], rows)
    for one in report["stress"]:
        parts += ["", *_stress(one)]
    for one in report["learned"]:
        parts += ["", *_learned(one)]
    return "\n".join(parts) + "\n"


def _run(run: Json, letters: Mapping[str, str]) -> list[str]:
    names = list(run["measures"])
    facts = f"{run['kind']}, {run['protocol']}, split {run['split']}, {run['cases']:,} items, budget {run['budget_tokens']:,} tokens"
    out = [f"## {markdown(run['task'])}", "", f"{markdown(facts)}; encoder {markdown(run['encoder'])}, model {markdown(run['llm'])}.", ""]
    if not run["complete"]:
        out += ["**Not finished:** the numbers are of what was done.", ""]
    if run["lacks"]:
        out += [f"**Not a result:** these baselines are missing: {', '.join(run['lacks'])}.", ""]
    for one in run["verdicts"]:
        word = {"better": "better than", "worse": "worse than", "undecided": "not told apart from"}[one["word"]]
        out.append(
            f"- {_short(one['system'], letters)} is **{word} {one['against']}**: {markdown(one['measure'])} {one['difference']:+.3f} "
            f"({one['low']:+.3f} to {one['high']:+.3f}, p = {one['p']:.2g}, {one['n']:,} items)"
        )
    rows = []
    for system in run["systems"]:
        cells = [_short(system["name"], letters)]
        for name in names:
            m = system["measures"].get(name)
            said = "" if m is None else f"{number(m['value'])} ({number(m['low'])}–{number(m['high'])})"
            cells.append(f"**{said}**" if m and m["mark"] == "best" else f"≈ {said}" if m and m["mark"] else said)
        cells.append(f"{system['cost']['tokens']:,.0f}" if system["cost"] else "")
        rows.append(cells)
    out += ["", *_table(["System", *map(markdown, names), "Context tokens"], rows), ""]
    out.append("Bold: better than every other beyond chance, the oracle aside. ≈: not told apart from the highest. 95 % intervals.")
    times = [
        [_short(s["name"], letters), markdown(stage), seconds(row["p50"]), seconds(row["p95"])]
        for s in run["systems"]
        for stage, row in s["latency"].items()
    ]
    if times:
        out += ["", "### Time by stage", "", *_table(["System", "Stage", "p50", "p95"], times)]
    found = run["slices"]
    if found:
        systems = [s["name"] for s in run["systems"]]
        sliced = [
            [markdown(row["category"]), f"{row['n']:,}", *(number(row["values"][s]) if s in row["values"] else "" for s in systems)]
            for row in found["rows"]
        ]
        heads = ["Category", "n", *(_short(s, letters) for s in systems)]
        out += ["", f"### {markdown(found['measure'])} by category", "", *_table(heads, sliced)]
    for group in run["items"]:
        title = {"helped": "Where it helped most", "hurt": "Where it hurt most", "missed": "What it missed"}[group["sort"]]
        out += ["", f"### {title}", "", f"{_short(group['system'], letters)} beside {group['against']}; {group['count']:,} items in all."]
        for item in group["items"]:
            out += _item(item, letters)
    for title, lines in (("Left open", run["open"]), ("Predicted, not measured", run["predicted"]), ("Left out", run["dropped"])):
        out += ["", f"### {title}", "", *(f"- {markdown(line)}" for line in lines)] if lines else []
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    out += [
        "",
        "### Provenance",
        "",
        f"- run again: {_code(run['rerun'])}",
        f"- data SHA-256: {_code(run['data_sha256'])}",
        f"- seed {run['seed']}, limit {run['limit']}, started {day(run['started'])}, took {duration(run['seconds'])}",
        f"- versions: {markdown(versions)}",
    ]
    return out


def _item(item: Json, letters: Mapping[str, str]) -> list[str]:
    out = ["", f"#### {markdown(item['query'][:300])}", "", f"{markdown(item['id'])}"]
    for side in item["sides"]:
        found = ", ".join(f"{markdown(hit['key'])}{' ✓' if hit['gold'] else ''}" for hit in side["hits"][:10])
        out += ["", f"{_short(side['system'], letters)}: {number(side['value'])}; found: {found or 'nothing'}"]
        out += ["", *_fenced(side["answer"])] if side["answer"] else []
        out += ["", *_fenced(side["context"])] if side["context"] else []
    return out


def _stress(one: Json) -> list[str]:
    out = [
        "## Stress",
        "",
        f"{_code(one['spec'])}, {one['questions']} questions a condition, seed {one['seed']}, model {markdown(one['llm'])}.",
        "",
    ]
    out += [f"- not run: {markdown(line)}" for line in one["left"]]
    rows = []
    for row in one["rows"]:
        said = seconds if row["measure"] == "seconds" else lambda value: f"{value:.0%}"
        owed = "" if row["must"] is None else "holds" if row["value"] == row["must"] else "**broken**"
        told = f"{said(row['value'])} ({said(row['low'])}–{said(row['high'])})"
        rows.append([markdown(row["test"]), markdown(row["condition"]), markdown(row["measure"]), told, str(row["n"]), owed])
    out += ["", *_table(["Test", "Condition", "Measure", "Value", "n", "Owed"], rows)]
    for example in one["examples"]:
        out += [
            "",
            f"#### {markdown(example['query'])}",
            "",
            f"{markdown(example['condition'])}: {markdown(example['why'])}",
            "",
            *_fenced(example["context"]),
        ]
    return [*out, "", f"Run again: {_code(one['rerun'])}"]


def _learned(one: Json) -> list[str]:
    out = [f"## Trained: {markdown(one['name'])}", "", markdown(one["verdict"]["why"]), ""]
    out += [f"- {what}: {markdown(value)}" for what, value in facts(one).items()]
    out += [f"- data SHA-256: {_code(one['data_sha256'])}", f"- folder: {_code(one['folder'])}"]
    rows = []
    for name, row in compared(one):
        seen = row["difference"]
        told = f"{seen['value']:+.3f} ({seen['low']:+.3f} to {seen['high']:+.3f})"
        rows.append([markdown(name), number(row["a"]), number(row["b"]), told, f"{row['p']:.2g}", f"{seen['n']:,}"])
    out += ["", *_table(["Kind", "Before", "After", "Difference", "p", "Queries"], rows)] if rows else []
    looks = [[f"{row['step']:,.0f}", *(number(row[name]) if name in row else "" for name in ("loss", "dev"))] for row in one["curve"]]
    return [*out, *(["", *_table(["Step", "Loss", "Dev measure"], looks)] if looks else [])]


def _short(name: str, letters: Mapping[str, str]) -> str:
    return letters.get(name) or markdown(name)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    line = " | ".join(["---", *["---:"] * (len(heads) - 1)])
    return [f"| {' | '.join(heads)} |", f"| {line} |", *(f"| {' | '.join(row)} |" for row in rows)]


def _fenced(said: str) -> list[str]:
    """A block that its content cannot end."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", said)), default=0))
    return [f"{fence}text", said, fence]


def _code(said: str) -> str:
    line = " ".join(said.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"
