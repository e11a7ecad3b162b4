"""The files of a bower's indexes: `indexes/<name>/` is a store, `indexes/<name>.json` says how far it is and who made it.

The name comes from the encoders, so that an index is found again when its encoder comes back. It knows files, no store.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from bowerbird.errors import StoreError

__all__ = ["Kept", "Place", "State", "kept", "name_of", "places", "size_of", "sweep", "twin"]

_TWIN = "-again"


@dataclass(frozen=True, slots=True)
class State:
    """How far an index is and which encoders made it. `sparse` None = nothing was ever applied; `dense` None = no dense vectors."""

    seq: int = 0  # the last change that was applied
    dense: str | None = None
    dim: int = 0
    sparse: str | None = None
    unoptimized: int = 0  # points put since the store last built its search structures
    filled: bool = True  # False: the records of the catalog are still being put in; `seq` was the newest change when that began


@dataclass(frozen=True, slots=True)
class Place:
    """Where one index lies. The state is written after the store has flushed, so that it never says too much."""

    name: str
    store: Path
    state: Path

    @classmethod
    def of(cls, bower: Path, name: str) -> Place:
        """The place of the index called `name`."""
        return cls(name, bower / "indexes" / name, bower / "indexes" / f"{name}.json")

    def read(self) -> State:
        """What the state file says; the state of an index that was never made when there is none."""
        try:
            return State(**json.loads(self.state.read_text("utf-8")))
        except FileNotFoundError:
            return State()
        except (ValueError, TypeError) as error:
            raise StoreError(f"{self.state} is damaged ({error}). Delete it: the index is then made again from the catalog.") from error

    def write(self, state: State) -> None:
        """Replace the state file: the whole old one or the whole new one is there, whatever happens."""
        fresh = self.state.with_suffix(".tmp")
        fresh.parent.mkdir(exist_ok=True)
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(state), file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.state)

    def take(self, old: Place) -> None:
        """Move the index at `old` here. Stopped half-way, the next call does the rest."""
        self.store.parent.mkdir(exist_ok=True)
        if old.store.exists():
            shutil.rmtree(self.store, ignore_errors=True)
            old.store.rename(self.store)
        old.state.replace(self.state)

    def remove(self) -> None:
        """Delete both; what is left when this is stopped half-way, `sweep` deletes."""
        self.state.unlink(missing_ok=True)
        shutil.rmtree(self.store, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Kept:
    """An index on disk. `encoder` None = words alone; `ready`: every record was put in once; `waiting`: changes since; `bytes` on disk."""

    name: str
    encoder: str | None
    serving: bool
    ready: bool
    waiting: int
    bytes: int


def kept(bower: Path, serving: str, newest: int) -> list[Kept]:
    """Every index of the bower, the one called `serving` first; `newest` is the number of the last change."""
    found = []
    for place in places(bower):
        state = place.read()
        found.append(Kept(place.name, state.dense, place.name == serving, state.filled, newest - state.seq, size_of(place.store)))
    return sorted(found, key=lambda one: (not one.serving, one.name))


def name_of(dense: str | None, sparse: str) -> str:
    """A file name that says which encoders made the index, and is theirs alone."""
    own = hashlib.blake2b(f"{dense}\n{sparse}".encode(), digest_size=4).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9.@_]+', '-', dense or 'words').strip('.-')[:60]}-{own}"


def twin(name: str) -> str:
    """The name of a second index of the same encoders: where one is made anew while the other serves."""
    return name.removesuffix(_TWIN) if name.endswith(_TWIN) else name + _TWIN


def places(bower: Path) -> list[Place]:
    """Every index of the bower, by name."""
    return [Place.of(bower, path.stem) for path in sorted((bower / "indexes").glob("*.json"))]


def sweep(bower: Path, in_use: set[str]) -> None:
    """Delete the stores whose state is gone, but for those in use: what was removed, and stopped half-way."""
    known = in_use | {place.name for place in places(bower)}
    for path in (bower / "indexes").glob("*/"):
        if path.name not in known:
            shutil.rmtree(path, ignore_errors=True)


def size_of(folder: Path) -> int:
    """Bytes on disk of all files in `folder`; what a file has reserved and not written (an index does) takes no room."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
