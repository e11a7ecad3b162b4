"""The models of a bower, ranked for a query by what each would be worth: a trained router over records of kind `model`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bowerbird.components.router import Router as Model
from bowerbird.errors import CapabilityMissing, InvalidInput
from bowerbird.ports import Encoder, Library, Trained
from bowerbird.roles import Query, Retrieve
from bowerbird.stage import part
from bowerbird.types import Scope, Turn

__all__ = ["Router"]


@dataclass(frozen=True)
class Router(Retrieve):
    """Records of kind `model` by predicted quality less `price` times mean dollars (RouteLLM, arXiv 2406.18665, for N models).

    `share` (0 to 1, -1 = not asked for): the strong model comes first for about that share of queries, by thresholds that were
    calibrated on held-out ones. A model that the router never saw, or that the scope does not see, is no hit. Where the router
    abstains, models stand by their mean quality, and the trace says so. Needs a published router for the scope.
    Cost: one encoder call for the batch, one catalog call a scope.
    """

    name: ClassVar[str] = "router"
    price: float = 0.0
    share: float = -1.0
    encoder: Encoder = part("encoder")
    library: Library = part("library")
    trained: Trained = part("trained")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.price < 0 or not (self.share == -1.0 or 0 <= self.share <= 1):
            raise InvalidInput(f"router: price={self.price!r} is 0 or more, share={self.share!r} between 0 and 1, or -1 for none.")

    def search(self, queries: Sequence[Query]) -> list[Sequence[tuple[int, float]]]:
        if not queries:
            return []
        vectors = self.encoder.encode([query.text for query in queries])
        share = None if self.share == -1.0 else self.share
        known = {query.filter.scope: self._known(query.filter.scope) for query in queries}
        found: list[Sequence[tuple[int, float]]] = []
        for place, query in enumerate(queries):
            model, ids = known[query.filter.scope]
            worth, _ = model.utilities(vectors[place : place + 1], [len(query.text.split())], self.price, share)
            pairs = [(id, float(value)) for id, value in zip(ids, worth[0], strict=True) if id is not None]
            found.append(sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[: self.k])
        return found

    def remarks(self, before: Turn, after: Turn) -> Mapping[str, Any]:
        if not before.retrieves or not after.hits:
            return {}
        model, ids = self._known(before.scope)
        prior = {id: float(value) for id, value in zip(ids, model.worth_of_prior(self.price), strict=True)}
        return {"family": model.family, "abstained": all(abs(hit.score - prior.get(hit.id, 9.0)) < 1e-6 for hit in after.hits)}

    def _known(self, scope: Scope) -> tuple[Model, Sequence[int | None]]:
        """The scope's router, and the ids of its models' records."""
        model = self._model(scope)
        return model, self.library.ids(model.models, scope)

    def _model(self, scope: Scope) -> Model:
        found: Model | None = self.trained.component("router", scope)
        if found is None:
            raise CapabilityMissing(f"No router serves {scope}. Train one: bowerbird learn fit router --publish")
        if found.encoder != self.encoder.id:
            raise CapabilityMissing(f"The router of {scope} is for {found.encoder}; the encoder is {self.encoder.id}. Fit it anew.")
        return found
