"""The parts of a bower by the names that stages ask for, and pipelines bound to them. It knows nothing of turns.

Encoder, language model and cross-encoder are chosen by name or given; what is costly is made at the first need.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from bowerbird import spec as specs
from bowerbird import table
from bowerbird.catalog import Catalog
from bowerbird.encoders import choose as encoders
from bowerbird.errors import InvalidInput
from bowerbird.index import Index
from bowerbird.ledger.lessons import Lessons
from bowerbird.llms import choose as llms
from bowerbird.llms.tokens import EstimatedTokens
from bowerbird.ports import LLM, Encoder, PairScorer, SparseEncoder, TokenCounter, Trained
from bowerbird.stage import Stage

__all__ = ["Parts"]

_PIPELINES = 1000  # bound ones that are remembered


class Parts:
    """What stages are bound to. `encoder` and `llm`: a name, a part, "auto" for the best at hand, None for none. Safe in threads."""

    def __init__(
        self,
        catalog: Catalog,
        encoder: str | Encoder | None,
        llm: str | LLM | None,
        trained: Trained | None = None,
        lessons: Lessons | None = None,
    ) -> None:
        self.encoder: Encoder | None = encoders.choose(encoder) if isinstance(encoder, str) else encoder
        self.sparse: SparseEncoder = table.load("encoders", "bm25")()
        self.index: Index | None = None
        self.trained, self.lessons = trained, lessons
        self._catalog = catalog
        self._wanted, self._llm = llm, None if isinstance(llm, str) else llm
        self._scorer: PairScorer | None = None
        self._secret = _own_secret(catalog)
        self._bound: dict[str, Stage] = {}
        self._lock = threading.RLock()

    @property
    def llm(self) -> LLM | None:
        """The language model, chosen at the first need."""
        with self._lock:
            if isinstance(self._wanted, str):
                self._llm, self._wanted = llms.choose(None if self._wanted == "auto" else self._wanted), None
            return self._llm

    @property
    def counter(self) -> TokenCounter:
        """Counts tokens as the language model does, or estimates them where there is none."""
        counter: TokenCounter | None = getattr(self.llm, "counter", self.llm)
        return counter or EstimatedTokens()

    @property
    def scorer(self) -> PairScorer:
        """The cross-encoder, made at the first need."""
        with self._lock:
            if self._scorer is None:
                self._scorer = table.load("encoders", "cross_encoder")()
            return self._scorer

    def pipeline(self, spec: str, trained: Trained | None = None) -> Stage:
        """The stage that `spec` describes, bound; parsed and bound once. `trained` stands in for what the bower has published."""
        if trained is not None:
            return specs.parse(spec).bind(lambda name: trained if name == "trained" else self._part(name))
        with self._lock:
            if spec not in self._bound:
                if len(self._bound) >= _PIPELINES:
                    self._bound.clear()
                self._bound[spec] = specs.parse(spec).bind(self._part)
            return self._bound[spec]

    @contextmanager
    def replacing(self, encoder: Encoder | None) -> Iterator[None]:
        """While it lasts nobody binds a pipeline; after it they are bound with `encoder`, and to the index that serves then."""
        with self._lock:
            yield
            self.encoder = encoder
            self._bound.clear()

    def spec(self, use: Literal["search", "augment", "ask"], depth: int = 0) -> str:
        """The pipeline for a use, with the parts at hand. `depth`: hits that each arm of a search gives (0 = its default)."""
        index = self.index
        dense = self.encoder is not None and index is not None and (index.dense is not None or index.empty)
        if use == "search":
            k = f"(k={depth})" if depth else ""
            return f"dbsf(bm25{k}, dense{k})" if dense else f"bm25{k}"
        found = "dbsf(bm25(k=10, each=True), dense(k=10, each=True))" if dense else "bm25(k=10, each=True)"
        # Without meanings to go by, fewer of the question's words must do, or most questions would find nothing.
        augment = f"small_talk >> {found} >> neighbours >> error_memory >> {'cutoff' if dense else 'cutoff(words=0.4)'} >> budget"
        if use == "augment":
            return augment
        return f"{augment} >> {'extractive' if self.llm is None else 'llm'} >> citations"

    def _part(self, name: str) -> object | None:
        if name == "store":
            return self.index.store if self.index else None
        if name == "library":
            return self._catalog
        if name == "secret":
            return self._secret
        if name in ("encoder", "sparse", "llm", "counter", "scorer", "trained", "lessons"):
            part: object | None = getattr(self, name)
            return part
        raise InvalidInput(f"No part is called {name!r}.")


def _own_secret(catalog: Catalog) -> bytes:
    """Random bytes of this bower that make its delimiters unforgeable."""
    found = catalog.fact("secret")
    if found is None:
        catalog.set_fact("secret", secrets.token_hex(32), keep=True)
        found = catalog.fact("secret") or ""
    return bytes.fromhex(found)
