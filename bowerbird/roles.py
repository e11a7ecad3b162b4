"""The roles a stage can play: gate, rewrite, retrieve, fuse, rerank, refine, compose, read, critique.

A method implements its role's one narrow, batch-first method. The role's base does the rest: which turns take part,
looking records up, scores and ties.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, ClassVar, Protocol, runtime_checkable

from bowerbird.errors import CapabilityMissing, InvalidInput
from bowerbird.ports import Filter, Library
from bowerbird.stage import Leaf, Noted, part
from bowerbird.types import Answer, Context, Decision, Hit, Scope, Turn

__all__ = [
    "Compose",
    "Critique",
    "Fuse",
    "Gate",
    "Query",
    "Read",
    "Refine",
    "Rerank",
    "Retrieve",
    "Rewrite",
    "StreamsAnswers",
    "filled",
    "ranked",
]


def ranked(scored: Mapping[int, float]) -> list[tuple[int, float]]:
    """Best first, ties by ascending id: a number of (scope, key), so that no store order shows through."""
    pairs = sorted(scored.items())
    pairs.sort(key=itemgetter(1), reverse=True)  # a stable sort, so ties stay by id; half the time of a key that says both
    return pairs


def _asof(turns: Sequence[Turn]) -> list[float | None]:
    """`Turn.asof` of each, with one clock reading for the batch: turns without a moment of their own share one filter."""
    now = time.time()
    return [None if turn.stale else now if turn.at is None else turn.at for turn in turns]


def filled(library: Library | None, turns: Sequence[Turn]) -> list[Turn]:
    """Turns whose hits carry their records; a hit that the catalog does not give to this caller is dropped."""
    wanted: dict[tuple[Scope, float | None], set[int]] = {}
    asof = _asof(turns)
    for turn, at in zip(turns, asof, strict=True):
        for hit in turn.hits:
            if hit.record is None:
                wanted.setdefault((turn.scope, at), set()).add(hit.id)
    if not wanted:
        return list(turns)
    if library is None:
        raise CapabilityMissing("Hits without their records reached a stage that reads text, and no catalog is bound to look them up.")
    found = {(scope, at): library.records(sorted(ids), scope, at) for (scope, at), ids in wanted.items()}
    filled = []
    for turn, at in zip(turns, asof, strict=True):
        known = found.get((turn.scope, at), {})
        hits = (hit if hit.record is not None else Hit(hit.id, hit.score, hit.scores, known.get(hit.id), hit.span) for hit in turn.hits)
        filled.append(replace(turn, hits=tuple(hit for hit in hits if hit.record is not None)))
    return filled


def _check_top(name: str, top: int) -> None:
    if top < 0:
        raise InvalidInput(f"{name}: top={top} must be at least 1, or 0 to keep all.")


@dataclass(frozen=True)
class Gate(Leaf):
    """Decides whether outside help is needed, and from which kinds."""

    role: ClassVar[str] = "gate"

    @abstractmethod
    def decide(self, turns: Sequence[Turn]) -> list[Decision]: ...

    def run(self, turns: tuple[Turn, ...]) -> Noted:
        decisions = self.decide(turns)
        return [
            (replace(turn, decision=decision), {"retrieve": decision.retrieve, "why": decision.why})
            for turn, decision in zip(turns, decisions, strict=True)
        ]


@dataclass(frozen=True)
class Rewrite(Leaf):
    """Changes the question: the queries to search with."""

    role: ClassVar[str] = "rewrite"

    @abstractmethod
    def rewrite(self, turns: Sequence[Turn]) -> list[tuple[tuple[str, ...], Mapping[str, Any]]]:
        """For each turn its queries (none = leave the question as it is) and what the trace says (tokens, cost)."""

    def run(self, turns: tuple[Turn, ...]) -> Noted:
        wanted = [i for i, turn in enumerate(turns) if turn.retrieves]
        rewritten = dict(zip(wanted, self.rewrite([turns[i] for i in wanted]) if wanted else [], strict=True))
        done = []
        for i, turn in enumerate(turns):
            queries, info = rewritten.get(i, ((), {"skipped": True}))
            done.append((replace(turn, queries=queries) if i in rewritten else turn, {"queries": list(queries), **info}))
        return done


@dataclass(frozen=True, slots=True)
class Query:
    """What a retriever is asked: a text, the filter that holds, and the records asked for by name."""

    text: str
    filter: Filter
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Retrieve(Leaf):
    """Finds records. `k`: the most hits of a search; `each`: search every kind of the turn by itself, k hits for each.

    A turn with several queries keeps each record's best score (CombMAX; Fox and Shaw, TREC-2, 1994).
    """

    role: ClassVar[str] = "retrieve"
    k: int = 50
    each: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InvalidInput(f"{self.name}: k={self.k} must be at least 1.")

    @abstractmethod
    def search(self, queries: Sequence[Query]) -> list[Sequence[tuple[int, float]]]:
        """For each query up to `k` pairs (record id, score), best first. One model call for the whole batch."""

    def run(self, turns: tuple[Turn, ...]) -> Noted:
        queries: list[Query] = []
        owner: list[int] = []
        for i, (turn, asof) in enumerate(zip(turns, _asof(turns), strict=True)):
            if not turn.retrieves:
                continue
            kinds = (turn.decision.kinds if turn.decision else ()) or turn.kinds
            groups = [(kind,) for kind in kinds] if self.each and kinds else [kinds]
            for group in groups:
                filter = Filter(turn.scope, group, asof, turn.where)
                for text in turn.asked:
                    queries.append(Query(text, filter, turn.keys))
                    owner.append(i)
        lists: list[list[Sequence[tuple[int, float]]]] = [[] for _ in turns]
        for i, pairs in zip(owner, self.search(queries) if queries else (), strict=True):
            lists[i].append(pairs)
        done = []
        name = self.name
        for turn, mine in zip(turns, lists, strict=True):
            hits = tuple([Hit(id, score, {name: score}) for id, score in _best(mine)])
            info: dict[str, Any] = {"hits": len(hits)} if turn.retrieves else {"hits": 0, "skipped": True}
            done.append((replace(turn, hits=hits), info))
        return done


def _best(lists: Sequence[Sequence[tuple[int, float]]]) -> list[tuple[int, float]]:
    """Every record of the lists with its best score."""
    best = dict(reversed(lists[0])) if lists else {}  # of a record given twice, the better score comes last and stays
    for pairs in lists[1:]:
        for id, score in pairs:
            if id not in best or score > best[id]:
                best[id] = score
    return ranked(best)


@dataclass(frozen=True)
class Fuse(Leaf):
    """Merges hit lists of one turn into one, by record id. Runs inside a `Fan`; a record that a list holds twice counts once there.

    `top`: the most hits that are kept (0 = all).
    """

    role: ClassVar[str] = "fuse"
    top: int = 0

    def __post_init__(self) -> None:
        _check_top(self.name, self.top)

    def fits(self, arms: int) -> None:
        """Raises `InvalidInput` when the settings do not fit that many lists; a `Fan` asks before anything runs."""

    @abstractmethod
    def fuse(self, lists: Sequence[Sequence[tuple[int, float]]]) -> Mapping[int, float]:
        """Score of each record from the lists of the arms, in the arms' order; each list is best first, ids distinct."""

    def run(self, turns: tuple[Turn, ...]) -> Noted:
        raise InvalidInput(f"{self.name} merges the lists of several stages: write {self.name}(bm25, dense), not {self}.")

    def merge(self, arms: Sequence[Sequence[Hit]], names: Sequence[Mapping[str, str]]) -> tuple[Hit, ...]:
        """The fused hits; each keeps the scores that every arm gave it. `names`: for each arm, what a score of it is called here."""
        lists: list[list[tuple[int, float]]] = []
        seen: dict[int, Hit] = {}
        scores: dict[int, dict[str, float]] = {}
        for hits, called in zip(arms, names, strict=True):
            renamed = any(name != shown for name, shown in called.items())
            pairs: dict[int, float] = {}
            for hit in hits:
                id = hit.id
                if id in pairs:
                    continue
                pairs[id] = hit.score
                given = {called.get(name, name): score for name, score in hit.scores.items()} if renamed else hit.scores
                if id not in seen:
                    seen[id], scores[id] = hit, dict(given)
                else:
                    scores[id].update(given)
                    if seen[id].record is None:
                        seen[id] = hit
            lists.append(list(pairs.items()))
        fused = ranked(self.fuse(lists))
        if self.top:
            fused = fused[: self.top]
        name = self.name
        for id, score in fused:
            scores[id][name] = score
        return tuple([Hit(id, score, scores[id], seen[id].record, seen[id].span) for id, score in fused])


