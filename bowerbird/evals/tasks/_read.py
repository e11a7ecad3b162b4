"""What the task files of this folder share beyond `evals/rows.py`: whole texts, named splits, long lists of pinned files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bowerbird.evals.rows import github, opened, share
from bowerbird.evals.task import File

__all__ = ["drawn", "pinned", "text"]


def text(path: Path) -> str:
    """The whole file, without a byte order mark, lines ended by a newline alone."""
    with opened(path, "utf-8-sig") as file:
        return file.read().replace("\r\n", "\n")


def drawn(key: str, shares: Mapping[str, float]) -> str:
    """The split that `key` falls into, which depends on `key` alone. `shares` maps splits to parts of 1, in a fixed order."""
    place, last = share(key), ""
    for last, part in shares.items():  # noqa: B007
        place -= part
        if place < 0:
            break
    return last


def pinned(listing: Path, folder: str, repository: str, revision: str, base: str) -> tuple[File, ...]:
    """The files that `listing` names as `sha256sum` writes them: they lie in `folder` of the data and in `base` of the repository."""
    files = []
    for line in listing.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        files.append(File(f"{folder}/{name}", digest, github(repository, revision, f"{base}/{name}")))
    return tuple(files)
