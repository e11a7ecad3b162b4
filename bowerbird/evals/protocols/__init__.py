"""Protocols: how a task is judged. Name -> "module:Class", one method a file."""

from __future__ import annotations

import importlib
from typing import Any

from bowerbird.errors import UnknownName

TABLE: dict[str, str] = {
    "rank": "bowerbird.evals.protocols.rank:Rank",
    "recommend": "bowerbird.evals.protocols.recommend:Recommend",
    "answer": "bowerbird.evals.protocols.answer:AnswerFrom",
    "classify": "bowerbird.evals.protocols.classify:Classify",
    "knn": "bowerbird.evals.protocols.knn:Knn",
    "prefer": "bowerbird.evals.protocols.prefer:Prefer",
    "perplexity": "bowerbird.evals.protocols.perplexity:Perplexity",
    "route": "bowerbird.evals.protocols.route:Route",
    "rewrite": "bowerbird.evals.protocols.rewrite:RewriteOf",
    "grade": "bowerbird.evals.protocols.grade:Grade",
    "agree": "bowerbird.evals.protocols.agree:Agree",
}


def judge_of(name: str) -> Any:
    """The class called `name`; an unknown one raises `UnknownName` with the nearest."""
    if name not in TABLE:
        raise UnknownName("protocol", name, TABLE)
    module, _, attribute = TABLE[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
