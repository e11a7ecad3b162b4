"""Keeps an index in step with the catalog: what the catalog lists as changed is encoded and put into the store.

The catalog is the truth and the store is derived. `index.json` beside the store says which change was applied last and
which encoders made the vectors; it is written after the store has flushed, so a crash at any point only means that some
changes are applied twice, which changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bowerbird.catalog import Catalog
from bowerbird.errors import StoreError
from bowerbird.kinds import kind
from bowerbird.ports import Encoder, Point, SparseEncoder, Store
from bowerbird.types import Record

__all__ = ["Difference", "Index", "Progress"]

Progress = Callable[[str, int, int], None]  # what is being done, how much is done, of how much (0 = unknown)
OpenStore = Callable[[Path, Mapping[str, int], Sequence[str]], Store]

_BATCH = 256
_DUE = 10_000  # exact search over as many points takes a few milliseconds
_LONGEST_FILTER = 256  # longer strings are text, not something to filter by


@dataclass(frozen=True, slots=True)
class _State:
    """What `index.json` says. `dense` and `sparse` are encoder ids; `dense` None = this index has no dense vectors."""

    seq: int = 0
    dense: str | None = None
    dim: int = 0
    sparse: str | None = None
    unoptimized: int = 0  # points put since the store last built its search structures


@dataclass(frozen=True, slots=True)
class Difference:
    """Where catalog and index differ: record ids the index lacks, has too many, or has in an older form; changes still to apply."""

    missing: tuple[int, ...] = ()
    extra: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()
    waiting: int = 0

    @property
    def clean(self) -> bool:
        """Whether they agree."""
        return not (self.missing or self.extra or self.stale or self.waiting)


class Index:
    """The derived side of a catalog in `folder`. Opens its store at the first need. Safe in threads: one applies, others read on."""

    def __init__(self, catalog: Catalog, folder: Path, open_store: OpenStore, encoder: Encoder | None, sparse: SparseEncoder) -> None:
        self._catalog, self._folder, self._open = catalog, folder, open_store
        self._encoder, self._sparse = encoder, sparse
        self._lock = threading.RLock()
        self._store: Store | None = None
        self._state = self._read_state()

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def dense(self) -> str | None:
        """Id of the encoder whose vectors this index holds; None when it holds none."""
        return self._state.dense

    @property
    def fits(self) -> str | None:
        """None when the encoders at hand made this index; otherwise a sentence that says what differs."""
        made, ours = self._state, self._encoder.id if self._encoder else None
        if made.sparse is None:
            return None
        if made.dense != ours:
            none = "no dense encoder"
            return f"The index was made with {made.dense or none}; at hand is {ours or none}. Run: bowerbird rebuild"
        if made.sparse != self._sparse.id:
            return f"The index was made with {made.sparse}; at hand is {self._sparse.id}. Run: bowerbird rebuild"
        return None

    @property
    def store(self) -> Store:
        """The store, opened at the first need. Raises `StoreBusy` when another process holds it."""
        if self._store is not None:  # no lock: a reader does not wait for a thread that applies changes
            return self._store
        with self._lock:
            if self._store is None:
                state = self._state
                if state.sparse is None:
                    encoder = self._encoder
                    state = _State(0, encoder.id if encoder else None, encoder.dim if encoder else 0, self._sparse.id)
                self._store = self._open_at(self._folder / "index", state)
                if state.seq and next(iter(self._store.scan()), None) is None:
                    state = replace(state, seq=0)  # the index folder was lost: everything is to be applied again
                self._state = state
            return self._store

    # --- keeping in step ----------------------------------------------------------------------------------------------

    def sync(self, most: int | None = None, progress: Progress | None = None, wait: bool = True) -> int:
        """Apply up to `most` changes (None = all); how many records were touched.

        `wait` False: do nothing when another thread is at it. Does nothing while `fits` has something to say.
        """
        if not self._lock.acquire(blocking=wait):
            return 0
        try:
            newest = self._catalog.newest_change()
            if (newest <= self._state.seq and self._store is not None) or self.fits:
                return 0
            store = self.store
            if self._state.seq < self._catalog.pruned():
                return self._fill(store, newest, progress)
            return self._apply(store, newest, most, progress)
        finally:
            self._lock.release()

    def lag(self) -> int:
        """How many changes wait to be applied."""
        return self._catalog.newest_change() - self._state.seq

    @property
    def opened(self) -> bool:
        """Whether the store is open."""
        return self._store is not None

    @property
    def applied(self) -> int:
        """Number of the last change that was applied."""
        return self._state.seq

    @property
    def empty(self) -> bool:
        """Whether nothing was ever applied."""
        return self._state.sparse is None

    def _apply(self, store: Store, newest: int, most: int | None, progress: Progress | None) -> int:
        done = 0
        total = newest - self._state.seq
        while most is None or done < most:
            listed = self._catalog.changed(self._state.seq, _BATCH if most is None else min(_BATCH, most - done))
            if not listed:
                break
            ids = sorted({id for _, id in listed})
            current = self._catalog.current(ids)
            store.put(self._points(list(current.values())))
            store.delete([id for id in ids if id not in current])
            store.flush()
            self._write_state(replace(self._state, seq=listed[-1][0], unoptimized=self._state.unoptimized + len(current)))
            done += len(listed)
            if progress:
                progress("indexing", done, total)
        if done:
            self._catalog.prune(self._state.seq)
        return done

    def _fill(self, store: Store, newest: int, progress: Progress | None) -> int:
        """Put every record of the catalog; the changes are no longer all listed."""
        done, total = 0, self._catalog.totals()["records"]
        kept: set[int] = set()
        for batch in self._scan():
            store.put(self._points(batch))
            kept.update(record.id for record in batch)
            done += len(batch)
            if progress:
                progress("indexing", done, total)
        store.delete([id for id, _ in list(store.scan()) if id not in kept])
        store.flush()
        self._write_state(replace(self._state, seq=newest, unoptimized=done))
        return done + self._apply(store, self._catalog.newest_change(), None, progress)

    def rebuild(self, progress: Progress | None = None) -> int:
        """Make the index anew with the encoders at hand, beside the old one, and put it in its place; how many records it holds."""
        with self._lock:
            fresh_at = self._folder / "index.new"
            shutil.rmtree(fresh_at, ignore_errors=True)
            encoder = self._encoder
            state = _State(0, encoder.id if encoder else None, encoder.dim if encoder else 0, self._sparse.id)
            if self._state.sparse is not None:
                _ = self.store  # held by another process: say so before any work
            newest = self._catalog.newest_change()
            fresh = self._open_at(fresh_at, state)
            try:
                done, total = 0, self._catalog.totals()["records"]
                for batch in self._scan():
                    fresh.put(self._points(batch))
                    done += len(batch)
                    if progress:
                        progress("indexing", done, total)
                fresh.optimize()
                fresh.flush()
            finally:
                fresh.close()
            self.close()
            shutil.rmtree(self._folder / "index", ignore_errors=True)
            if fresh_at.exists():
                fresh_at.rename(self._folder / "index")
            self._write_state(replace(state, seq=newest))
            self._catalog.prune(newest)
            return done

    def verify(self) -> Difference:
        """Compare every record of the catalog with the index, all scopes."""
        with self._lock:
            held = dict(self.store.scan())
            missing, stale = [], []
            for batch in self._scan():
                for record in batch:
                    found = held.pop(record.id, None)
                    if found is None:
                        missing.append(record.id)
                    elif found != fingerprint(record):
                        stale.append(record.id)
            return Difference(tuple(missing), tuple(held), tuple(stale), self._catalog.newest_change() - self._state.seq)

    @property
    def due(self) -> bool:
        """Whether so much is new that `optimize` would make searches clearly faster."""
        return self._state.unoptimized >= _DUE

    def optimize(self) -> None:
        """Build the store's fast search structures. The embedded store stops every thread of this process meanwhile."""
        with self._lock:
            self.store.optimize()
            self._write_state(replace(self._state, unoptimized=0))

    def close(self) -> None:
        """Give the store back, so that another process may hold it."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    # --- the inside ---------------------------------------------------------------------------------------------------

    def _scan(self) -> Iterator[list[Record]]:
        last = -1
        while batch := self._catalog.scan(last, _BATCH):
            last = max(batch)
            yield list(batch.values())

    def _points(self, records: Sequence[Record]) -> list[Point]:
        if not records:
            return []
        encoder, sparse = self._encoder, self._sparse
        texts = [kind(record.kind).encode(record) for record in records]
        terms = sparse.encode_keys(texts)
        vectors: Any = [None] * len(records)
        if encoder is not None:
            if encoder.instructed:
                keyed = [kind(record.kind).key_instruction + text for record, text in zip(records, texts, strict=True)]
                vectors = encoder.encode(keyed)
            else:
                vectors = encoder.encode(texts)
        return [
            Point(
                id=record.id,
                scope=record.scope,
                kind=record.kind,
                hash=fingerprint(record),
                created=record.created,
                valid_from=record.starts,
                valid_to=record.ends,
                dense={encoder.id: vector} if encoder is not None else {},
                sparse={sparse.id: term},
                fields=_filterable(record),
            )
            for record, vector, term in zip(records, vectors, terms, strict=True)
        ]

    def _open_at(self, path: Path, state: _State) -> Store:
        return self._open(path, {state.dense: state.dim} if state.dense else {}, [state.sparse] if state.sparse else [])

    def _read_state(self) -> _State:
        path = self._folder / "index.json"
        try:
            return _State(**json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            return _State()
        except (ValueError, TypeError) as error:
            raise StoreError(f"{path} is damaged ({error}). Delete it: the index is then made again from the catalog.") from error

    def _write_state(self, state: _State) -> None:
        path = self._folder / "index.json"
        fresh = path.with_suffix(".tmp")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(state), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        self._state = state


def fingerprint(record: Record) -> str:
    """What a store keeps to tell whether its point is of this version and this validity."""
    content = f"{record.hash}:{record.version}:{record.starts}:{record.ends}"
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def _filterable(record: Record) -> dict[str, Any]:
    """Fields that a search can filter by: numbers, booleans, short strings and lists of those; and source and trust."""
    fields: dict[str, Any] = {"trust": record.trust}
    if record.source:
        fields["source"] = record.source
    for name, value in record.fields.items():
        if _plain(value) or (isinstance(value, list) and value and all(map(_plain, value))):
            fields[name] = value
    return fields


def _plain(value: Any) -> bool:
    return isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= _LONGEST_FILTER)
