"""How well an encoder ranks the candidates of groups, without a bower: its vectors are in none before it is published."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from bowerbird.learn.batches import key_text, query_text
from bowerbird.learn.groups import Group, alike
from bowerbird.learn.trainer import Scores, gain_at
from bowerbird.ports import Vectors

__all__ = ["pooled_scores"]

_POOL = 600  # texts beside those that help


def pooled_scores(groups: Sequence[Group], encode: Callable[[Sequence[str]], Vectors], instructed: Collection[str]) -> Scores:
    """kind -> query id -> nDCG@10 of its labels or rewards among all that help a query of its kind and some hundred others. What helps
    another query of the same gold output helps it too (`alike`), where its own candidates do not say otherwise. Ties break by text."""
    found: dict[str, dict[str, float]] = {}
    known = alike(groups)
    for name in sorted({group.kind for group in groups}):
        mine = [group for group in groups if group.kind == name]
        texts: dict[str, int] = {}
        for group in mine:
            for candidate in group.candidates:
                texts.setdefault(key_text(group, candidate.text, instructed), len(texts))
        wanted = {key_text(group, c.text, instructed) for group in mine for c in group.candidates if c.label > 0 or c.reward}
        pool = [text for text in texts if text in wanted] + [text for text in texts if text not in wanted][:_POOL]
        vectors = encode([*(query_text(group, instructed) for group in mine), *pool])
        scores = vectors[: len(mine)] @ vectors[len(mine) :].T
        for group, row in zip(mine, scores, strict=True):
            labels = {key_text(group, text, instructed): 1.0 for text in known.get(group.wants, ())} if not group.rewarded else {}
            labels |= {key_text(group, c.text, instructed): max(c.label, c.reward or 0.0) for c in group.candidates}
            order = sorted(range(len(pool)), key=lambda i: (-float(row[i]), pool[i]))[:10]
            found.setdefault(name, {})[group.id] = gain_at(10, [labels.get(pool[i], 0.0) for i in order], list(labels.values()))
    return found