@dataclass(frozen=True)
class _OverHits(Leaf):
    """Shared by the roles that read hits: looks records up first, leaves turns without hits alone."""

    library: Library | None = part("library", optional=True)

    @abstractmethod
    def over(self, turns: Sequence[Turn]) -> list[Sequence[Hit]]:
        """The new hits of each turn; every hit carries its record and no turn is without hits."""

    def run(self, turns: tuple[Turn, ...]) -> Noted:
        known = filled(self.library, turns)
        wanted = [i for i, turn in enumerate(known) if turn.hits]
        changed = dict(zip(wanted, self.over([known[i] for i in wanted]) if wanted else [], strict=True))
        done = []
        for i, turn in enumerate(known):
            hits = tuple(changed.get(i, ()))
            done.append((replace(turn, hits=hits), {"from": len(turns[i].hits), "hits": len(hits)}))
        return done


@dataclass(frozen=True)
class Rerank(_OverHits):
    """Scores given candidates anew. `top`: the most hits that are kept (0 = all)."""

    role: ClassVar[str] = "rerank"
    top: int = 0

    def __post_init__(self) -> None:
        _check_top(self.name, self.top)

    @abstractmethod
    def rerank(self, turns: Sequence[Turn]) -> Sequence[Mapping[int, float] | None]:
        """For each turn the new score of each record id in its hits; an id left out is dropped. None = the hits keep their scores.
        One model call for the batch."""

    def over(self, turns: Sequence[Turn]) -> list[Sequence[Hit]]:
        done: list[Sequence[Hit]] = []
        for turn, scores in zip(turns, self.rerank(turns), strict=True):
            hits = {hit.id: hit for hit in turn.hits}
            if scores is None:
                kept = ranked({id: hit.score for id, hit in hits.items()})
                done.append([hits[id] for id, _ in kept[: self.top or None]])
                continue
            order = ranked(scores)[: self.top or None]
            done.append([replace(hits[id], score=score, scores={**hits[id].scores, self.name: score}) for id, score in order])
        return done


