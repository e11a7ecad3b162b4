"""The facade: `bowerbird.open(path)` gives an `Engine` that adds, finds, assembles, answers and notes what became of it.

It wires the parts together and holds no method of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from bowerbird.catalog import Catalog, Version
from bowerbird.components.shelf import Shelf
from bowerbird.database.database import Database
from bowerbird.encoders import choose as encoders
from bowerbird.errors import InvalidInput, NotFound, StoreBusy, UnknownName
from bowerbird.flow import Chain
from bowerbird.index import Also, Difference, Index, Kept, Progress
from bowerbird.ingest.intake import Report, take_in
from bowerbird.ingest.source import open_source
from bowerbird.kinds import checked
from bowerbird.kinds import kind as as_kind
from bowerbird.kinds import kinds as known_kinds
from bowerbird.ledger import Ledger
from bowerbird.ledger.lessons import Lessons
from bowerbird.parts import Parts
from bowerbird.ports import LLM, Encoder, Filter, Trained, Vectors
from bowerbird.roles import StreamsAnswers, filled
from bowerbird.stage import Stage
from bowerbird.stores import choose as stores
from bowerbird.types import Hit, Message, Outcome, Record, Scope, Step, Turn, as_messages, when

__all__ = ["Engine", "Stats", "open"]

_CONVERSATIONS = 1000  # whose last context is remembered
_CATCH_UP = 256  # changes that a search applies before it looks
_DUE = "Many records are new: optimize() makes dense searches of them several times faster (bowerbird add does it by itself)."
_INDEX_EVERY = 512  # changes that an `add` gathers before it indexes them


@dataclass(frozen=True, slots=True)
class Stats:
    """What a scope holds: visible records by kind, its own events by type, its sources with how many units each has, and how
    the index stands (`waiting`: changes are to be applied; `note`: what should be done)."""

    records: Mapping[str, int]
    events: Mapping[str, int]
    encoder: str | None
    llm: str | None
    waiting: bool
    note: str
    sources: Mapping[str, int]


def open(
    path: str | Path,
    scope: Scope | str | None = None,
    *,
    encoder: str | Encoder | None = "own",
    llm: str | LLM | None = "auto",
    store: str = "edge",
    create: bool = True,
    trained: Trained | None = None,
) -> Engine:
    """Open the bower at `path` (a folder), making it where there is none and `create` is True.

    `scope` is what every call is made for unless it says otherwise; without either, calls raise `ScopeMissing`.
    `encoder` and `llm`: a name (see `bowerbird methods`), a part of your own, "auto" for the best one at hand, None for none.
    The encoder "own" is the one that this bower remembers (from `reembed`, or the command line), "auto" where there is none.
    `trained`: what serves in place of the components that were published in this bower.
    """
    return Engine(path, scope, encoder=encoder, llm=llm, store=store, create=create, trained=trained)


class Engine:
    """One bower: a catalog, its index and its ledger. A context manager; safe in threads."""

    def __init__(
        self,
        path: str | Path,
        scope: Scope | str | None = None,
        *,
        encoder: str | Encoder | None = "own",
        llm: str | LLM | None = "auto",
        store: str = "edge",
        create: bool = True,
        trained: Trained | None = None,
    ) -> None:
        self.path = Path(path).expanduser()
        self.scope = None if scope is None else Scope.parse(scope)
        if not (self.path / "catalog.db").exists():
            if self.path.exists() and not self.path.is_dir():
                raise InvalidInput(f"{str(self.path)!r} is a file; a bower is a folder. Choose another name.")
            if not create:
                raise NotFound(f"No bower at {str(self.path)!r}. Make one with: bowerbird init {self.path}")
            self.path.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._database = Database(self.path / "catalog.db")
        self.catalog = Catalog(self._database)
        self.ledger = Ledger(self._database)
        self.shelf = Shelf(self._database, self.path / "artifacts")
        if encoder == "own":
            encoder = self.catalog.fact("encoder") or "auto"
        if isinstance(encoder, str):
            encoder = encoders.absolute(encoder, self.path)
        self._encoder_name = encoder if isinstance(encoder, str) else ""  # its name, where it has one
        self._parts = Parts(self.catalog, encoder, llm, trained or self.shelf, Lessons(self.ledger))
        self.index = self._parts.index = Index(self.catalog, self.path, stores.choose(store), self._parts.encoder, self._parts.sparse)
        self._present_at, self._present_kinds = -1, dict[Scope, tuple[str, ...]]()
        self._contexts: OrderedDict[tuple[Scope, str], Turn] = OrderedDict()

    # --- records ------------------------------------------------------------------------------------------------------

    def add(
        self,
        thing: Any,
        *,
        kind: str | None = None,
        format: str | None = None,
        mapping: Mapping[str, str] | None = None,
        scope: Scope | str | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Keep what `thing` holds: a file or folder, records, mappings, callables, a module or a `Source`.

        Run again, it updates what changed and removes what is gone. What can be kept is kept; the rest is in `Report.failed`.
        Returns when everything kept is on disk and indexed; when another process holds the index, `Report.note` says so.
        """
        owner = self._scope(scope)
        if kind is not None and kind not in known_kinds():
            raise UnknownName("kind", kind, known_kinds())
        note = ""

        def after_batch(most: int = _INDEX_EVERY) -> None:
            nonlocal note
            if note or self.index.lag() < most:
                return
            try:
                self.index.sync(progress=progress)
            except StoreBusy as busy:
                note = f"Kept, and found by searches once the index is free. {busy}"

        report = take_in(open_source(thing, kind=kind, format=format, mapping=mapping), owner, self.catalog, after_batch, progress)
        after_batch(1)
        return replace(report, note=self.index.fits or note)

    def load(self, records: Iterable[Record], *, progress: Progress | None = None) -> int:
        """Keep records that carry scopes of their own, each under its scope, in large batches; how many there were.

        For loads on behalf of many at once, such as a dataset's; `add` is for one scope. The first record that cannot be
        kept raises `InvalidInput`. What was kept before stays, and a load run again changes nothing that is there.
        """
        done, rest = 0, iter(records)
        while batch := [checked(record, record.scope) for record in itertools.islice(rest, _INDEX_EVERY)]:
            for change in self.catalog.add(batch):
                if change.status == "failed":
                    raise InvalidInput(f"{change.key!r} cannot be kept: {change.why}")
            self.index.sync()
            done += len(batch)
            if progress:
                progress("loading", done, 0)
        return done

    def get(self, key: str, *, scope: Scope | str | None = None) -> Record:
        """The record of that key, also when it is superseded or expired. Raises `NotFound`."""
        record = self.catalog.get(key, self._scope(scope))
        if record is None:
            raise NotFound(f"No record {key!r} in scope {self._scope(scope)}. See what there is: bowerbird records")
        return record

    def list(
        self,
        *,
        kind: str | None = None,
        prefix: str = "",
        after: str | None = None,
        limit: int = 100,
        stale: bool = False,
        scope: Scope | str | None = None,
    ) -> Sequence[Record]:
        """Visible records by key, a page at a time; `stale` shows superseded and expired ones too."""
        if kind is not None and kind not in known_kinds():
            raise UnknownName("kind", kind, known_kinds())
        at = None if stale else time.time()
        return self.catalog.list(self._scope(scope), kind=kind, at=at, after=after, limit=limit, prefix=prefix)

    def sources(self, *, scope: Scope | str | None = None) -> Mapping[str, int]:
        """The sources of exactly this scope that can be re-run, with how many units each has."""
        return self.catalog.sources(self._scope(scope))

    def drop(self, source: str, *, scope: Scope | str | None = None) -> int:
        """Delete every record of a source (an id that `sources` lists); how many. Their history stays."""
        owner = self._scope(scope)
        known = self.catalog.sources(owner)
        if source not in known:
            raise UnknownName("source", source, known)
        removed = self.catalog.forget(owner, source, list(self.catalog.units(owner, source)))
        self._catch_up()
        return removed

    def delete(self, keys: str | Sequence[str], *, purge: bool = False, scope: Scope | str | None = None) -> Sequence[str]:
        """Delete records of exactly this scope; the keys that were there. `purge` erases their history too."""
        gone = self.catalog.delete([keys] if isinstance(keys, str) else keys, self._scope(scope), purge=purge)
        if gone:
            self._catch_up()
        return gone

    def history(self, key: str, *, scope: Scope | str | None = None) -> Sequence[Version]:
        """Every version of a record, oldest first, with what ended it. Raises `NotFound`."""
        versions = self.catalog.history(key, self._scope(scope))
        if not versions:
            raise NotFound(f"No record {key!r} was ever kept in scope {self._scope(scope)}.")
        return versions

    # --- finding and answering ----------------------------------------------------------------------------------------

    def search(
        self,
        query: str,
        k: int = 10,
        *,
        kinds: str | Sequence[str] = (),
        where: Mapping[str, Any] | None = None,
        at: Any = None,
        stale: bool = False,
        spec: str | None = None,
        scope: Scope | str | None = None,
    ) -> Sequence[Hit]:
        """The `k` best records, each with the score of every stage. No model but the encoder is called; nothing is noted."""
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise InvalidInput(f"k={k!r} must be a whole number of at least 1.")
        turn = self._turn(query, scope, kinds, where, at, stale)
        (done,) = self._run([turn], spec or self._parts.spec("search", depth=2 * k))
        hits: Sequence[Hit] = ()
        start = 0
        while len(hits) < k and start < len(done.hits):
            (page,) = filled(self.catalog, [replace(done, hits=done.hits[start : start + k])])
            hits = (*hits, *page.hits)
            start += k
        return hits[:k]

    def augment(
        self,
        query: str,
        *,
        budget: int | None = None,
        kinds: str | Sequence[str] = (),
        where: Mapping[str, Any] | None = None,
        at: Any = None,
        stale: bool = False,
        keys: Sequence[str] = (),
        history: Sequence[Message | Mapping[str, Any]] = (),
        conversation: str = "",
        spec: str | None = None,
        scope: Scope | str | None = None,
    ) -> Turn:
        """The best context for `query` under `budget` tokens: `.context.messages`, `.context.blocks`, `.hits`, `.trace`, `.id`.

        `history`: the conversation so far, as OpenAI messages. `conversation`: its name; turns of one conversation keep a
        byte-identical prefix and sticky records. Noted in the ledger under `.id`.
        """
        turn = self._turn(query, scope, kinds, where, at, stale, keys, budget, conversation, history)
        return self._serve(turn, spec or self.spec("augment"))

    def ask(
        self,
        query: str,
        *,
        budget: int | None = None,
        kinds: str | Sequence[str] = (),
        where: Mapping[str, Any] | None = None,
        at: Any = None,
        stale: bool = False,
        keys: Sequence[str] = (),
        history: Sequence[Message | Mapping[str, Any]] = (),
        conversation: str = "",
        spec: str | None = None,
        scope: Scope | str | None = None,
    ) -> Turn:
        """Like `augment`, and an answer: `.answer.text`, `.answer.citations`, `.answer.dropped`, `.answer.abstained`.

        When the model fails, the context is there all the same and `.answer.text` is empty; the trace says why.
        """
        turn = self._turn(query, scope, kinds, where, at, stale, keys, budget, conversation, history)
        return self._serve(turn, spec or self.spec("ask"))

    def stream(
        self,
        query: str,
        *,
        budget: int | None = None,
        kinds: str | Sequence[str] = (),
        where: Mapping[str, Any] | None = None,
        at: Any = None,
        stale: bool = False,
        keys: Sequence[str] = (),
        history: Sequence[Message | Mapping[str, Any]] = (),
        conversation: str = "",
        spec: str | None = None,
        scope: Scope | str | None = None,
    ) -> Iterator[Step | str | Turn]:
        """Like `ask`, as it happens: the `Step` of every stage, the answer in pieces of text, and last the finished `Turn`.

        Pieces are what the model says; citations are checked after the last one, so `Turn.answer` may hold fewer marks.
        """
        turn = self._turn(query, scope, kinds, where, at, stale, keys, budget, conversation, history)
        text = spec or self.spec("ask")
        stage, (turn,) = self._prepared([turn], text)
        for part in stage.stages if isinstance(stage, Chain) else (stage,):
            known, start = len(turn.trace), time.perf_counter()
            if isinstance(part, StreamsAnswers):
                answer, info = yield from part.stream(turn)
                step = Step(str(part), "read", time.perf_counter() - start, info)
                turn = replace(turn, answer=answer, trace=(*turn.trace, step))
            else:
                (turn,) = part([turn])
            yield from turn.trace[known:]
        yield self._served(turn, text)

    def run(self, turns: Sequence[Turn], spec: str, *, trained: Trained | None = None, records: bool = False) -> Sequence[Turn]:
        """Run a batch of turns of your own through `spec`. Nothing is noted. `trained` stands in for what is published here;
        `records`: look the hits' records up at the end, where no stage has."""
        done = self._run([replace(turn, id=turn.id or _turn_id()) for turn in turns], spec, trained)
        return filled(self.catalog, done) if records else done

    def vectors(self, encoder: str, texts: Mapping[str, str], scope: Scope | str | None = None) -> dict[str, Vectors]:
        """Key -> the vector (dim,) that the index holds of that record by the encoder of this id; of `texts` (key -> text) only those
        whose visible record still gives this text to encoders."""
        owner = self._scope(scope)
        self._catch_up()
        named = {id: key for key, id in zip(texts, self.catalog.ids(list(texts), owner), strict=True) if id is not None}
        found = self.catalog.records(list(named), owner, None)
        same = [id for id, record in found.items() if as_kind(record.kind).encode(record) == texts[named[id]]]
        return {named[id]: vector for id, vector in self.index.store.vectors(encoder, same, Filter(owner)).items()}

    def feedback(
        self,
        turn: str | Turn,
        value: float | str | tuple[str, str],
        *,
        keys: str | Sequence[str] = (),
        source: Literal["llm", "user", "click", "metric", "simulated"] = "user",
        protocol: Literal["likelihood", "scalar", "pairwise", "verbal"] | None = None,
        note: str = "",
        scope: Scope | str | None = None,
    ) -> int:
        """Note what became of a turn, or of some of its hits (`keys`): its position in the ledger. On disk when this returns.

        `value`: a number (scalar), a sentence (verbal), or (preferred key, other key) (pairwise); `protocol` overrides the guess. A
        sentence whose `note` is `types.CORRECTION` says what the right answer would have been.
        """
        guess = "pairwise" if isinstance(value, (tuple, list)) else "verbal" if isinstance(value, str) else "scalar"
        outcome = Outcome(
            turn=turn.id if isinstance(turn, Turn) else turn,
            source=source,
            protocol=protocol or guess,  # type: ignore[arg-type]
            value=tuple(value) if isinstance(value, list) else float(value) if isinstance(value, bool) else value,
            keys=(keys,) if isinstance(keys, str) else tuple(keys),
            note=note,
        )
        return self.ledger.outcome(outcome, self._scope(scope if scope is not None or isinstance(turn, str) else turn.scope))

    def spec(self, use: Literal["search", "augment", "ask"]) -> str:
        """The pipeline that `search`, `augment` or `ask` runs when none is given, for the parts at hand."""
        return self._parts.spec(use)

    # --- upkeep -------------------------------------------------------------------------------------------------------

    def stats(self, *, scope: Scope | str | None = None) -> Stats:
        """What this scope holds, and the state of the index."""
        owner = self._scope(scope)
        encoder, llm = self._parts.encoder, self._parts.llm
        return Stats(
            self.catalog.count(owner),
            self.ledger.count(owner),
            encoder.id if encoder else None,
            llm.name if llm else None,
            self.index.lag() > 0,
            self.index.fits or (_DUE if self.index.due else ""),
            self.catalog.sources(owner),
        )

    def verify(self) -> tuple[Difference, Sequence[int]]:
        """Compare index and catalog over all scopes, and check the ledger: the differences, and positions of altered events."""
        return self.index.verify(), self.ledger.verify()

    def rebuild(self, progress: Progress | None = None) -> int:
        """Make the index anew from the catalog with the encoders at hand; how many records it holds."""
        facts = {"encoder": encoders.movable(self._encoder_name, self.path)} if self._encoder_name else {}
        return self.index.rebuild(progress, self._parts.replacing(self._parts.encoder), facts)

    def reembed(self, encoder: str | Encoder | None, progress: Progress | None = None, also: Also | None = None) -> int:
        """Encode every record with another encoder while this one serves, then let that one serve; how many it encoded.

        The vectors of this one are kept (`encoders` lists them), so that going back encodes only what has changed since. Stopped at
        any moment, the old one serves; the next call goes on. A later `open` takes the encoder by the name given here; one of your own
        it has to be given. `also` writes to the catalog in the transaction that lets the new one serve; without it, the shelf says from
        then on that no trained encoder serves.
        """
        name = encoders.absolute(encoder, self.path) if isinstance(encoder, str) else "none" if encoder is None else ""
        made = encoders.choose(name) if isinstance(encoder, str) else encoder
        done = self.index.prepare(made, progress)
        self.index.switch(made, self._parts.replacing(made), {"encoder": encoders.movable(name, self.path)}, also or self._none_trained())
        self._encoder_name = name
        self.shelf.look_again()
        return done

    def encoders(self) -> Sequence[Kept]:
        """The indexes on disk, one an encoder, the serving one first: how far each is, its size. `index.drop(name)` deletes one."""
        return self.index.kept()

    def optimize(self) -> None:
        """Build the index's fast search structures: worth it after a bulk load, about a minute for 100,000 records.

        The embedded store stops every thread of this process meanwhile, so do it before serving.
        """
        self._catch_up()
        self.index.optimize()

    @property
    def encoder(self) -> Encoder | None:
        """The dense encoder, None where there is none."""
        return self._parts.encoder

    @property
    def llm(self) -> LLM | None:
        """The language model, chosen at the first need."""
        return self._parts.llm

    def close(self) -> None:
        """Give everything back. Safe to call twice."""
        self.index.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- the inside ---------------------------------------------------------------------------------------------------

    def _none_trained(self) -> Also:
        """What notes on the shelf that no trained encoder serves."""
        owners = [artifact.scope for artifact in self.shelf.list("encoder") if artifact.published is not None]
        notes = [self.shelf.publishing("encoder", 0, owner) for owner in owners]

        def written(connection: Any) -> None:
            for note in notes:
                note(connection)

        return written

    def _scope(self, scope: Scope | str | None) -> Scope:
        return Scope.parse(self.scope if scope is None else scope)

    def _turn(
        self,
        query: str,
        scope: Scope | str | None,
        kinds: str | Sequence[str],
        where: Mapping[str, Any] | None,
        at: Any,
        stale: bool,
        keys: Sequence[str] = (),
        budget: int | None = None,
        conversation: str = "",
        history: Sequence[Message | Mapping[str, Any]] = (),
    ) -> Turn:
        owner = self._scope(scope)
        if not isinstance(query, str):
            raise InvalidInput(f"A query is a text; got {type(query).__name__} {query!r:.80}.")
        asked = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        for name in asked:
            if name not in known_kinds():
                raise UnknownName("kind", name, known_kinds())
        if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget < 0):
            raise InvalidInput(f"budget={budget!r} must be a whole number of tokens, 0 or more.")
        before = self._contexts.get((owner, conversation)) if conversation else None
        return Turn(
            query=query,
            scope=owner,
            id=_turn_id(),
            kinds=asked,
            where=where or {},
            at=None if at is None else when(at),
            stale=stale,
            keys=(keys,) if isinstance(keys, str) else tuple(keys),
            budget=budget,
            conversation=conversation,
            history=as_messages(history),
            previous=before.context if before else None,
        )

    def _run(self, turns: Sequence[Turn], spec: str, trained: Trained | None = None) -> Sequence[Turn]:
        stage, ready = self._prepared(turns, spec, trained)
        return stage(ready)

    def _prepared(self, turns: Sequence[Turn], spec: str, trained: Trained | None = None) -> tuple[Stage, Sequence[Turn]]:
        """The bound pipeline, over an index in step with the catalog, and the turns with the kinds that are there."""
        newest = self.catalog.newest_change()
        if not self.index.opened:
            self.index.sync()  # what a killed process left is applied whole, or the first answers would come from half an index
        elif newest > self.index.applied:
            self.index.sync(_CATCH_UP, wait=False)
        stage = self._parts.pipeline(spec, trained)
        present = self._present({turn.scope for turn in turns}, newest)
        asked = [replace(turn, kinds=tuple(k for k in turn.kinds or present[turn.scope] if k in present[turn.scope])) for turn in turns]
        # A turn whose kinds hold nothing keeps them as asked, so that it finds nothing rather than everything.
        asked = [turn if turn.kinds else replace(turn, kinds=before.kinds) for turn, before in zip(asked, turns, strict=True)]
        return stage, asked

    def _serve(self, turn: Turn, spec: str) -> Turn:
        (done,) = self._run([turn], spec)
        return self._served(done, spec)

    def _served(self, done: Turn, spec: str) -> Turn:
        """Note the turn in the ledger, and remember its context for the conversation's next one."""
        self.ledger.served(done, spec)
        if done.conversation and done.context is not None:
            with self._lock:
                self._contexts[(done.scope, done.conversation)] = done
                self._contexts.move_to_end((done.scope, done.conversation))
                while len(self._contexts) > _CONVERSATIONS:
                    self._contexts.popitem(last=False)
        return done

    def _present(self, scopes: set[Scope], newest: int) -> Mapping[Scope, tuple[str, ...]]:
        """Kinds that each scope sees at least one record of, remembered until the catalog changes."""
        with self._lock:
            if self._present_at != newest:
                self._present_at, self._present_kinds = newest, {}
            known = self._present_kinds
            for scope in scopes - known.keys():
                if len(known) > _CONVERSATIONS:
                    known.clear()
                known[scope] = tuple(self.catalog.count(scope))
            return {scope: known[scope] for scope in scopes}

    def _catch_up(self) -> None:
        """Apply what the catalog has and the index has not. An index that another process holds hears of it there."""
        with contextlib.suppress(StoreBusy):
            self.index.sync()


def _turn_id() -> str:
    return uuid.uuid4().hex
