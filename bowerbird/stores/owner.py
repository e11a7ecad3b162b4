"""Who holds a folder: a lock file that names its holder. One process holds a folder; the kernel lets go when it dies.

It knows nothing of what is in the folder. POSIX only (`flock`).
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from bowerbird.errors import StoreBusy, StoreError

__all__ = ["acquire", "busy", "release"]

FILE = "owner.json"


def acquire(folder: Path) -> IO[str]:
    """The lock of `folder`, held until `release` or the end of the process. Raises `StoreBusy` naming the holder."""
    try:
        file = open(folder / FILE, "a+", encoding="utf-8")  # noqa: SIM115 - the open file is the lock
    except OSError as error:
        raise StoreError(f"The index at {folder} cannot be written: {error}. Give a folder that this user may write to.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise busy(folder) from error
    # What an earlier holder wrote is stale now: whoever has the lock is the owner.
    file.truncate(0)
    json.dump({"pid": os.getpid(), "command": _command(), "since": datetime.now(UTC).isoformat(timespec="seconds")}, file)
    file.flush()
    return file


def release(file: IO[str]) -> None:
    """Let go; the file stays, empty."""
    if not file.closed:
        file.truncate(0)
        file.close()


def busy(folder: Path) -> StoreBusy:
    """The error that says who holds `folder` and what to do."""
    try:
        owner = json.loads((folder / FILE).read_text(encoding="utf-8"))
        pid, command, since = int(owner["pid"]), str(owner["command"]), str(owner["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return StoreBusy(
            f"The index at {folder} is held by another process that did not say which. Close it, or find it with: fuser -v {folder / FILE}"
        )
    if pid == os.getpid():
        return StoreBusy(
            f"The index at {folder} is already open in this process (since {since}). Use that one, or close it first: threads may share it."
        )
    if not _alive(pid):
        return StoreBusy(
            f"The index at {folder} was opened by process {pid} ({command}, since {since}), which is gone, but a child of it still "
            f"holds the index. Find it with: fuser -v {folder / FILE}"
        )
    return StoreBusy(
        f"The index at {folder} is held by process {pid} ({command}, since {since}). One process at a time: stop that one, "
        "send it your requests, or use another folder. For several processes at once use the 'qdrant' store."
    )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _command() -> str:
    # The program and its first word only: later arguments may hold secrets.
    words = [Path(sys.argv[0]).name or "python"] if sys.argv else ["python"]
    words += [word for word in sys.argv[1:2] if not word.startswith("-")]
    return " ".join(words)[:200]
