"""The scoreboard's runs: a plan's lines one after the other, each a folder that can be compared, and what became of each.

Killed and started again it goes on: a line that is done is not run again, one that was begun is resumed by its items. A line that
fails is named with its reason, and the others go on. It knows tasks by name and the engine as a `Bench`; what the table says
is `standings.py`'s.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bowerbird.errors import InvalidInput, NotFound
from bowerbird.evals.bench import OpenBench, Progress, cache_folder
from bowerbird.evals.plan import Line
from bowerbird.evals.results import Run
from bowerbird.evals.run import Options, run_task
from bowerbird.evals.task import get
from bowerbird.ports import LLM, Encoder

__all__ = ["Board", "Heard", "Row", "commit", "machine", "play"]

_STATE = "scoreboard.json"
_HELD = ("seconds", "sittings", "started", "load", "cold", "lines")
_KEEP_EVERY = 5.0  # seconds of the time taken that a kill may lose
Heard = Callable[[int, "Row", float], None]  # how many lines are over, the one that ended, and seconds that the rest will take


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a line: its folder, or why it has none."""

    line: Line
    folder: Path | None = None
    why: str = ""
    seconds: float = 0.0
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """Every line of the plan, in its order. `seconds` is of all sittings together; `load` the machine's load average before and
    after; `cold`: nothing was kept of earlier runs, neither encoded records nor answers."""

    rows: tuple[Row, ...]
    seconds: float
    sittings: int
    started: float
    load: tuple[float, float]
    cold: bool = False


@dataclass(slots=True)
class _Kept:
    """What a kill must not lose, beside the folders of the runs: which lines are done, and the time that was taken."""

    path: Path
    seconds: float = 0.0
    sittings: int = 0
    started: float = 0.0
    load: float = 0.0
    cold: bool = False
    lines: dict[str, Any] = field(default_factory=dict)
    _since: float = 0.0

    @classmethod
    def at(cls, folder: Path, cache: Path) -> _Kept:
        path = folder / _STATE
        kept = cls(path, started=time.time(), load=_load(), cold=not any(cache.glob("*")))
        if path.exists():
            try:
                held = json.loads(path.read_text("utf-8"))
                kept = cls(path, **{name: held[name] for name in _HELD})
            except (ValueError, KeyError, TypeError) as error:
                raise InvalidInput(f"{path} is damaged: {error}. Delete it: what was run is taken up again from its folders.") from error
        kept.sittings, kept._since = kept.sittings + 1, time.monotonic()
        return kept

    def tick(self, force: bool = False) -> None:
        """Count the time since the last look, and write it down now and then."""
        now = time.monotonic()
        if not force and now - self._since < _KEEP_EVERY:
            return
        self.seconds, self._since = self.seconds + now - self._since, now
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(self.path.name + ".part")
        held = {name: getattr(self, name) for name in _HELD}
        fresh.write_text(json.dumps(held, indent=1), "utf-8")
        fresh.replace(self.path)


def play(
    lines: Sequence[Line],
    open_bench: OpenBench,
    *,
    encoder: Encoder | None,
    llm: LLM | None,
    runs: Path,
    minutes: float = 60.0,
    seed: int = 0,
    cache: Path | None = None,
    data: Path | None = None,
    progress: Progress | None = None,
    heard: Heard | None = None,
) -> Board:
    """Run `lines` below `runs`. A line that would not be over within `minutes` of all sittings together is left out and says so.

    How long a line will take is what the plan says, times how much slower this machine was than the plan so far.
    """
    cache = cache or cache_folder()
    kept, rows = _Kept.at(runs, cache), list[Row]()
    parts = f"seed {seed} · {encoder.id if encoder else None} · {llm.name if llm else None}"
    taken = expected = 0.0

    def seen(what: str, done: int, of: int) -> None:
        kept.tick()
        if progress:
            progress(what, done, of)

    for place, line in enumerate(lines):
        name, pace = f"{line.name} · {parts}", max(1.0, taken / expected) if expected else 1.0
        row = _done(line, kept.lines.get(name), data)
        kept.tick(force=True)
        if row is None and line.skip:
            row = Row(line, None, line.skip)
        elif row is None and kept.seconds + line.seconds * pace > minutes * 60:
            row = Row(
                line,
                None,
                f"not run: {kept.seconds / 60:.0f} of {minutes:g} minutes were over, and it takes about {line.seconds * pace:.0f} s",
            )
        elif row is None:
            row = _ran(line, open_bench, encoder, llm, runs, seed, cache, data, seen)
            if row.folder:
                kept.lines[name] = {"folder": str(row.folder), "seconds": row.seconds, "commit": row.commit}
                taken, expected = taken + row.seconds, expected + line.seconds
        kept.tick(force=True)
        rows.append(row)
        if heard:
            rest = sum(one.seconds for one in lines[place + 1 :] if not one.skip and f"{one.name} · {parts}" not in kept.lines)
            heard(place + 1, row, rest * pace)
    return Board(tuple(rows), kept.seconds, kept.sittings, kept.started, (kept.load, _load()), kept.cold)


def _done(line: Line, held: Mapping[str, Any] | None, data: Path | None) -> Row | None:
    """The line as it was run before, if its folder is whole and the data are still those."""
    if not held:
        return None
    folder = Path(held["folder"])
    try:
        run = Run.load(folder)
    except NotFound:
        return None
    if not run.complete or run.data_sha256 != get(line.task).data(data).sha256:
        return None
    return Row(line, folder, "", held["seconds"], held["commit"])


def _ran(
    line: Line,
    open_bench: OpenBench,
    encoder: Encoder | None,
    llm: LLM | None,
    runs: Path,
    seed: int,
    cache: Path,
    data: Path | None,
    progress: Progress,
) -> Row:
    began = time.monotonic()
    options = Options(protocol=line.protocol, limit=line.limit, seed=seed, budget_tokens=line.tokens)
    try:
        folder, _ = run_task(
            get(line.task),
            [line.spec],
            open_bench,
            encoder=encoder,
            llm=llm,
            options=options,
            out=runs,
            cache=cache,
            data=data,
            progress=lambda what, done, of: progress(f"{line.task} {line.protocol}: {what}", done, of),
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said in the table, and the command ends with exit code 1
        return Row(line, None, f"failed: {type(error).__name__}: {error}", time.monotonic() - began, commit())
    return Row(line, folder, "", time.monotonic() - began, commit())


# --- what a number hangs on beside data and parts -----------------------------------------------------------------------


def commit() -> str:
    """The commit of the code that runs, "+ changes" where files differ from it; "" outside a checkout."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        try:
            return subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return ""

    head = git("rev-parse", "--short=12", "HEAD")
    return f"{head} + changes" if head and git("status", "--porcelain", "--", "..") else head


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory in GiB and system."""
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        told = ""
    models = [line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0.0
    system = f"{platform.system()} {platform.release()}"
    return {
        "processor": (models or [platform.processor() or "unknown"])[0],
        "cores": cores,
        "memory_gib": round(memory, 1),
        "system": system,
    }


def _load() -> float:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0


def as_json(board: Board) -> dict[str, Any]:
    """What is told of the sittings."""
    return {key: value for key, value in asdict(board).items() if key != "rows"}
