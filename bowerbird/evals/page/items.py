"""Items side by side under two systems, with what each found, was shown and answered. Every text here is somebody else's."""

from __future__ import annotations

from bowerbird.evals.page.parts import Json, Labels, anchor
from bowerbird.evals.page.text import escape, number

__all__ = ["items"]

_LINE = 220  # characters of a question before it is opened
_SORTS = {
    "helped": ("Where it helped most", "No item came out better."),
    "hurt": ("Where it hurt most", "No item came out worse."),
    "missed": ("What it missed, and gold records would have given", "Nothing: it reached the oracle on every item."),
}


def items(run: Json, group: Json, labels: Labels) -> str:
    """One group of items under its heading."""
    title, nothing = _SORTS[group["sort"]]
    if not group["items"]:
        return f'<h3>{title}</h3><p class="soft">{nothing}</p>'
    head = (
        f'<h3>{title}</h3><p class="soft">{labels.letter(group["system"])}beside {escape(group["against"])}, '
        f"by {escape(group['measure'])}: "
        f"the first {len(group['items'])} of {group['count']:,} items.</p>"
    )
    return head + "".join(
        _item(f"item-{anchor(run['id'])}-{group['sort']}-{place}", item, group, labels) for place, item in enumerate(group["items"], 1)
    )


def _item(name: str, item: Json, group: Json, labels: Labels) -> str:
    query = item["query"]
    line = query if len(query) <= _LINE else f"{query[: _LINE - 1]}…"
    scores = " · ".join(f"{escape(labels.short(side['system']))} <b>{number(side['value'])}</b>" for side in item["sides"])
    gold = f'<p class="soft">Records that help: {escape(", ".join(item["gold"]))}</p>' if item["gold"] else ""
    whole = f'<pre dir="auto">{escape(query)}</pre>' if line != query else ""
    about = " · ".join(escape(part) for part in (item["id"], item["category"]) if part)
    return (
        f'<details class="item" id="{name}"><summary><span class="scores">{scores}</span>'
        f'<bdi class="said-text" dir="auto">{escape(line)}</bdi></summary>{whole}<p class="soft">{about}</p>{gold}'
        f'<div class="sides">{"".join(_side(side, group, labels) for side in item["sides"])}</div></details>'
    )


def _side(side: Json, group: Json, labels: Labels) -> str:
    facts = [f"{escape(group['measure'])} <b>{number(side['value'])}</b>"]
    facts += [f"{escape(name)} {number(value)}" for name, value in side["measures"].items()]
    facts.append(f"{side['tokens']:,} tokens")
    head = f'<div class="side" {labels.paint(side["system"])}><h4>{labels.chip(side["system"], 60)}</h4>'
    parts = [f'{head}<p class="soft">{" · ".join(facts)}</p>']
    if side["answer"]:
        parts.append(f'<h5>Answer</h5><pre dir="auto" tabindex="0">{escape(side["answer"])}</pre>')
    if side["hits"]:
        listed = "".join(
            f'<li class="gold"><bdi>{escape(hit["key"])}</bdi> ✓ helps</li>' if hit["gold"] else f"<li><bdi>{escape(hit['key'])}</bdi></li>"
            for hit in side["hits"]
        )
        more = f"<li>and {side['more_hits']:,} more</li>" if side["more_hits"] else ""
        parts.append(f'<h5>Found</h5><ol class="hits">{listed}{more}</ol>')
    if side["context"]:
        parts.append(f'<h5>Context</h5><pre dir="auto" tabindex="0">{escape(side["context"])}</pre>')
    elif not side["hits"]:
        parts.append('<p class="soft">Nothing was looked up.</p>')
    return "".join([*parts, "</div>"])
