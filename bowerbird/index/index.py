"""The index of a bower: which follower serves, which are kept beside it, and how one takes another's place.

Every encoder has an index of its own (`places.py`). Which one serves is a fact of the catalog, changed in one transaction; the others
are kept as they are, so that going back encodes only what has changed since. It knows how to choose and replace; a follower
(`follower.py`) does the work.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from bowerbird.catalog import Catalog
from bowerbird.errors import InvalidInput, StoreError, UnknownName
from bowerbird.index.follower import DUE, Difference, Follower, Progress
from bowerbird.index.places import Kept, Place, kept, name_of, places, sweep, twin
from bowerbird.ports import Encoder, SparseEncoder, Store
from bowerbird.stores.choose import OpenStore

__all__ = ["Also", "Index"]

_Hold = AbstractContextManager[object] | None
Also = Callable[[Any], None]  # writes to the catalog with a connection whose transaction is another's

_FACT = "index"  # name of the serving index, in the catalog
_WAITED_FOR = 100_000  # changes that are kept for an index which does not serve; one further behind is compared record by record


class Index:
    """The derived side of a catalog in the bower `folder`. Opens its store at the first need.

    Safe in threads: one applies changes, one prepares or switches, others read on.
    """

    def __init__(self, catalog: Catalog, folder: Path, open_store: OpenStore, encoder: Encoder | None, sparse: SparseEncoder) -> None:
        self._catalog, self._folder, self._open_store = catalog, folder, open_store
        self._encoder, self._sparse = encoder, sparse
        self._changing = threading.RLock()  # who prepares, switches or drops
        self._opening = threading.Lock()
        self._beside: dict[str, Follower] = {}  # prepared and not yet serving, or replaced, by name; their stores may be open
        self._dropped: list[Follower] = []
        self._serving = self._found()

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def dense(self) -> str | None:
        """Id of the encoder whose vectors the serving index holds; None when it holds none."""
        return self._serving.state.dense

    @property
    def fits(self) -> str | None:
        """None when the encoders at hand made the serving index; otherwise a sentence that says what differs."""
        return self._serving.fits

    @property
    def store(self) -> Store:
        """The serving store, opened at the first need. Raises `StoreBusy` when another process holds it."""
        held = self._serving.held
        return self._opened() if held is None else held  # no lock: a reader does not wait for a thread that applies changes

    @property
    def opened(self) -> bool:
        """Whether the store is open."""
        return self._serving.held is not None

    @property
    def applied(self) -> int:
        """Number of the last change that was applied."""
        return self._serving.applied

    @property
    def empty(self) -> bool:
        """Whether nothing was ever applied."""
        return self._serving.state.sparse is None

    def lag(self) -> int:
        """How many changes wait to be applied."""
        return self._serving.lag()

    def kept(self) -> list[Kept]:
        """Every index on disk, the serving one first."""
        return kept(self._folder, self._serving.place.name, self._catalog.newest_change())

    # --- keeping in step ----------------------------------------------------------------------------------------------

    def sync(self, most: int | None = None, progress: Progress | None = None, wait: bool = True) -> int:
        """Apply up to `most` changes (None = all); how many records were touched.

        `wait` False: do nothing when another thread is at it. Does nothing while `fits` has something to say.
        """
        if self.fits or (self.opened and not self.lag()):
            return 0
        _ = self.store
        while True:
            serving = self._serving
            if not serving.turn.acquire(blocking=wait):
                return 0
            try:
                if serving is not self._serving:  # another one serves since
                    continue
                if not serving.applied:
                    self._catalog.set_fact(_FACT, serving.place.name)
                done = serving.sync(most, progress)
            finally:
                serving.turn.release()
            if done:
                self._prune()
            return done

    def verify(self) -> Difference:
        """Compare every record of the catalog with the serving index, all scopes."""
        _ = self.store
        return self._serving.verify()

    @property
    def due(self) -> bool:
        """Whether so much is new that `optimize` would make searches clearly faster."""
        return self._serving.state.unoptimized >= DUE

    def optimize(self) -> None:
        """Build the store's fast search structures. The embedded store stops every thread of this process meanwhile."""
        _ = self.store
        self._serving.optimize()

    def close(self) -> None:
        """Give the stores back, so that another process may hold them."""
        serving = self._serving
        with serving.turn:
            serving.close()
        for follower in list(self._beside.values()):
            follower.close()
        self._erase()

    # --- another encoder ----------------------------------------------------------------------------------------------

    def prepare(self, encoder: Encoder | None, progress: Progress | None = None) -> int:
        """Bring the index of `encoder` level with the catalog, while the other one serves and takes writes: how many it encoded.

        One that is not there is made; one that is kept, or was stopped at any moment, encodes only what it lacks. Its fast search
        structures are built when it is large. Raises `StoreBusy` when another process holds the serving index.
        """
        with self._changing:
            self._claim()
            place = self._place(encoder)
            if place.name == self._serving.place.name:
                return self.sync(progress=progress)
            sweep(self._folder, {self._serving.place.name, *(gone.place.name for gone in self._dropped)})
            return self._level(self._follower(place, encoder), progress)

    def switch(self, encoder: Encoder | None, hold: _Hold = None, facts: Mapping[str, str] | None = None, also: Also | None = None) -> None:
        """Let the index of `encoder` serve, which `prepare` has made; the one before is kept as it is.

        What changed since is applied first. Then one transaction of the catalog says which serves, and keeps `facts` and what `also`
        writes with it; `hold` is held meanwhile. Searches under way end on the store that they began with. Raises `InvalidInput` when
        there is no such index.
        """
        with self._changing:
            self._claim()
            place = self._place(encoder)
            serves = place.name == self._serving.place.name
            follower = self._serving if serves else self._follower(place, encoder)
            if not serves and (follower.state.sparse is None or not follower.state.filled):
                raise InvalidInput(f"No index made with {encoder.id if encoder else 'words alone'} is ready: prepare it first.")
            follower.encoder = encoder
            self._serve(follower, hold, facts, also)

    def rebuild(self, progress: Progress | None = None, hold: _Hold = None, facts: Mapping[str, str] | None = None) -> int:
        """Make the serving index anew with the encoders at hand, beside the old one, and delete that; how many records it holds."""
        with self._changing:
            self._claim()
            old = self._serving
            name = name_of(self._encoder.id if self._encoder else None, self._sparse.id)
            for leftover in {name, twin(name)} - {old.place.name}:
                self._remove(leftover)
            place = Place.of(self._folder, twin(name) if old.place.name == name else name)
            fresh = self._follower(place, self._encoder)
            self._level(fresh, progress)
            self._serve(fresh, hold, facts)
            self._remove(old.place.name)
            return self._catalog.totals()["records"]

    def drop(self, name: str) -> None:
        """Delete a kept index, by its name (see `kept`). Raises `UnknownName`, and `InvalidInput` for the one that serves.

        One that has served since this was opened leaves the disk a little later: searches may be under way on it.
        """
        with self._changing:
            self._claim()
            known = [place.name for place in places(self._folder)]
            if name not in known:
                raise UnknownName("index", name, known)
            if name == self._serving.place.name:
                raise InvalidInput(f"{name} serves searches. Let another one serve first: bowerbird reembed ENCODER")
            self._remove(name)
            self._prune()

    # --- the inside ---------------------------------------------------------------------------------------------------

    def _level(self, follower: Follower, progress: Progress | None) -> int:
        follower.begin()
        done = follower.sync(None, progress)
        if follower.state.unoptimized >= DUE:
            if progress:
                progress("building search structures", 0, 0)
            follower.optimize_apart()
            done += follower.sync()
        self._prune()
        return done

    def _serve(self, follower: Follower, hold: _Hold, facts: Mapping[str, str] | None, also: Also | None = None) -> None:
        old = self._serving
        follower.sync()
        with old.turn, follower.turn:  # no change is applied to the old one alone
            follower.sync()
            with hold or contextlib.nullcontext():
                self._catalog.set_facts({_FACT: follower.place.name, **(facts or {})}, also)
                self._serving, self._encoder = follower, follower.encoder
        for name, other in list(self._beside.items()):
            if other is not follower:  # replaced some time ago: no search is under way on it
                other.close()
            del self._beside[name]
        if old is not follower:
            self._beside[old.place.name] = old
        self._prune()

    def _claim(self) -> None:
        """Raise `StoreBusy` when another process holds the serving index. One that is damaged is to be replaced."""
        self._erase()
        with contextlib.suppress(StoreError):
            _ = self.store
        other = twin(self._serving.place.name)
        if Place.of(self._folder, other).state.exists():  # a rebuild was stopped half-way, or before it had deleted the old one
            self._remove(other)

    def _prune(self) -> None:
        """Let the catalog forget the changes that no index needs."""
        needed = min((place.read().seq for place in places(self._folder)), default=0)
        needed = max(needed, self._catalog.newest_change() - _WAITED_FOR)
        self._catalog.prune(min(needed, self._serving.state.seq))

    def _remove(self, name: str) -> None:
        known = self._beside.pop(name, None)
        follower = known or Follower(self._catalog, self._own(name), self._open_store, None, self._sparse)
        follower.place.state.unlink(missing_ok=True)
        self._dropped.append(follower)
        if follower.held is None:
            self._erase()

    def _erase(self) -> None:
        """Delete what was dropped, once no search is under way on it: before the next change, or when all is closed."""
        while self._dropped:
            self._dropped.pop().erase()

    def _follower(self, place: Place, encoder: Encoder | None) -> Follower:
        """The one beside, at that place."""
        if place.name not in self._beside:
            self._beside[place.name] = Follower(self._catalog, place, self._open_store, encoder, self._sparse)
        self._beside[place.name].encoder = encoder
        return self._beside[place.name]

    def _place(self, encoder: Encoder | None) -> Place:
        """Where the index of `encoder` is, or will be."""
        name = name_of(encoder.id if encoder else None, self._sparse.id)
        other = Place.of(self._folder, twin(name))
        return other if other.name == self._serving.place.name or other.state.exists() else Place.of(self._folder, name)

    def _own(self, name: str) -> Place:
        """The place called `name`; without one, that of the one index which a bower had before."""
        return Place.of(self._folder, name) if name else Place("", self._folder / "index", self._folder / "index.json")

    # --- opening ------------------------------------------------------------------------------------------------------

    def _opened(self) -> Store:
        with self._opening:
            while True:
                found = self._found()
                if not found.place.name:
                    found = self._settled(found)
                if found.place != self._serving.place:
                    self._serving = found
                store = self._serving.open()
                if self._found().place.name in ("", self._serving.place.name):
                    return store
                self._serving.close()  # another process, which held it, has let another one serve

    def _found(self) -> Follower:
        """The follower of the index that serves, as the catalog says; its place has no name where there is none yet."""
        place = self._own(self._catalog.fact(_FACT) or "")
        if not place.state.exists():
            place = self._own("")
        return Follower(self._catalog, place, self._open_store, self._encoder, self._sparse)

    def _settled(self, old: Follower) -> Follower:
        """The first index of a bower; one that was made before indexes had names is moved to where it belongs."""
        made = old.state
        place = self._place(self._encoder)
        if made.sparse is not None:
            place = Place.of(self._folder, name_of(made.dense, made.sparse))
            if old.place.store.exists():
                old.open()  # held by another process: say so before anything is moved
                old.close()
            self._catalog.set_fact(_FACT, place.name)
            place.take(old.place)
        return Follower(self._catalog, place, self._open_store, self._encoder, self._sparse)
