"""Where a task's records lie while it is run: a bower per (records, encoder), filled once and kept, and what the harness knows of them.

It knows the engine only as a `Bench`, and nothing of cases' judgements but that their gold keys must be there.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from bowerbird.errors import BowerbirdError, InvalidInput
from bowerbird.evals.task import Case, Task
from bowerbird.ports import LLM, Encoder
from bowerbird.types import Record, Scope, Turn, record_id

__all__ = ["Bench", "Corpus", "OpenBench", "Progress", "Stopwatch", "cache_folder", "prepared"]

Progress = Callable[[str, int, int], None]  # what is being done, how much is done, of how much (0 = unknown)


class Bench(Protocol):
    """A bower as evaluation needs it; `bowerbird.Engine` is one."""

    def load(self, records: Iterable[Record], *, progress: Progress | None = None) -> int: ...

    def run(self, turns: Sequence[Turn], spec: str) -> Sequence[Turn]: ...

    def verify(self) -> tuple[Any, Sequence[int]]:
        """The first has `clean`: whether index and catalog agree."""
        ...

    def optimize(self) -> None: ...

    def close(self) -> None: ...


OpenBench = Callable[[Path, Encoder | None, LLM | None], Bench]


class Stopwatch:
    """Seconds of the work itself: what is timed inside something that is timed counts once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._deep, self._began = 0, 0.0

    def __enter__(self) -> None:
        if not self._deep:
            self._began = time.perf_counter()
        self._deep += 1

    def __exit__(self, type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._deep -= 1
        if not self._deep:
            self.seconds += time.perf_counter() - self._began


class Corpus:
    """The records of a task, in memory: which key an id has, who may see what, and what is newest."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = tuple(records)
        self.by_id = {record.id: record for record in self.records}
        if len(self.by_id) != len(self.records):
            raise InvalidInput(
                f"{len(self.records) - len(self.by_id)} records share scope and key with another: a task's keys are distinct."
            )
        self._visible: dict[Scope, tuple[Record, ...]] = {}

    @functools.cached_property
    def sha256(self) -> str:
        """Of every record's scope, key and content."""
        digest = hashlib.sha256()
        for record in self.records:
            digest.update(f"{record.scope}\x00{record.key}\x00{record.hash}\n".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    @functools.cached_property
    def _owned(self) -> Mapping[Scope, Sequence[Record]]:
        owned: dict[Scope, list[Record]] = {}
        for record in self.records:
            owned.setdefault(record.scope, []).append(record)
        return owned

    @functools.cached_property
    def timed(self) -> bool:
        """Whether its records say when they were made, so that the newest ones mean something."""
        return any(_moment(record) is not None for record in self.records)

    def visible(self, scope: Scope) -> tuple[Record, ...]:
        """What a caller of that scope may see, in the order of the task."""
        if scope not in self._visible:
            self._visible[scope] = tuple(record for owner in scope.visible() for record in self._owned.get(owner, ()))
        return self._visible[scope]

    def newest(self, case: Case, k: int) -> tuple[str, ...]:
        """Keys of the last `k` records before the moment of asking, newest first; of equal times the later one of the task."""
        dated = [
            (moment, place, record.key)
            for place, record in enumerate(self.visible(case.scope))
            if (moment := _moment(record)) is not None and (case.at is None or moment <= case.at)
        ]
        return tuple(key for _, _, key in sorted(dated, reverse=True)[:k])

    def record(self, key: str, scope: Scope) -> Record | None:
        """The narrowest visible record of that key."""
        owners = scope.visible()
        return next((found for owner in reversed(owners) if (found := self.by_id.get(record_id(owner, key))) is not None), None)

    def checked(self, cases: Sequence[Case], task: str) -> None:
        """Every gold key is a record that its case may see; otherwise `InvalidInput` says how many are not, and which."""
        absent: dict[str, None] = {}
        looked: set[tuple[int, Scope]] = set()  # labelled tasks share one gold mapping among the cases of a label
        for case in cases:
            if (id(case.gold), case.scope) not in looked:
                looked.add((id(case.gold), case.scope))
                absent |= {f"{key} (case {case.id})": None for key in case.gold if self.record(key, case.scope) is None}
        if absent:
            shown = ", ".join(list(absent)[:5]) + (", …" if len(absent) > 5 else "")
            raise InvalidInput(f"Task {task!r}: {len(absent)} gold keys are not among the records that their cases may see: {shown}.")


def cache_folder() -> Path:
    """Where filled bowers and answers of models are kept: `eval` below $BOWERBIRD_CACHE, else below ~/.cache/bowerbird."""
    base = os.environ.get("BOWERBIRD_CACHE")
    return (Path(base) if base else Path.home() / ".cache" / "bowerbird") / "eval"


def prepared(
    task: Task,
    corpus: Corpus,
    encoder: Encoder | None,
    llm: LLM | None,
    open_bench: OpenBench,
    cache: Path,
    progress: Progress | None = None,
) -> Bench:
    """A bower that holds exactly `corpus`, encoded. Kept in `cache` under the hash of the records and the encoder's id.

    A kept one is used when it says that it was finished and its index agrees with its catalog; otherwise it is filled
    (again) and marked as finished at the end. A kill in between costs what was not yet indexed.
    """
    name = hashlib.sha256(f"{corpus.sha256}\x00{encoder.id if encoder else None}".encode()).hexdigest()[:16]
    folder = cache / "bowers" / f"{re.sub(r'[^A-Za-z0-9]+', '_', task.name)}-{name}"
    about = {"task": task.name, "records": len(corpus.records), "records_sha256": corpus.sha256, "encoder": encoder.id if encoder else None}
    mark = folder / "filled.json"
    if mark.exists() and json.loads(mark.read_text("utf-8")) == about:
        bench = open_bench(folder, encoder, llm)
        if bench.verify()[0].clean:
            return bench
        bench.close()
        mark.unlink()
    bench = open_bench(folder, encoder, llm)
    try:
        total = len(corpus.records)
        kept = bench.load(corpus.records, progress=(lambda what, done, of: progress(what, done, total)) if progress else None)
        if kept != total or not bench.verify()[0].clean:
            raise BowerbirdError(
                f"The bower of task {task.name!r} in {folder} holds {kept} of {total} records after it was filled: delete it."
            )
        bench.optimize()
        mark.write_text(json.dumps(about), "utf-8")
    except BaseException:
        bench.close()
        raise
    return bench


def _moment(record: Record) -> float | None:
    """When it was made, as its fields or its validity say."""
    given = record.fields.get("time")
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return float(given)
    return record.valid_from or None
