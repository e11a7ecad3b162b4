"""The shelf: every version of every component of a bower, in folders, with its card, and which one serves.

`artifacts/<component>/<version>/` holds the component's files and `card.json`; the catalog's table holds the card too, and who
owns it and since when it serves. A component serves the callers that its owner's scope contains: what was learnt from one
tenant's outcomes never serves another. Going back is naming an earlier version, or 0 for none.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, func, insert, select, update

from bowerbird import table
from bowerbird.database.database import Database
from bowerbird.database.schema import artifacts
from bowerbird.errors import InvalidInput, NotFound
from bowerbird.types import Scope

__all__ = ["Artifact", "Component", "Shelf"]

_CARD = "card.json"
_FRESH = ".{}-{}"  # a version that is being written: its component, and 32 hex digits
_LOOK = 1.0  # seconds after which what serves is looked up anew: another process may have published


class Component(Protocol):
    """What can be kept on a shelf. The class also has `load(folder)`, which gives one back; a damaged one raises `InvalidInput`."""

    def save(self, folder: Path) -> None: ...


@dataclass(frozen=True, slots=True)
class Artifact:
    """One version of a component. `published`: since when it serves, None = it does not. `card`: plain JSON; where it comes from."""

    component: str
    version: int
    scope: Scope
    created: float
    published: float | None
    path: Path
    card: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`adapter@3`."""
        return f"{self.component}@{self.version}"


