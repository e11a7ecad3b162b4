"""What outcomes measured of a turn's hits, as raw rewards, each group on one scale. It calls no model.

Scales: `metric`, a task's own score; `likelihood`, the mean log-probability of a token; and of models alone `feedback`, what people
said of them, in [-1, 1] (of other kinds that is a label: `feedback.py`). Values stay as they were given; `smooth.py` makes of
them what training uses.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bowerbird.learn.groups import Group, query_hash
from bowerbird.learn.rewards.feedback import labels
from bowerbird.ledger import Event
from bowerbird.llms.tokens import EstimatedTokens

__all__ = ["alike", "dollars", "filled", "measured", "one_scale", "without"]

_MODEL = "model"
_SCALES = ("metric", "likelihood", "feedback")
_ANSWER = 200  # tokens of an answer that nobody noted: as many as the stage `llm` asks for

Values = Mapping[str, Mapping[str, float]]  # scale -> key (or a query's id) -> value


def measured(outcomes: Sequence[Event], hits: Mapping[str, str], shown: Sequence[str]) -> Values:
    """scale -> key -> the mean of what one turn's outcomes measured of that hit. `hits`: key -> kind, best first; `shown`: keys.

    An outcome that names hits is theirs. One of the turn as a whole is that of every record which was shown, since it was had with
    them, and that of the model which was chosen: the first hit of kind `model`.
    """
    models = [key for key, kind in hits.items() if kind == _MODEL]
    whole = [*(key for key in shown if hits.get(key) != _MODEL), *models[:1]]
    every: dict[str, dict[str, list[float]]] = {}
    for event in outcomes:
        for key in (event.body["keys"] or whole) if (scale := _scale(event)) else ():
            every.setdefault(scale, {}).setdefault(key, []).append(event.body["value"])
    found = {scale: {key: _mean(values) for key, values in of.items()} for scale, of in every.items()}
    said = labels([event for event in outcomes if not _scale(event)], models[:1])
    judged = {key: said[key] for key in models if key in said}
    return {**found, "feedback": judged} if judged else found


def without(turns: Iterable[tuple[Event, Sequence[Event]]]) -> Values:
    """scale -> a query's id -> the mean outcome of the turns (served, outcomes) that found nothing for it, or were not to look."""
    every: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for served, outcomes in turns:
        for event in outcomes if not served.body["hits"] else ():
            if scale := _scale(event):
                every[scale][query_hash(served.body["query"])].append(event.body["value"])
    return {scale: {id: _mean(values) for id, values in of.items()} for scale, of in every.items()}


def filled(group: Group, values: Values, nothing: Values) -> Group:
    """The group with raw rewards and that of the run without retrieval, on the scale that says most of its candidates.

    `about["reward"]` names the scale. A group that nothing was measured of stays as it is. Models have no run without: one answered.
    """
    keys = {candidate.key for candidate in group.candidates}
    known = {scale: len(keys & values[scale].keys()) for scale in _SCALES if scale in values}
    scale = max(known, key=lambda name: known[name], default="")  # of equals the first
    if not scale or not known[scale]:
        return group
    candidates = tuple(replace(candidate, raw=values[scale].get(candidate.key)) for candidate in group.candidates)
    alone = None if group.kind == _MODEL else nothing.get(scale, {}).get(group.id)
    return replace(group, candidates=candidates, nothing=alone, about={**group.about, "reward": scale})


def dollars(served: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Key -> what a served turn would have cost with that model, from its fields `price_in` and `price_out` (dollars for a million
    tokens); models without either are left out.

    Tokens are those that the reader noted; where none did, the context's, and a guess at the question and the answer
    (200 tokens where there is none): the same for each model.
    """
    noted = [step["info"] for step in served["steps"] if "completion_tokens" in step["info"]]
    if noted:
        read, written = noted[-1]["prompt_tokens"], noted[-1]["completion_tokens"]
    else:
        question, answer = EstimatedTokens().count([served["query"], served["answer"] or ""])
        read, written = served["tokens"] + question, answer or _ANSWER
    priced = {key: (fields.get("price_in"), fields.get("price_out")) for key, fields in models.items()}
    return {key: ((i or 0.0) * read + (o or 0.0) * written) / 1e6 for key, (i, o) in priced.items() if (i, o) != (None, None)}


def one_scale(groups: Sequence[Group]) -> list[Group]:
    """Those on the scale that most of them are on; a group that names none counts as `metric`."""
    counted = Counter(map(_named, groups))
    most = min(counted, key=lambda name: (-counted[name], name), default="")
    return [group for group in groups if _named(group) == most]


def alike(first: Group, second: Group) -> tuple[Group, Group]:
    """Both, to be merged into one: where they have raw rewards of unlike scales, the one that says less (no run without retrieval, then
    fewer candidates; then the second) gives its own up."""
    if _named(first) == _named(second) or not (_says(first) > (0, 0) and _says(second) > (0, 0)):
        return first, second
    return (first, _unscored(second)) if _says(first) >= _says(second) else (_unscored(first), second)


def _scale(event: Event) -> str:
    """What an outcome measures; nothing where it is a word of people or the like."""
    if event.body["protocol"] == "likelihood":
        return "likelihood"
    return "metric" if (event.body["source"], event.body["protocol"]) == ("metric", "scalar") else ""


def _named(group: Group) -> str:
    return str(group.about.get("reward", "metric"))


def _says(group: Group) -> tuple[int, int]:
    return int(group.nothing is not None), sum(candidate.raw is not None for candidate in group.candidates)


def _unscored(group: Group) -> Group:
    candidates = tuple(replace(candidate, raw=None, reward=None) for candidate in group.candidates)
    about = {name: value for name, value in group.about.items() if name != "reward"}
    return replace(group, candidates=candidates, nothing=None, about=about)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
