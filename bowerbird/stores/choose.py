"""How to open a store by name: `edge`, `reference`, `qdrant`, `qdrant@http://localhost:6333`, or one that a package lists."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bowerbird.errors import StoreError
from bowerbird.ports import Store
from bowerbird.table import load

__all__ = ["OpenStore", "choose"]

_APART = """
import json, sys
from pathlib import Path
from bowerbird.stores.choose import choose
name, folder, dense, sparse = json.loads(sys.argv[1])
store = choose(name)(Path(folder), dense, sparse)
store.optimize()
store.close()
"""


@dataclass(frozen=True, slots=True)
class OpenStore:
    """Opens stores of one kind: (folder, dense names with widths, sparse names) -> `Store`."""

    name: str

    def __call__(self, folder: Path, dense: Mapping[str, int], sparse: Sequence[str]) -> Store:
        part, _, address = self.name.partition("@")
        made = load("stores", part)
        if part == "reference":
            store: Store = made(dense, sparse)
        elif part == "qdrant" and address:  # one collection an index
            store = made(address, f"bowerbird-{folder.name}", dense, sparse)
        elif part == "qdrant":
            store = made(str(folder), dense=dense, sparse=sparse)
        else:
            store = made(folder, dense, sparse)
        return store

    def optimize(self, folder: Path, dense: Mapping[str, int], sparse: Sequence[str]) -> None:
        """`Store.optimize` of a closed store in `folder`, by a process of its own: the embedded store keeps Python's lock meanwhile.

        When this process dies, that one still ends what it does, and holds the folder until then.
        """
        command = [sys.executable, "-c", _APART, json.dumps([self.name, str(folder), dict(dense), list(sparse)])]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
            raise StoreError(f"The search structures of {folder} could not be built: {said}")


def choose(name: str) -> OpenStore:
    """A function (folder, dense names with widths, sparse names) -> `Store`. An unknown name raises `UnknownName`.

    `edge` and a third party's store live in the folder; `reference` lives in memory; `qdrant` in the folder, or as one
    collection an index at the address after the `@`.
    """
    load("stores", name.partition("@")[0])
    return OpenStore(name)