class Shelf:
    """The artifacts of a bower in `folder`. Safe in threads; loaded components are kept until another one serves."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._db, self.folder = database, folder
        self._lock = threading.Lock()
        self._serving: dict[tuple[str, Scope], Artifact] = {}
        self._looked = -math.inf
        self._loaded: dict[str, Any] = {}

    # --- keeping ------------------------------------------------------------------------------------------------------

    def keep(self, component: str, made: Component, scope: Scope, card: Mapping[str, Any]) -> Artifact:
        """Keep a new version; it does not serve yet. It is there whole or not at all, whatever is killed when; what a kill leaves is
        deleted by the next one that keeps something."""
        table.load("components", component)
        with _writing(self.folder):
            fresh = self.folder / _FRESH.format(component, uuid.uuid4().hex)
            try:
                made.save(fresh)
                (fresh / _CARD).write_text(json.dumps(dict(card), indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
                _on_disk(fresh)
            except BaseException:
                shutil.rmtree(fresh, ignore_errors=True)
                raise
            with self._db.writing() as connection:
                version = 1 + (connection.scalar(select(func.max(artifacts.c.version)).where(artifacts.c.name == component)) or 0)
                path = self.folder / component / str(version)
                shutil.rmtree(path, ignore_errors=True)  # of a version whose row was never written
                path.parent.mkdir(parents=True, exist_ok=True)
                fresh.rename(path)
                _on_disk(path.parent)
                row = {"name": component, "version": version, **_owner(scope), "created": time.time(), "published": None}
                kept = {**row, "path": f"{component}/{version}", "card": json.dumps(dict(card), ensure_ascii=False, allow_nan=False)}
                connection.execute(insert(artifacts), kept)
        return self.get(component, version)

    def get(self, component: str, version: int) -> Artifact:
        """That version. Raises `NotFound` with those that there are."""
        found = [artifact for artifact in self.list(component) if artifact.version == version]
        if not found:
            known = ", ".join(artifact.name for artifact in self.list(component)) or "none"
            raise NotFound(f"No artifact {component}@{version}. Kept of {component}: {known}. See: bowerbird artifacts list")
        return found[0]

    def list(self, component: str | None = None) -> Sequence[Artifact]:
        """All versions, oldest first."""
        query = select(artifacts).order_by(artifacts.c.name, artifacts.c.version)
        if component is not None:
            query = query.where(artifacts.c.name == component)
        with self._db.reading() as connection:
            rows = connection.execute(query).all()
        return [
            Artifact(
                row.name,
                row.version,
                Scope(row.tenant, row.user or None, row.session or None),
                row.created,
                row.published,
                self.folder / row.path,
                json.loads(row.card),
            )
            for row in rows
        ]

    # --- serving ------------------------------------------------------------------------------------------------------

    def publish(self, component: str, version: int, scope: Scope) -> Artifact | None:
        """Let that version serve `scope` from now on, and no other of its name; version 0 = none. On disk when it returns."""
        written = self.publishing(component, version, scope)
        with self._db.writing() as connection:
            written(connection)
        self.look_again()
        return self.get(component, version) if version else None

    def publishing(self, component: str, version: int, scope: Scope) -> Callable[[Connection], None]:
        """What `publish` does, as part of somebody's transaction on the same catalog. What forbids it is raised here, before."""
        chosen = self.get(component, version) if version else None
        if chosen is not None and chosen.scope != scope:
            raise InvalidInput(f"{chosen.name} was learnt in scope {chosen.scope} and serves no other; the scope given is {scope}.")
        mine = [artifacts.c.name == component, *(artifacts.c[name] == value for name, value in _owner(scope).items())]

        def written(connection: Connection) -> None:
            connection.execute(update(artifacts).where(*mine).values(published=None))
            if chosen is not None:
                connection.execute(update(artifacts).where(*mine, artifacts.c.version == version).values(published=time.time()))

        return written

    def look_again(self) -> None:
        """Look up anew what serves, from the next need on: after a transaction that `publishing` was part of."""
        with self._lock:
            self._looked = -math.inf

    def serving(self, component: str, scope: Scope) -> Artifact | None:
        """The version that serves callers of `scope`: the narrowest owner's that contains it. What another process publishes is
        seen within a second."""
        with self._lock:
            if time.monotonic() - self._looked > _LOOK:
                self._serving = {(a.component, a.scope): a for a in self.list() if a.published is not None}
                self._looked = time.monotonic()
            known = self._serving
        return next((known[component, owner] for owner in reversed(scope.visible()) if (component, owner) in known), None)

    def component(self, name: str, scope: Scope) -> Any | None:
        """The component that serves callers of `scope`, loaded; None where none does."""
        artifact = self.serving(name, scope)
        return None if artifact is None else self.load(artifact)

    def load(self, artifact: Artifact) -> Any:
        """The component of an artifact; read once. A damaged one raises `InvalidInput`: nothing is answered as if there were none."""
        with self._lock:
            if artifact.name not in self._loaded:
                made: Callable[[Path], Any] = table.load("components", artifact.component).load
                try:
                    if not (artifact.path / _CARD).is_file():
                        raise InvalidInput(f"it has no {_CARD}.")
                    self._loaded[artifact.name] = made(artifact.path)
                except (InvalidInput, OSError) as error:
                    raise InvalidInput(
                        f"{artifact.name} cannot be used: its folder {artifact.path} is damaged ({error}). "
                        f"Let the version before it serve, or none: bowerbird learn rollback {artifact.component}"
                    ) from error
            return self._loaded[artifact.name]


def _owner(scope: Scope) -> dict[str, str]:
    return {"tenant": scope.tenant, "user": scope.user or "", "session": scope.session or ""}


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """While it lasts, unfinished versions in `folder` are left alone; before, those are deleted that nobody is writing any more.

    Whoever writes shares a lock on the folder, which the kernel lets go when a process dies: who has it alone is the only one.
    """
    import fcntl  # not everywhere; nor can a folder be opened there, which `_on_disk` needs

    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in folder.glob(_FRESH.format("*", "[0-9a-f]" * 32)):
                shutil.rmtree(left, ignore_errors=True)
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _on_disk(folder: Path) -> None:
    """Wait until a folder and the files in it are on disk."""
    for path in (*sorted(p for p in folder.rglob("*") if p.is_file()), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
