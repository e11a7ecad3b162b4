"""Dense retrieval: nearest records by the inner product of encoder vectors. It knows meaning, and misses rare names and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from bowerbird.components.adapter import QueryAdapter
from bowerbird.kinds import kind, kinds
from bowerbird.ports import Encoder, Store, Trained
from bowerbird.roles import Query, Retrieve, ranked
from bowerbird.stage import part
from bowerbird.stages.retrieve.groups import by_filter, distinct
from bowerbird.types import Scope, Turn

__all__ = ["Dense"]


@dataclass(frozen=True)
class Dense(Retrieve):
    """Inner product of query and record vectors (Karpukhin et al., Dense Passage Retrieval, arXiv 2004.04906, section 3.1).

    Differs from the paper: one encoder for both sides. An encoder trained with the instructions of some kinds (`Encoder.instructed`)
    reads the query once for each of them that may be found, behind that kind's `query_instruction` (LLM-Embedder, arXiv
    2310.07554, section 3), once for all others, and the results are merged by score. Where a query adapter serves the turn's scope, its
    map of each kind is applied likewise, and scores are brought back to the plain encoder's level (`QueryAdapter.levelled`), so that
    thresholds on them, `cutoff`'s for one, let as few off-topic hits pass as before. An adapter of another encoder is left out, and
    the trace says so.
    Cost: one encoder call for the batch over its distinct texts, and one store call a distinct filter. Both are one more for each
    kind asked for (all where none is named) that the encoder has an instruction for; with an adapter there is a store call for each kind.
    """

    name: ClassVar[str] = "dense"
    encoder: Encoder = part("encoder")
    store: Store = part("store")
    trained: Trained | None = part("trained", optional=True)

    def search(self, queries: Sequence[Query]) -> list[Sequence[tuple[int, float]]]:
        adapters = self._adapters({query.filter.scope for query in queries})
        if not self.encoder.instructed and not adapters:
            return self._found(queries, adapters)
        asked: list[tuple[int, Query]] = []  # (place of the query it came from, what is searched)
        for place, query in enumerate(queries):
            asked += [(place, part) for part in self._parts(query, query.filter.scope in adapters)]
        best: list[dict[int, float]] = [{} for _ in queries]
        for (place, _), pairs in zip(asked, self._found([query for _, query in asked], adapters), strict=True):
            best[place].update(pairs)
        return [ranked(scores)[: self.k] for scores in best]

    def _parts(self, query: Query, adapted: bool) -> list[Query]:
        """The query once for all kinds that it is read alike for; once for each kind where an adapter maps it."""
        if not adapted and not self.encoder.instructed:
            return [query]
        alike: dict[tuple[str, str], list[str]] = {}  # (text, the kind where it is mapped) -> kinds
        for name in query.filter.kinds or tuple(kinds()):
            alike.setdefault((kind(name).asked(query.text, self.encoder.instructed), name if adapted else ""), []).append(name)
        return [replace(query, text=text, filter=replace(query.filter, kinds=tuple(names))) for (text, _), names in alike.items()]

    def _found(self, queries: Sequence[Query], adapters: Mapping[Scope, QueryAdapter]) -> list[Sequence[tuple[int, float]]]:
        """What the store gives for each query: one encoder call, and one store call for each distinct filter."""
        rows = distinct([query.text for query in queries])
        vectors = self.encoder.encode(list(rows))
        done: list[Sequence[tuple[int, float]]] = [()] * len(queries)
        for filter, members in by_filter(queries):
            wanted = vectors[[rows[queries[member].text] for member in members]]
            adapter = adapters.get(filter.scope)  # with one, `search` has asked for one kind at a time
            if adapter is not None:
                wanted = adapter.apply(wanted, filter.kinds[0])
            for member, pairs in zip(members, self.store.search_dense(self.encoder.id, wanted, self.k, filter), strict=True):
                done[member] = pairs if adapter is None else adapter.levelled(pairs, filter.kinds[0])
        return done

    def _adapters(self, scopes: set[Scope]) -> dict[Scope, QueryAdapter]:
        """The adapter of each scope that has one, of this encoder."""
        if self.trained is None:
            return {}
        found = {scope: self.trained.component("adapter", scope) for scope in scopes}
        return {scope: adapter for scope, adapter in found.items() if adapter is not None and adapter.encoder == self.encoder.id}

    def remarks(self, before: Turn, after: Turn) -> Mapping[str, Any]:
        adapter: QueryAdapter | None = None if self.trained is None else self.trained.component("adapter", before.scope)
        if adapter is None or not before.retrieves:
            return {}
        if adapter.encoder == self.encoder.id:
            return {"adapted": True}
        return {"adapted": False, "why": f"the adapter is for {adapter.encoder}, the encoder is {self.encoder.id}: fit it anew"}
