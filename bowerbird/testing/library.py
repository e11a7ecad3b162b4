"""A library without a catalog, and a small world of parts to bind stages to: fifteen records, exact store, no model.

Everything is in memory and the same on every machine. It knows no versions, no files and no ledger.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bowerbird.encoders.bm25 import BM25Encoder
from bowerbird.kinds import kind
from bowerbird.ports import Completion, Encoder, Filter, Point, Prompt, Sparse, SparseEncoder, Store, Vectors
from bowerbird.stores.reference import ReferenceStore
from bowerbird.testing.encoders import HashEncoder, OverlapScorer
from bowerbird.testing.llms import ScoringLLM
from bowerbird.types import FOREVER, Hit, Record, Scope, Turn

__all__ = ["RECORDS", "MemoryLibrary", "World", "points", "some_turns"]

_START = 1_700_000_000.0


class MemoryLibrary:
    """The `Library` port over a list of records, the last one of a (scope, key) winning.

    A record that another one of its scope supersedes is hidden from that one's `created` on.
    """

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self._records = {record.id: record for record in records}
        self._until: dict[int, float] = {}
        for record in records:
            for key in record.supersedes:
                old = replace(record, key=key).id
                self._until[old] = min(record.created, self._until.get(old, FOREVER))

    def records(self, ids: Sequence[int], scope: Scope, at: float | None) -> dict[int, Record]:
        """Those of `ids` that `scope` may see and that are valid at `at`."""
        known = ((id, self._records[id]) for id in ids if id in self._records)
        return {id: record for id, record in known if scope.sees(record.scope) and (at is None or self._shown(record, at))}

    def ids(self, keys: Sequence[str], scope: Scope) -> list[int | None]:
        """For each key the id of the narrowest visible record of that name, or None."""
        found: list[int | None] = []
        for key in keys:
            named = (Record(key, "passage", "", scope=owner).id for owner in reversed(scope.visible()))
            found.append(next((id for id in named if id in self._records), None))
        return found

    def until(self, record: Record) -> float:
        """The moment from which on `record` is hidden."""
        return min(record.valid_to, self._until.get(record.id, FOREVER))

    def _shown(self, record: Record, at: float) -> bool:
        return record.valid_from <= at < self.until(record)


def points(
    records: Sequence[Record], encoder: Encoder | None = None, sparse: SparseEncoder | None = None, library: MemoryLibrary | None = None
) -> list[Point]:
    """What a store keeps of `records`: each rendered as its kind says. With a `library`, superseded ones end when they are superseded."""
    rows = [kind(record.kind) for record in records]
    texts = [row.encode(record) for row, record in zip(rows, records, strict=True)]
    dense: list[Mapping[str, Vectors]] = [{} for _ in records]
    terms: list[Mapping[str, Sparse]] = [{} for _ in records]
    if encoder is not None:
        keys = [row.keyed(text, encoder.instructed) for row, text in zip(rows, texts, strict=True)]
        dense = [{encoder.id: vector} for vector in encoder.encode(keys)]
    if sparse is not None:
        terms = [{sparse.id: weights} for weights in sparse.encode_keys(texts)]
    return [
        Point(
            id=record.id,
            scope=record.scope,
            kind=record.kind,
            hash=record.hash,
            created=record.created,
            valid_from=record.valid_from,
            valid_to=library.until(record) if library is not None else record.valid_to,
            dense=dense[i],
            sparse=terms[i],
            fields=record.fields,
        )
        for i, record in enumerate(records)
    ]


def _records() -> tuple[Record, ...]:
    acme, ann, bob = Scope("acme"), Scope("acme", "ann"), Scope("acme", "bob")
    made = (
        Record("bower", "passage", "The satin bowerbird decorates its bower with blue things.", {"lang": "en"}, acme),
        Record("bower-copy", "passage", "The satin bowerbird decorates its bower with blue things.", {"lang": "en"}, acme),
        Record("nest", "passage", "The hen builds the nest alone, far from the bower.", {"lang": "en"}, acme),
        Record("stove", "passage", "A cat sleeps on the warm stove.", {"lang": "en"}, acme),
        Record("laube", "passage", "Der Laubenvogel schmückt seine Laube mit blauen Dingen.", {"lang": "de"}, acme),
        Record("password", "passage", "To reset the password, open settings and choose security.", {"lang": "en"}, acme),
        Record("old-desk", "passage", "The help desk is open from nine to five.", {"lang": "en"}, acme, valid_to=_START + 50),
        Record("color-1", "memory", "My favourite colour is green.", {"role": "user", "time": _START}, ann),
        Record("color-2", "memory", "My favourite colour is blue now.", {"role": "user", "time": _START + 9}, ann, supersedes=("color-1",)),
        Record("cat", "memory", "My cat is called Mango.", {"role": "user", "time": _START}, ann),
        Record("cat", "memory", "My cat is called Pepper.", {"role": "user", "time": _START}, bob),
        Record("weather", "tool", "The weather of a city on a day.", {"name": "get_weather"}, acme),
        Record("mail", "tool", "Sends a mail to somebody.", {"name": "send_mail"}, acme),
        Record("good", "example", "What a lovely bird!", {"output": "positive", "label": "positive"}, acme),
        Record("bad", "example", "The nest fell down again.", {"output": "negative", "label": "negative"}, acme),
    )
    return tuple(replace(record, version=1, created=_START + place) for place, record in enumerate(made))


RECORDS = _records()


def some_turns() -> list[Turn]:
    """Seven turns that differ in scope, kinds, conditions, moment and queries; most bring hits along, some looked up, some not."""
    ann, bob, acme = Scope("acme", "ann"), Scope("acme", "bob"), Scope("acme")
    at = _START + 100

    def hits(scope: Scope, *keys: str) -> tuple[Hit, ...]:
        mine = {record.key: record for record in RECORDS if scope.sees(record.scope)}
        known = [mine[key] for key in keys]
        return tuple(
            Hit(record.id, 1.0 / (2 + place), {"found": 1.0 / (2 + place)}, record if place % 2 else None)
            for place, record in enumerate(known)
        )

    return [
        Turn("Which bird likes blue things?", ann, "t0", at=at, hits=hits(acme, "bower", "bower-copy", "stove", "nest", "laube")),
        Turn("What is my favourite colour?", ann, "t1", kinds=("memory",), at=at, hits=hits(ann, "cat", "color-2", "bower")),
        Turn(
            "What is my cat called?", bob, "t2", kinds=("memory", "passage"), at=at, keys=("cat", "nobody"), hits=hits(bob, "cat", "stove")
        ),
        Turn("the warm stove", acme, "t3", where={"lang": ["en", "de"]}, at=at, queries=("cat on a stove", "warm", "the warm stove")),
        Turn(
            "Who sends mail about the weather?",
            acme,
            "t4",
            kinds=("tool", "example"),
            stale=True,
            hits=hits(acme, "mail", "weather", "bad"),
        ),
        Turn("How do I reset my password?", acme, "t5", hits=hits(acme, "stove", "password", "bower", "bower-copy")),
        Turn("What is my favourite colour?", bob, "t6", kinds=("memory",), at=at),
    ]


class World:
    """Parts to bind a stage to, each counting its calls: `stage.bind(world.part)`, then `world.calls`.

    `shuffle`: None keeps the records in their order; a number puts them into store and library in another order and
    lets the store give records of equal score in another order as well. Nothing that comes out of a stage may change.
    """

    def __init__(self, records: Sequence[Record] = RECORDS, shuffle: int | None = None, instructed: bool | Collection[str] = False) -> None:
        order = list(records)
        if shuffle is not None:
            random.Random(shuffle).shuffle(order)
        self.calls: dict[str, int] = {}
        self._lock = threading.Lock()
        encoder, sparse = HashEncoder(instructed=instructed), BM25Encoder()
        self.library = MemoryLibrary(order)
        store = ReferenceStore({encoder.id: encoder.dim}, [sparse.id])
        store.put(points(order, encoder, sparse, MemoryLibrary(records)))
        self.store = _Ties(store, shuffle)
        self.llm = _LLM(self, "The satin bowerbird likes blue things [1].")
        self.parts: dict[str, object] = {
            "encoder": _Encoder(self, encoder),
            "sparse": _Sparse(self, sparse),
            "scorer": _Scorer(self),
            "store": self.store,
            "library": self.library,
            "llm": self.llm,
            "counter": self.llm,
            "secret": b"0123456789abcdef0123456789abcdef",
        }

    def part(self, name: str) -> object | None:
        """For `Stage.bind`."""
        return self.parts.get(name)

    def count(self, part: str) -> None:
        """One more call of a model."""
        with self._lock:
            self.calls[part] = self.calls.get(part, 0) + 1


class _Encoder:
    def __init__(self, world: World, inner: Encoder) -> None:
        self._world, self._inner = world, inner
        self.id, self.dim, self.instructed = inner.id, inner.dim, inner.instructed

    def encode(self, texts: Sequence[str]) -> Vectors:
        self._world.count("encoder")
        return self._inner.encode(texts)


class _Sparse:
    def __init__(self, world: World, inner: SparseEncoder) -> None:
        self._world, self._inner, self.id = world, inner, inner.id

    def encode_keys(self, texts: Sequence[str]) -> list[Sparse]:
        self._world.count("sparse")
        return self._inner.encode_keys(texts)

    def encode_queries(self, texts: Sequence[str]) -> list[Sparse]:
        self._world.count("sparse")
        return self._inner.encode_queries(texts)


class _Scorer(OverlapScorer):
    def __init__(self, world: World) -> None:
        self._world = world

    def score(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        self._world.count("scorer")
        return super().score(pairs)


class _LLM(ScoringLLM):
    def __init__(self, world: World, reply: str) -> None:
        super().__init__(reply)
        self._world = world

    def complete(
        self, prompts: Sequence[Prompt], *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        self._world.count("llm")
        return super().complete(prompts, max_tokens=max_tokens, temperature=temperature, stop=stop, seed=seed)

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
        self._world.count("llm")
        return super().loglikelihood(pairs)


class _Ties:
    """A store whose scores are rounded, so that ties are ties, and whose ties come in the order that `seed` gives."""

    def __init__(self, inner: Store, seed: int | None) -> None:
        self._inner, self._seed = inner, seed

    def search_dense(self, name: str, vectors: Vectors, k: int, filter: Filter) -> list[list[tuple[int, float]]]:
        return [self._tied(pairs, k) for pairs in self._inner.search_dense(name, vectors, 1000, filter)]

    def search_sparse(self, name: str, vectors: Sequence[Sparse], k: int, filter: Filter) -> list[list[tuple[int, float]]]:
        return [self._tied(pairs, k) for pairs in self._inner.search_sparse(name, vectors, 1000, filter)]

    def latest(self, k: int, filter: Filter) -> list[tuple[int, float]]:
        return self._tied(self._inner.latest(1000, filter), k)

    def sample(self, k: int, seed: int, filter: Filter) -> list[int]:
        return [id for id, _ in self._tied([(id, 0.0) for id in self._inner.sample(k, seed, filter)], k)]

    def vectors(self, name: str, ids: Sequence[int], filter: Filter) -> dict[int, Vectors]:
        return self._inner.vectors(name, ids, filter)

    def count(self, filter: Filter) -> int:
        return self._inner.count(filter)

    def put(self, points: Sequence[Point]) -> None:
        self._inner.put(points)

    def delete(self, ids: Sequence[int]) -> None:
        self._inner.delete(ids)

    def _tied(self, pairs: Sequence[tuple[int, float]], k: int) -> list[tuple[int, float]]:
        best = sorted(((id, round(score, 4)) for id, score in pairs), key=lambda pair: (-pair[1], pair[0]))[:k]
        if self._seed is not None:
            random.Random(self._seed).shuffle(best)
            best.sort(key=lambda pair: -pair[1])
        return best
