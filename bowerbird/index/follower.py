"""A follower: one store that follows the catalog. What the catalog lists as changed is encoded and put into it.

Its state (`places.State`) is written after the store has flushed, so a crash at any point only means that some changes are applied
twice, which changes nothing. It knows nothing of other indexes, nor which of them serves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bowerbird.catalog import Catalog
from bowerbird.index.places import Place, State
from bowerbird.index.points import fingerprint, points
from bowerbird.ports import Encoder, SparseEncoder, Store
from bowerbird.stores.choose import OpenStore
from bowerbird.types import Record

__all__ = ["DUE", "Difference", "Follower", "Progress"]

Progress = Callable[[str, int, int], None]  # what is being done, how much is done, of how much (0 = unknown)

DUE = 10_000
"""So many new points make `optimize` worth it: exact search over as many takes a few milliseconds."""

_BATCH = 256


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


class Follower:
    """The index at `place`, followed with these encoders. Opens its store at the first need.

    Safe in threads: who applies changes holds `turn`; others read on, and wait for nobody.
    """

    def __init__(self, catalog: Catalog, place: Place, open_store: OpenStore, encoder: Encoder | None, sparse: SparseEncoder) -> None:
        self.place, self.encoder = place, encoder
        self.turn = threading.RLock()
        self.state = place.read()
        self.held: Store | None = None  # the store, once it is open
        self._catalog, self._open_store, self._sparse = catalog, open_store, sparse
        self._opening = threading.Lock()

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def fits(self) -> str | None:
        """None when the encoders at hand made this index; otherwise a sentence that says what differs."""
        made = self.state
        if made.sparse is None:
            return None
        ours = self.encoder.id if self.encoder else None
        if made.dense != ours:
            none = "no dense encoder"
            return f"The index was made with {made.dense or none}; at hand is {ours or none}. Run: bowerbird rebuild"
        if made.sparse != self._sparse.id:
            return f"The index was made with {made.sparse}; at hand is {self._sparse.id}. Run: bowerbird rebuild"
        return None

    @property
    def applied(self) -> int:
        """Number of the last change that was applied; 0 while the records are still being put in."""
        return self.state.seq if self.state.filled else 0

    def lag(self) -> int:
        """How many changes wait to be applied."""
        return self._catalog.newest_change() - self.applied

    # --- keeping in step ----------------------------------------------------------------------------------------------

    def open(self) -> Store:
        """The store, opened at the first need. Raises `StoreBusy` when another process holds it."""
        with self._opening:
            if self.held is None:
                state = self.place.read()
                store = self._opened(state if state.sparse else self._made_now())
                state = self.place.read()  # whoever held it until now may have gone on
                if state.sparse is None:
                    state = self._made_now()
                newest = self._catalog.newest_change()
                lost = state.seq and next(iter(store.scan()), None) is None
                if lost or state.seq > newest:  # the folder went missing, or the catalog is an older copy
                    state = replace(state, seq=newest, filled=False)
                self.state, self.held = state, store
            return self.held

    def begin(self) -> None:
        """Be an index that is to be filled with what the catalog holds now. One that was begun already goes on from where it is."""
        if self.state.sparse is None:
            self.place.remove()  # what lies there without a state is half-deleted
            self._write(replace(self._made_now(), seq=self._catalog.newest_change(), filled=False))

    def sync(self, most: int | None = None, progress: Progress | None = None) -> int:
        """Apply up to `most` changes (None = all); how many records were encoded or deleted. Nothing while `fits` has something to say."""
        with self.turn:
            if self.fits or (self.held is not None and not self.lag()):
                return 0
            store, done = self.open(), 0
            if not self.state.filled or self.state.seq < self._catalog.pruned():
                done = self._fill(store, progress)
                most = None
            return done + self._apply(store, most, progress)

    def _apply(self, store: Store, most: int | None, progress: Progress | None) -> int:
        done = 0
        total = self.lag()
        while most is None or done < most:
            listed = self._catalog.changed(self.state.seq, _BATCH if most is None else min(_BATCH, most - done))
            if not listed:
                break
            ids = sorted({id for _, id in listed})
            current = self._catalog.current(ids)
            store.put(points(list(current.values()), self.encoder, self._sparse))
            store.delete([id for id in ids if id not in current])
            store.flush()
            self._write(replace(self.state, seq=listed[-1][0], unoptimized=self.state.unoptimized + len(current)))
            done += len(listed)
            if progress:
                progress("indexing", done, total)
        return done

    def _fill(self, store: Store, progress: Progress | None) -> int:
        """Put the records of the catalog in, all but those whose fingerprint says that they are there: how many were encoded.

        For an index that begins, was lost in part, or is so far behind that its changes are no longer listed. Stopped, it goes on:
        the changes since it first began are applied afterwards. In the last case alone a record whose source changed and nothing
        else keeps the old source, to filter by.
        """
        if self.state.filled or self.state.seq < self._catalog.pruned():
            self._write(replace(self.state, seq=self._catalog.newest_change(), filled=False))
        held = dict(store.scan())
        seen, encoded, total = 0, 0, self._catalog.totals()["records"]
        for batch in self._scan():
            fresh = [record for record in batch if held.pop(record.id, None) != fingerprint(record)]
            store.put(points(fresh, self.encoder, self._sparse))
            seen, encoded = seen + len(batch), encoded + len(fresh)
            if progress:
                progress("encoding", seen, total)
        store.delete(list(held))
        store.flush()
        self._write(replace(self.state, filled=True, unoptimized=self.state.unoptimized + encoded))
        return encoded

    def verify(self) -> Difference:
        """Compare every record of the catalog with the index, all scopes."""
        with self.turn:
            held = dict(self.open().scan())
            missing, stale = [], []
            for batch in self._scan():
                for record in batch:
                    found = held.pop(record.id, None)
                    if found is None:
                        missing.append(record.id)
                    elif found != fingerprint(record):
                        stale.append(record.id)
            return Difference(tuple(missing), tuple(held), tuple(stale), self.lag())

    def optimize(self) -> None:
        """Build the store's fast search structures. The embedded store stops every thread of this process meanwhile."""
        with self.turn:
            self.open().optimize()
            self._write(replace(self.state, unoptimized=0))

    def optimize_apart(self) -> None:
        """The same without stopping anybody, for a follower that does not serve: where the store lives in its folder, another
        process does it."""
        with self.turn:
            if not self.place.store.exists():
                self.optimize()
                return
            self.close()
            self._open_store.optimize(self.place.store, *self._vectors(self.state))
            self._write(replace(self.state, unoptimized=0))

    def close(self) -> None:
        """Give the store back, so that another process may hold it."""
        with self._opening:
            if self.held is not None:
                self.held.close()
                self.held = None

    def erase(self) -> None:
        """Close the store and delete it."""
        with self.turn:
            if not self.place.store.exists() and self.state.sparse is not None:  # it does not live here
                store = self.held or self._opened(self.state)
                store.delete([id for id, _ in list(store.scan())])
                store.close()
            self.close()
            self.place.remove()

    # --- the inside ---------------------------------------------------------------------------------------------------

    def _scan(self) -> Iterator[list[Record]]:
        last = -1
        while batch := self._catalog.scan(last, _BATCH):
            last = max(batch)
            yield list(batch.values())

    def _made_now(self) -> State:
        """The state of an index that these encoders begin."""
        encoder = self.encoder
        return State(dense=encoder.id if encoder else None, dim=encoder.dim if encoder else 0, sparse=self._sparse.id)

    def _opened(self, state: State) -> Store:
        return self._open_store(self.place.store, *self._vectors(state))

    @staticmethod
    def _vectors(state: State) -> tuple[dict[str, int], list[str]]:
        return {state.dense: state.dim} if state.dense else {}, [state.sparse] if state.sparse else []

    def _write(self, state: State) -> None:
        self.place.write(state)
        self.state = state
