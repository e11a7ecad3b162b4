"""The models of a bower, ranked for a query by what each would be worth: a trained router over records of kind `model`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from bowerbird.components.router import Router as Model
from bowerbird.errors import CapabilityMissing, InvalidInput
from bowerbird.ports import Encoder, Library, Store, Trained
from bowerbird.roles import Query, Retrieve
from bowerbird.stage import part
from bowerbird.stages.retrieve.random import Random
from bowerbird.types import Scope, Turn

__all__ = ["Router"]

_KIND = "model"
_MOST = 1000  # models that a condition may hold for


@dataclass(frozen=True)
class Router(Retrieve):
    """Records of kind `model` by predicted quality less `price` times mean dollars (RouteLLM, arXiv 2406.18665, for N models).

    Money is weighed by `price`, quality for a dollar (0: the best model whatever it costs), or by `quality` (0 to 1, -1 = not asked for;
    with it `price` and `share` take no part): at the price where first choices kept that share of the strong model's score. `share` (0
    to 1, -1): the strong model comes first for about that share of queries. Both were calibrated on held-out queries.

    Conditions on fields hold, so `where={"capabilities": "code"}` chooses among models that can. Where the router abstains, models stand
    by their mean quality, and the trace says so and names the default. A model that the router never saw is no hit; one that has no record
    in this scope is named in the trace, and where none has one it raises. Where no router is published for the scope, models come in
    an order drawn by the question, as from `random`, so that outcomes are gathered of each; the trace says so.
    Cost: one encoder call for the batch, a catalog call for each scope and turn, a store call for each condition.
    """

    name: ClassVar[str] = "router"
    price: float = 0.0
    share: float = -1.0
    quality: float = -1.0
    encoder: Encoder = part("encoder")
    library: Library = part("library")
    store: Store = part("store")
    trained: Trained = part("trained")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.price < 0 or not all(value == -1.0 or 0 <= value <= 1 for value in (self.share, self.quality)):
            raise InvalidInput(
                f"router: price={self.price!r} is 0 or more; share={self.share!r} and quality={self.quality!r} are between 0 and 1, "
                "or -1 for none."
            )

    def search(self, queries: Sequence[Query]) -> list[Sequence[tuple[int, float]]]:
        if not queries:
            return []
        known = {scope: self._known(scope) for scope in {query.filter.scope for query in queries}}
        vectors = self.encoder.encode([query.text for query in queries])
        allowed: dict[tuple[object, ...], set[int]] = {}
        found: list[Sequence[tuple[int, float]]] = []
        for place, query in enumerate(queries):
            if query.filter.kinds and _KIND not in query.filter.kinds:
                found.append(())
                continue
            routed = known[query.filter.scope]
            if routed is None:
                found += Random(k=self.k, store=self.store).search([replace(query, filter=replace(query.filter, kinds=(_KIND,)))])
                continue
            model, ids = routed
            made, _ = model.qualities(vectors[place : place + 1], [len(query.text.split())])
            pairs = [(id, float(value)) for id, value in zip(ids, self._worth(model, made)[0], strict=True) if id is not None]
            if query.filter.where:
                same = (query.filter.scope, query.filter.at, repr(sorted(query.filter.where.items())))
                if same not in allowed:
                    allowed[same] = {id for id, _ in self.store.latest(_MOST, replace(query.filter, kinds=(_KIND,)))}
                pairs = [pair for pair in pairs if pair[0] in allowed[same]]
            found.append(sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[: self.k])
        return found

    def remarks(self, before: Turn, after: Turn) -> Mapping[str, Any]:
        if not before.retrieves or not after.hits:
            return {}
        routed = self._known(before.scope)
        if routed is None:
            return {"abstained": True, "why": "no router is published for this scope: the order is drawn"}
        model, ids = routed
        resting = {id: float(value) for id, value in zip(ids, self._worth(model, model.prior[None])[0], strict=True)}
        said: dict[str, Any] = {"family": model.family, "abstained": all(hit.score == resting[hit.id] for hit in after.hits)}
        if said["abstained"]:
            said["default"] = model.models[ids.index(after.hits[0].id)]
        missing = [key for key, id in zip(model.models, ids, strict=True) if id is None]
        return {**said, "without_record": missing} if missing else said

    def _worth(self, model: Model, made: Any) -> Any:
        if self.quality != -1.0:  # finds its own price; `price` and `share` take no part then
            return model.worth(made, model.price_of(self.quality), None)
        return model.worth(made, self.price, None if self.share == -1.0 else self.share)

    def _known(self, scope: Scope) -> tuple[Model, list[int | None]] | None:
        """The scope's router, and the ids of its models' records; None where none is published."""
        found: Model | None = self.trained.component("router", scope)
        if found is None:
            return None
        if found.encoder != self.encoder.id:
            raise CapabilityMissing(f"The router of {scope} is for {found.encoder}; the encoder is {self.encoder.id}. Fit it anew.")
        ids = list(self.library.ids(found.models, scope))
        if not any(id is not None for id in ids):
            raise CapabilityMissing(
                f"The router of {scope} chooses among {', '.join(found.models)}, and none of them has a record there: add records of kind "
                "model by these keys, or fit it anew."
            )
        return found, ids
