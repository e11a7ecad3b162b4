"""BM25: records that share rare words with the query. It knows spellings, not meanings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bowerbird.ports import SparseEncoder, Store
from bowerbird.roles import Query, Retrieve
from bowerbird.stage import part
from bowerbird.stages.retrieve.groups import by_filter, distinct

__all__ = ["BM25"]


@dataclass(frozen=True)
class BM25(Retrieve):
    """Okapi BM25 (Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009).

    The sum is split between two parts: the sparse encoder gives each term's saturated, length-normalised weight (its
    constants k1 and b are the encoder's), the store multiplies by inverse document frequency. Differs from the paper:
    the IDF is ln(1 + ...), which is never negative. It counts over the whole store, whatever the filter, so a scope's
    scores move a little when other scopes write.
    Cost: one sparse encoding of the batch's distinct texts, no model; one store call a distinct filter.
    """

    name: ClassVar[str] = "bm25"
    sparse: SparseEncoder = part("sparse")
    store: Store = part("store")

    def search(self, queries: Sequence[Query]) -> list[Sequence[tuple[int, float]]]:
        rows = distinct([query.text for query in queries])
        vectors = self.sparse.encode_queries(list(rows))
        found: list[Sequence[tuple[int, float]]] = [() for _ in queries]
        for filter, places in by_filter(queries):
            wanted = [vectors[rows[queries[place].text]] for place in places]
            for place, pairs in zip(places, self.store.search_sparse(self.sparse.id, wanted, self.k, filter), strict=True):
                found[place] = pairs
        return found
