"""What a run comes to: which differences are real, where augmentation helped and hurt, and what is needed to run it again.

It turns a run folder into plain JSON values that a page draws; all texts in them are cut and cleaned, none is trusted. It
recomputes no measure.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.evals import measure as measures
from bowerbird.evals.compare import LEAST, Comparison, compare, compare_many, holm, slices
from bowerbird.evals.page.text import clean, cut
from bowerbird.evals.results import BASELINES, CEILINGS, Item, Run, item_file, read_items

__all__ = ["OPPONENTS", "digest", "lacking"]

_RESAMPLES = 4_000
_SHOWN = 5  # items of each sort
_SLICES = 24
_HITS = 20
_NEEDED = ("none", "random", "bm25", "oracle")  # "dense" needs an encoder, "recency" times, "full" a large window
OPPONENTS = ("random", "recency", "length", "bm25", "dense")
"""The plain ways to retrieve, or to judge answers: what a spec has to beat."""

Scores = dict[str, dict[str, float]]  # system -> item -> value


def digest(folder: Path) -> dict[str, Any]:
    """The run in `folder` as JSON values. Raises `NotFound` or `InvalidInput` where there is none or it is damaged."""
    run = Run.load(folder)
    if not run.systems or not run.measures:
        raise InvalidInput(f"{folder} holds no results: the run was stopped before the first system was done. Run it again to resume.")
    items = {name: read_items(item_file(folder, name)) for name in run.systems}
    names = list(dict.fromkeys(name for system in run.systems for name in run.measures.get(system, {})))
    better = {name: _better(name) for name in names}
    main = names[0]
    scores = {name: _scores(items, name) for name in names}
    marks = {name: _marks(run, scores[name], name, better[name]) for name in names}
    specs = [name for name in run.systems if name not in BASELINES and main in run.measures.get(name, {})]
    best = max(specs, key=lambda name: _sign(better[main]) * run.measures[name][main].value, default=None)
    # A property of the whole set has no items to compare: what is looked at item by item is then the first measure that has.
    paired = next((name for name in names if any(scores[name].values())), main)
    top = best if best is None or scores[paired].get(best) else None
    lacks = lacking(run)
    return {
        "id": clean(folder.name),
        "folder": clean(str(folder)),
        "rerun": f"bowerbird eval rerun {shlex.quote(str(folder))}",
        "task": clean(run.task),
        "kind": run.kind,
        "split": run.split,
        "protocol": run.protocol,
        "cases": max((e.n for row in run.measures.values() for e in row.values()), default=0),
        "limit": run.limit,
        "seed": run.seed,
        "budget_tokens": run.budget_tokens,
        "encoder": run.encoder,
        "llm": run.llm,
        "versions": dict(run.versions),
        "data_sha256": run.data_sha256,
        "started": run.started,
        "seconds": run.seconds,
        "overhead_seconds": run.overhead_seconds,
        "complete": run.complete,
        "dropped": [clean(text) for text in run.dropped],
        "open": [clean(text) for text in run.open],
        "predicted": [clean(text) for text in run.guesses],
        "settings": {clean(str(name)): clean(str(value)) for name, value in run.settings.items()},
        "lacks": lacks,
        "main": main,
        "measures": {name: {"better": better[name], "about": _about(name)} for name in names},
        "systems": [_system(run, name, marks) for name in run.systems],
        "verdicts": [] if lacks else _verdicts(run, scores[paired], paired, better[paired], specs),
        "routes": _routes(items, _scores(items, "quality")) if run.protocol == "route" else [],
        "slices": _slices(run, items, scores[paired], top, paired),
        "items": _items(run, items, scores[paired], top, paired, _sign(better[paired])),
    }


def lacking(run: Run) -> list[str]:
    """Baselines that the run neither has nor excuses: without them it is no result."""
    return [name for name in _NEEDED if name not in run.systems and not _excused(run, name)]


# --- measures ---------------------------------------------------------------------------------------------------------


def _better(name: str) -> str:
    try:
        return measures.get(name).better
    except (UnknownName, InvalidInput):  # a measure of a newer version or of somebody's own: no direction is claimed
        return "neither"


def _about(name: str) -> str:
    try:
        return measures.get(name).about
    except (UnknownName, InvalidInput):
        return ""


def _sign(better: str) -> int:
    return -1 if better == "lower" else 1


def _scores(items: Mapping[str, Sequence[Item]], name: str) -> Scores:
    return {system: {i.id: i.measures[name] for i in rows if name in i.measures} for system, rows in items.items()}


def _excused(run: Run, name: str) -> bool:
    """Whether the run itself says why it goes without this baseline."""
    said = [*run.dropped, *run.open, *(str(value) for value in run.settings.values())]
    return any(text.startswith(f"{name}:") or f"'{name}:" in text for text in said)


def _paired(a: Mapping[str, float], b: Mapping[str, float]) -> Comparison | None:
    """B against A on the items that both have."""
    both = a.keys() & b.keys()
    if len(both) < LEAST:
        return None
    return compare({i: a[i] for i in both}, {i: b[i] for i in both}, resamples=_RESAMPLES)


def _marks(run: Run, scores: Scores, name: str, better: str) -> dict[str, str]:
    """System -> "best" (better than every other, ceilings aside, beyond chance) or "tied" (not told apart from the highest)."""
    rows = {system: run.measures[system][name] for system in run.systems if name in run.measures.get(system, {}) and system not in CEILINGS}
    if better == "neither" or len(rows) < 2:
        return {}
    sign = _sign(better)
    top = max(rows, key=lambda system: sign * rows[system].value)
    others = [system for system in rows if system != top]
    if all(scores.get(system) and scores[system].keys() == scores[top].keys() for system in others) and len(scores[top]) >= LEAST:
        found = compare_many(scores[top], {system: scores[system] for system in others}, resamples=_RESAMPLES)
        tied = [system for system in others if not found[system].decided]
    else:  # a property of the whole set has no items to pair: only intervals that lie apart count
        ends = {system: (row.low, row.high) if sign > 0 else (-row.high, -row.low) for system, row in rows.items()}
        tied = [system for system in others if ends[system][1] >= ends[top][0]]
    return dict.fromkeys([top, *tied], "tied") if tied else {top: "best"}


def _system(run: Run, name: str, marks: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    rows = run.measures.get(name, {})
    cost, count = run.cost.get(name), max((estimate.n for estimate in rows.values()), default=0)
    return {
        "name": clean(name),
        "about": clean(run.systems[name]),
        "baseline": name in BASELINES,
        "ceiling": name in CEILINGS,
        "measures": {
            measure: {"value": e.value, "low": e.low, "high": e.high, "n": e.n, "mark": marks[measure].get(name, "")}
            for measure, e in rows.items()
        },
        "cost": None
        if cost is None or not count
        else {
            "tokens": cost.tokens / count,
            "prompt_tokens": cost.prompt_tokens / count,
            "completion_tokens": cost.completion_tokens / count,
            "dollars_per_1000": 1000 * cost.dollars / count,
        },
        "latency": {clean(stage): {"p50": row.p50, "p95": row.p95} for stage, row in run.latency.get(name, {}).items()},
    }


def _verdicts(run: Run, scores: Scores, main: str, better: str, specs: Sequence[str]) -> list[dict[str, Any]]:
    """Each spec against no augmentation and against the strongest plain retriever, in a word and in a sentence."""
    if better == "neither":
        return []
    plain = [name for name in OPPONENTS if main in run.measures.get(name, {})]
    strongest = max(plain, key=lambda name: _sign(better) * run.measures[name][main].value, default=None)
    pairs = {}
    for spec in specs:
        for against in (name for name in ("none", strongest) if name is not None and scores.get(name)):
            found = _paired(scores[against], scores.get(spec, {}))
            if found is not None:
                pairs[spec, against] = found
    verdicts = []
    for ((spec, against), single), p in zip(pairs.items(), holm([one.p for one in pairs.values()]), strict=True):
        found = replace(single, p_many=p)
        gain = _sign(better) * found.difference.value
        word = ("better" if gain > 0 else "worse") if found.decided else "undecided"
        seen = found.difference
        verdicts.append(
            {
                "system": clean(spec),
                "against": against,
                "measure": main,
                "word": word,
                "difference": seen.value,
                "low": seen.low,
                "high": seen.high,
                "p": found.p_many,
                "n": seen.n,
                "needed": found.needed,
                "wins": found.wins if better == "higher" else found.losses,
                "ties": found.ties,
                "losses": found.losses if better == "higher" else found.wins,
            }
        )
    return verdicts


def _routes(items: Mapping[str, Sequence[Item]], quality: Scores) -> list[dict[str, Any]]:
    """Mean quality by the share of questions that each router would send to the strong model, most wished for first.

    Taken from what the weak ("none") and the strong model ("full") reached on each question and from the routers' wishes;
    questions that are wished for alike share what they gain. A router that tells no questions apart is left out.
    """
    weak, strong = quality.get("none", {}), quality.get("full", {})
    curves = []
    for name, rows in items.items():
        wishes = {i.id: float(i.facts["score"]) for i in rows if "score" in i.facts and i.id in weak and i.id in strong}
        if len(set(wishes.values())) < 3:
            continue
        alike: dict[float, list[float]] = {}
        for i, wish in wishes.items():
            alike.setdefault(wish, []).append(strong[i] - weak[i])
        gains = [sum(alike[wish]) / len(alike[wish]) for wish in sorted(alike, reverse=True) for _ in alike[wish]]
        start, n = sum(weak[i] for i in wishes) / len(wishes), len(gains)
        shares = [place / 10 for place in range(11)]
        curves.append({"system": clean(name), "points": [[share, start + sum(gains[: round(share * n)]) / n] for share in shares]})
    return curves


# --- slices and items -------------------------------------------------------------------------------------------------


def _slices(run: Run, items: Mapping[str, Sequence[Item]], scores: Scores, best: str | None, main: str) -> dict[str, Any] | None:
    """The main measure by category, the largest categories first, and whether the best spec differs from no augmentation there."""
    rows = max(items.values(), key=len, default=[])  # some may have stopped early
    category = {item.id: item.category or "(none)" for item in rows}
    counts = Counter(category.values())
    if len(counts) < 2:
        return None
    against = _opponent(run, scores, main, best, items)
    found: Mapping[str, Comparison] = {}
    if best is not None and against is not None:
        both = [i for i in category if i in scores[best] and i in scores[against]]
        found, _ = slices({i: scores[against][i] for i in both}, {i: scores[best][i] for i in both}, category, resamples=_RESAMPLES)
    table = []
    for name, count in counts.most_common(_SLICES):
        members = [i for i, one in category.items() if one == name]
        values = {}
        for system in run.systems:
            got = [scores[system][i] for i in members if i in scores.get(system, {})]
            if got:
                values[clean(system)] = sum(got) / len(got)
        one = found.get(name)
        table.append(
            {
                "category": clean(cut(name, 80)),
                "n": count,
                "values": values,
                "difference": None if one is None else [one.difference.value, one.difference.low, one.difference.high],
                "decided": one is not None and one.decided,
            }
        )
    return {
        "measure": main,
        "system": None if best is None else clean(best),
        "against": against,
        "rows": table,
        "more": max(0, len(counts) - _SLICES),
    }


def _opponent(run: Run, scores: Scores, main: str, best: str | None, items: Mapping[str, Sequence[Item]]) -> str | None:
    """What the best spec is read against: no augmentation where there are answers, otherwise the strongest plain retriever."""
    if best is None:
        return None
    if scores.get("none") and any(item.answer for item in items["none"]):
        return "none"
    sign = _sign(_better(main))
    plain = [name for name in OPPONENTS if scores.get(name)]
    return max(plain, key=lambda name: sign * run.measures[name][main].value, default=None)


def _items(run: Run, items: Mapping[str, Sequence[Item]], scores: Scores, best: str | None, main: str, sign: int) -> list[dict[str, Any]]:
    """Groups of items, each side by side under two systems: helped, hurt, and what gold records would have given."""
    groups: list[dict[str, Any]] = []
    if best is None or not scores.get(best):
        return groups
    mine = {item.id: item for item in items[best]}
    against = _opponent(run, scores, main, best, items)
    for title, other, most in (("helped", against, 1), ("hurt", against, -1), ("missed", "oracle", -1)):
        if other is None or not scores.get(other):
            continue
        theirs = {item.id: item for item in items[other]}
        gains = {i: sign * (scores[best][i] - scores[other][i]) for i in scores[best] if i in scores[other]}
        chosen = sorted((i for i in gains if most * gains[i] > 0), key=lambda i: (-most * gains[i], i))
        pairs = [_pair(mine[i], theirs[i], best, other, main) for i in chosen[:_SHOWN]]
        groups.append({"sort": title, "system": clean(best), "against": other, "measure": main, "count": len(chosen), "items": pairs})
    return groups


def _pair(a: Item, b: Item, first: str, second: str, main: str) -> dict[str, Any]:
    gold = a.gold or b.gold
    return {
        "id": clean(cut(a.id, 200)),
        "category": clean(cut(a.category, 80)),
        "query": clean(cut(a.query, 2000)),
        "gold": [clean(cut(key, 200)) for key in gold[:_HITS]],
        "sides": [_side(a, first, main, gold), _side(b, second, main, gold)],
    }


def _side(item: Item, system: str, main: str, gold: Sequence[str]) -> dict[str, Any]:
    return {
        "system": clean(system),
        "value": item.measures[main],
        "measures": {name: value for name, value in item.measures.items() if name != main},
        "answer": clean(cut(item.answer, 4000)),
        "hits": [{"key": clean(cut(key, 200)), "gold": key in gold} for key in item.hits[:_HITS]],
        "more_hits": max(0, len(item.hits) - _HITS),
        "context": clean(cut(item.context, 5000)),
        "tokens": item.tokens,
        "seconds": item.seconds,
    }
