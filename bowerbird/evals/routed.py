"""Routing tasks: models as records, and what each of them scored on a question. Knows nothing of routers.

No routing dataset here has a split of its own, so `test` and `train` are halves by a hash of the case; `all` is both, for
routers that learn nothing from these questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bowerbird.evals import rows
from bowerbird.evals.task import Case
from bowerbird.types import Record, Scope

__all__ = ["PAIR", "REPOSITORY", "REVISION", "SPLITS", "Model", "case", "drawn", "records"]

REPOSITORY, REVISION = "lm-sys/RouteLLM", "0b64fdafe049e596a3f5657c219329f24af24198"
SPLITS = ("test", "train", "all")
_SCOPE = Scope("eval")


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a question can be sent to; prices in dollars for a million tokens, None where there is no list price."""

    key: str
    about: str
    price_in: float | None = None
    price_out: float | None = None

    def dollars(self, prompt_tokens: float, answer_tokens: float) -> float:
        """What a request of that size costs; 0 without prices."""
        return ((self.price_in or 0.0) * prompt_tokens + (self.price_out or 0.0) * answer_tokens) / 1e6


PAIR = (
    Model("gpt-4-1106-preview", "OpenAI GPT-4 Turbo of November 2023: the strong one", 10.0, 30.0),
    Model("mistralai/Mixtral-8x7B-Instruct-v0.1", "Mistral Mixtral 8x7B Instruct: the weak one", 0.24, 0.24),
)
"""RouteLLM's two models; Mixtral's price is the one that its paper counts with (arXiv 2406.18665, section 5)."""


def records(models: Sequence[Model]) -> Iterator[Record]:
    """One record of kind `model` each."""
    for model in models:
        prices = {"price_in": model.price_in, "price_out": model.price_out}
        known = {name: value for name, value in prices.items() if value is not None}
        yield Record(model.key, "model", model.about, {"name": model.key, **known}, _SCOPE, trust="trusted")


def case(id: str, query: str, scores: Mapping[str, float], costs: Mapping[str, float], category: str = "") -> Case:
    """The models that score best are gold. `facts`: `scores` and `costs` (dollars for this question) by model."""
    best = max(scores.values())
    gold = {model: 1.0 for model, score in scores.items() if score == best}
    return Case(id, query, gold, scope=_SCOPE, category=category, facts={"scores": dict(scores), "costs": dict(costs)})


def drawn(name: str, split: str) -> bool:
    """Whether the case of that name belongs to the split."""
    return split == "all" or (rows.share(name) < 0.5) is (split == "train")