@dataclass(frozen=True)
class Refine(_OverHits):
    """Drops hits, or shortens what of them is shown (`Hit.span`). Never adds text."""

    role: ClassVar[str] = "refine"

    @abstractmethod
    def refine(self, turns: Sequence[Turn]) -> list[Sequence[Hit]]: ...

    def over(self, turns: Sequence[Turn]) -> list[Sequence[Hit]]:
        return self.refine(turns)


@dataclass(frozen=True)
class Compose(Leaf):
    """Orders and phrases what goes to the model, under the token budget."""

    role: ClassVar[str] = "compose"
    library: Library | None = part("library", optional=True)

    @abstractmethod
    def compose(self, turns: Sequence[Turn]) -> list[Context]:
        """One context a turn; hits carry their records."""

    def run(self, turns: tuple[Turn, ...]) -> Noted:
        known = filled(self.library, turns)
        return [
            (
                replace(turn, context=context),
                {
                    "tokens": context.tokens,
                    "budget": context.budget,
                    "blocks": len(context.blocks),
                    "left_out": len(context.left_out),
                    "prefix_tokens_kept": context.prefix_tokens_kept,
                    "tokenizer": context.tokenizer,
                },
            )
            for turn, context in zip(known, self.compose(known), strict=True)
        ]


@dataclass(frozen=True)
class Read(Leaf):
    """Turns context into an answer."""

    role: ClassVar[str] = "read"

    @abstractmethod
    def read(self, turns: Sequence[Turn]) -> list[tuple[Answer, Mapping[str, Any]]]:
        """For each turn the answer and what the trace says (model, tokens, cost)."""

    def run(self, turns: tuple[Turn, ...]) -> Noted:
        return [(replace(turn, answer=answer), info) for turn, (answer, info) in zip(turns, self.read(turns), strict=True)]


@runtime_checkable
class StreamsAnswers(Protocol):
    """A reader that can say its answer piece by piece; what the generator returns is what `read` would give."""

    def stream(self, turn: Turn) -> Generator[str, None, tuple[Answer, Mapping[str, Any]]]: ...


@dataclass(frozen=True)
class Critique(Leaf):
    """Judges an answer: keeps, mends or drops what of it does not hold. Turns without an answer pass by."""

    role: ClassVar[str] = "critique"

    @abstractmethod
    def critique(self, turns: Sequence[Turn]) -> list[tuple[Answer, Mapping[str, Any]]]:
        """For each turn, all of which have an answer: the judged answer and what the trace says."""

    def run(self, turns: tuple[Turn, ...]) -> Noted:
        wanted = [i for i, turn in enumerate(turns) if turn.answer is not None]
        judged = dict(zip(wanted, self.critique([turns[i] for i in wanted]) if wanted else [], strict=True))
        return [
            (replace(turn, answer=judged[i][0]), judged[i][1]) if i in judged else (turn, {"skipped": True}) for i, turn in enumerate(turns)
        ]
