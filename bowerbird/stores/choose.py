"""How to open a store by name: `edge`, `reference`, `qdrant`, `qdrant@http://localhost:6333`, or one that a package lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bowerbird.ports import Store
from bowerbird.table import load

__all__ = ["choose"]


def choose(name: str) -> Callable[[Path, Mapping[str, int], Sequence[str]], Store]:
    """A function (folder, dense names with widths, sparse names) -> `Store`. An unknown name raises `UnknownName`.

    `edge` and a third party's store live in the folder; `reference` lives in memory; `qdrant` in the folder or at the
    address after the `@`.
    """
    part, _, address = name.partition("@")
    made = load("stores", part)

    def opened(folder: Path, dense: Mapping[str, int], sparse: Sequence[str]) -> Store:
        if part == "reference":
            store: Store = made(dense, sparse)
        elif part == "qdrant":
            store = made(address or str(folder), dense=dense, sparse=sparse)
        else:
            store = made(folder, dense, sparse)
        return store

    return opened
