"""The three ports: Encoder, Store, LLM. Each is the narrowest interface that the stages need; optional powers are protocols.

Implementations live in `encoders/`, `stores/`, `llms/` and never import one another. Their conformance suites ship in
`bowerbird.testing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bowerbird.types import FOREVER, Message, Record, Scope

__all__ = [
    "LLM",
    "Completion",
    "Encoder",
    "Filter",
    "HiddenStates",
    "Library",
    "LogLikelihood",
    "PairScorer",
    "Point",
    "Prompt",
    "Sparse",
    "SparseEncoder",
    "Store",
    "Streams",
    "TokenCounter",
    "Trained",
    "Vectors",
    "capabilities",
]

Vectors = NDArray[np.float32]


# --- encoders ---------------------------------------------------------------------------------------------------------


class Encoder(Protocol):
    """Makes dense vectors. `id` (such as `all-MiniLM-L6-v2@53aa5117`) tags every vector it made."""

    @property
    def id(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def instructed(self) -> frozenset[str]:
        """The kinds whose instruction pair it was trained with, so that it is put in front of their texts; most have none."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """(n, dim) float32 rows of length 1; row i belongs to texts[i] and does not depend on the other texts. n may be 0."""
        ...


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector: term numbers (uint32, distinct, ascending) and their weights (float32), both of shape (m,). m may be 0."""

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]


class SparseEncoder(Protocol):
    """Makes sparse vectors; a store multiplies them with the inverse document frequency of each term."""

    @property
    def id(self) -> str: ...

    def encode_keys(self, texts: Sequence[str]) -> list[Sparse]: ...

    def encode_queries(self, texts: Sequence[str]) -> list[Sparse]: ...


