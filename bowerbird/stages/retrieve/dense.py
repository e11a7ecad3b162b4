"""Dense retrieval: nearest records by the inner product of encoder vectors. It knows meaning, and misses rare names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from bowerbird.kinds import kind, kinds
from bowerbird.ports import Encoder, Store
from bowerbird.roles import Query, Retrieve, ranked
from bowerbird.stage import part
from bowerbird.stages.retrieve.groups import by_filter, distinct

__all__ = ["Dense"]


@dataclass(frozen=True)
class Dense(Retrieve):
    """Inner product of query and record vectors (Karpukhin et al., Dense Passage Retrieval, arXiv 2004.04906, section 3.1).

    Differs from the paper: one encoder for both sides. An encoder trained with instructions (`Encoder.instructed`)
    reads the query once for each kind that may be found, behind that kind's `query_instruction` (LLM-Embedder, arXiv
    2310.07554, section 3), and the kinds' results are merged by score.
    Cost: one encoder call for the batch over its distinct texts, and one store call a distinct filter. With an
    instructed encoder both are multiplied by the number of kinds asked for (all kinds where none is named).
    """

    name: ClassVar[str] = "dense"
    encoder: Encoder = part("encoder")
    store: Store = part("store")

    def search(self, queries: Sequence[Query]) -> list[Sequence[tuple[int, float]]]:
        if not self.encoder.instructed:
            return self._found(queries)
        asked: list[tuple[int, Query]] = []  # (place of the query it came from, what is searched)
        for place, query in enumerate(queries):
            for name in query.filter.kinds or tuple(kinds()):
                text = kind(name).query_instruction + query.text
                asked.append((place, replace(query, text=text, filter=replace(query.filter, kinds=(name,)))))
        best: list[dict[int, float]] = [{} for _ in queries]
        for (place, _), pairs in zip(asked, self._found([query for _, query in asked]), strict=True):
            best[place].update(pairs)
        return [ranked(scores)[: self.k] for scores in best]

    def _found(self, queries: Sequence[Query]) -> list[Sequence[tuple[int, float]]]:
        """What the store gives for each query: one encoder call, and one store call for each distinct filter."""
        rows = distinct([query.text for query in queries])
        vectors = self.encoder.encode(list(rows))
        done: list[Sequence[tuple[int, float]]] = [()] * len(queries)
        for filter, members in by_filter(queries):
            wanted = vectors[[rows[queries[member].text] for member in members]]
            for member, pairs in zip(members, self.store.search_dense(self.encoder.id, wanted, self.k, filter), strict=True):
                done[member] = pairs
        return done