class PairScorer(Protocol):
    """Scores (query, text) pairs together: a cross-encoder."""

    @property
    def id(self) -> str: ...

    def score(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """(n,) float32, higher is better."""
        ...


# --- stores -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Point:
    """What a store keeps of a record: its id, its vectors by name, and what it is filtered by.

    `hash` is the record's content hash and lets `verify` compare store and catalog. `fields` holds the filterable
    fields: strings, numbers, booleans and lists of them.
    """

    id: int
    scope: Scope
    kind: str
    hash: str
    created: float
    valid_from: float = 0.0
    valid_to: float = FOREVER
    dense: Mapping[str, Vectors] = field(default_factory=dict)
    sparse: Mapping[str, Sparse] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which points a call may touch. `scope` is the caller's and is not optional.

    `kinds` empty = every kind. `at` is the moment at which a point must be valid (valid_from <= at < valid_to);
    None shows superseded, expired and future ones as well. `where`: field conditions, all of which must hold:
    a plain value (equal, or contained when the field is a list), a list (equal to one of them), or a mapping with
    gt, gte, lt, lte (numbers). A point without the field does not match.
    """

    scope: Scope
    kinds: tuple[str, ...] = ()
    at: float | None = None
    where: Mapping[str, Any] = field(default_factory=dict)


class Store(Protocol):
    """Searches points. Derived from the catalog, can be rebuilt at any time.

    Every read takes a `Filter` whose scope the store itself enforces: a point is touched only if its scope is among
    `filter.scope.visible()`. Results are (id, score), best first, ties by ascending id. `put` of a known id replaces
    the whole point. A call that returned is safe against the death of the process.
    """

    def put(self, points: Sequence[Point]) -> None: ...

    def delete(self, ids: Sequence[int]) -> None: ...

    def search_dense(self, name: str, vectors: Vectors, k: int, filter: Filter) -> list[list[tuple[int, float]]]:
        """For each row of `vectors` (n, dim): up to k points by inner product. A store without that vector name finds nothing."""
        ...

    def search_sparse(self, name: str, vectors: Sequence[Sparse], k: int, filter: Filter) -> list[list[tuple[int, float]]]:
        """For each sparse query: up to k points by the sum over shared terms of query weight x key weight x IDF, where
        IDF(t) = ln(1 + (N - n_t + 0.5) / (n_t + 0.5)), N the points with that vector and n_t those with the term.
        Only points that share a term are returned."""
        ...

    def latest(self, k: int, filter: Filter) -> list[tuple[int, float]]:
        """Up to k points by `created`, newest first; the score is `created`."""
        ...

    def sample(self, k: int, seed: int, filter: Filter) -> list[int]:
        """Up to k matching ids, drawn evenly; the same seed over the same points draws the same."""
        ...

    def vectors(self, name: str, ids: Sequence[int], filter: Filter) -> dict[int, Vectors]:
        """The dense vectors (dim,) of those of `ids` that match."""
        ...

    def count(self, filter: Filter) -> int: ...

    def scan(self) -> Iterator[tuple[int, str]]:
        """(id, hash) of every point, of all scopes: for `verify` and `rebuild` alone."""
        ...

    def optimize(self) -> None:
        """Build or refresh fast search structures; may take long, changes no result beyond approximation."""
        ...

    def flush(self) -> None:
        """Make everything acknowledged safe against the loss of power as well."""
        ...

    def close(self) -> None: ...


class Library(Protocol):
    """Looks hits up: the catalog, seen from a stage. It is the truth: what it does not give is not shown."""

    def records(self, ids: Sequence[int], scope: Scope, at: float | None) -> dict[int, Record]:
        """Those of `ids` that `scope` may see and that are valid at `at` (None = superseded, expired and future ones too)."""
        ...

    def ids(self, keys: Sequence[str], scope: Scope) -> list[int | None]:
        """For each key the id of the narrowest visible record of that name, or None."""
        ...


class Trained(Protocol):
    """Gives the trained components that serve a caller (`components/`); what was learnt in one tenant serves no other."""

    def component(self, name: str, scope: Scope) -> Any | None:
        """The component of that name for callers of `scope`, or None where none is published."""
        ...


# --- language models --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent to a model: chat messages, or one plain text."""

    messages: tuple[Message, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back. Tokens as the model counts them; `cost` in dollars (0 where no price is known)."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    finish: str = "stop"


class LLM(Protocol):
    """A language model that completes prompts. Powers beyond that are the protocols below; see `capabilities`."""

    @property
    def name(self) -> str: ...

    @property
    def context_window(self) -> int: ...

    def complete(
        self, prompts: Sequence[Prompt], *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """One completion a prompt, in order. Raises `LLMError` after its retries."""
        ...

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text by this model's tokenizer."""
        ...


class TokenCounter(Protocol):
    """The part of an LLM that a composer needs."""

    @property
    def name(self) -> str: ...

    def count(self, texts: Sequence[str]) -> list[int]: ...


@runtime_checkable
class Streams(Protocol):
    """Can give a completion piece by piece."""

    def stream(
        self, prompt: Prompt, *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = (), seed: int = 0
    ) -> Iterator[str]: ...


@runtime_checkable
class LogLikelihood(Protocol):
    """Can score given outputs."""

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
        """For each (prompt text, output): (sum of the natural log-probabilities of the output's tokens given the prompt,
        number of those tokens); log-softmax in fp32. Each value is the pair's own, but pairs of one call that begin alike may
        share the work: give many at a time."""
        ...


@runtime_checkable
class HiddenStates(Protocol):
    """Can show its last layer."""

    def hidden_states(self, texts: Sequence[str]) -> list[Vectors]:
        """For each text (tokens, width) float32 of the last layer."""
        ...


def capabilities(llm: object) -> tuple[str, ...]:
    """The names of what `llm` can do: completion, chat, streaming, log-likelihood, hidden states."""
    can = []
    if hasattr(llm, "complete"):
        can.append("completion")
        if getattr(llm, "chat", True):  # a base model says False: messages reach it as plain text
            can.append("chat")
    if isinstance(llm, Streams):
        can.append("streaming")
    if isinstance(llm, LogLikelihood):
        can.append("log-likelihood")
    if isinstance(llm, HiddenStates):
        can.append("hidden states")
    return tuple(can)
