"""Takes a source in: unchanged units cost a stamp, changed ones update, removed ones remove. Knows nothing of the index."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bowerbird.catalog import Catalog, Settled
from bowerbird.errors import InvalidInput, MissingExtra
from bowerbird.ingest.source import Failure, Source, Unit
from bowerbird.kinds import checked
from bowerbird.types import Record, Scope, replace

__all__ = ["Report", "take_in"]

_BATCH = 256
_MOST_FAILURES = 1000  # listed one by one; the rest is counted


@dataclass(frozen=True, slots=True)
class Report:
    """What an `add` did, in records; `units` and `skipped` count files or tables. `failed` lists the first 1,000 failures,
    `failures` counts them all. `note` says when the records are kept but not searchable yet."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    units: int = 0
    skipped: int = 0
    failures: int = 0
    failed: tuple[Failure, ...] = ()
    note: str = ""

    @property
    def kept(self) -> int:
        """Records that this source now holds, as far as they were looked at."""
        return self.added + self.updated + self.unchanged


def take_in(
    source: Source, scope: Scope, catalog: Catalog, after_batch: Callable[[], None], progress: Callable[[str, int, int], None] | None = None
) -> Report:
    """Bring the catalog in step with `source`. `after_batch` is called after each batch of records is on disk."""
    return _Intake(source.id, scope, catalog, after_batch, progress).run(source)


@dataclass(slots=True)
class _Read:
    """A unit that was read to its end; it is settled once all its records are on disk."""

    unit: Unit
    produced: set[int]
    broken: bool


class _Intake:
    """One run over one source. Records of many small units share a transaction; a unit is settled after its last record."""

    def __init__(
        self,
        source: str,
        scope: Scope,
        catalog: Catalog,
        after_batch: Callable[[], None],
        progress: Callable[[str, int, int], None] | None,
    ) -> None:
        self.source, self.scope, self.catalog, self.after_batch, self.progress = source, scope, catalog, after_batch, progress
        self.counts = dict.fromkeys(("added", "updated", "unchanged", "removed", "units", "skipped", "failures"), 0)
        self.failed: list[Failure] = []
        self.waiting: list[tuple[Record, _Read]] = []
        self.read: list[_Read] = []

    def run(self, source: Source) -> Report:
        known = self.catalog.units(self.scope, self.source) if self.source else {}
        listed: set[str] = set()
        unreadable: list[str] = []
        for unit in source.units():
            self.counts["units"] += 1
            listed.add(unit.name)
            if unit.stamp and known.get(unit.name) == unit.stamp:
                self.counts["skipped"] += 1
            elif not self._take(unit) and unit.name.endswith("/"):
                unreadable.append(unit.name)
        self._write()
        if self.source:
            gone = [name for name in known if name not in listed and not name.startswith(tuple(unreadable))]
            if gone:
                self.counts["removed"] += self.catalog.forget(self.scope, self.source, gone)
                self.after_batch()
        c = self.counts
        return Report(
            c["added"], c["updated"], c["unchanged"], c["removed"], c["units"], c["skipped"], c["failures"], failed=tuple(self.failed)
        )

    def _take(self, unit: Unit) -> bool:
        """Whether the unit was read to its end; if not, its old records stay."""
        read = _Read(unit, set(), False)
        try:
            for item in unit.read():
                if isinstance(item, Failure):
                    self._fail(read, item.name, item.why)
                    continue
                try:
                    record = replace(checked(item, self.scope), source=self.source or None)
                except InvalidInput as error:
                    self._fail(read, f"{item.key!s:.80}", str(error))
                    continue
                read.produced.add(record.id)
                self.waiting.append((record, read))
                if len(self.waiting) >= _BATCH:
                    self._write()
        except (InvalidInput, MissingExtra, OSError) as error:
            self._fail(read, "", str(error))
            return False
        self.read.append(read)
        if len(self.read) >= _BATCH:
            self._write()
        return True

    def _write(self) -> None:
        """Put what waits on disk, then settle the units that are complete."""
        batch, self.waiting = self.waiting, []
        units = [read.unit.name if self.source else None for _, read in batch]
        for change, (_, read) in zip(self.catalog.add([record for record, _ in batch], units), batch, strict=True):
            if change.status == "failed":
                self._fail(read, change.key, change.why)
            else:
                self.counts[change.status] += 1
        complete, self.read = self.read, []
        if self.source and complete:
            # A unit with broken parts is read again next time, and what they may have held is not removed.
            settled = [Settled(read.unit.name, "" if read.broken else read.unit.stamp, read.produced, read.broken) for read in complete]
            self.counts["removed"] += self.catalog.settle(self.scope, self.source, settled)
        if batch or complete:
            self.after_batch()
        if self.progress:
            self.progress("reading", self.counts["added"] + self.counts["updated"] + self.counts["unchanged"], 0)

    def _fail(self, read: _Read, part: str, why: str) -> None:
        read.broken = True
        self.counts["failures"] += 1
        if len(self.failed) < _MOST_FAILURES:
            self.failed.append(Failure(": ".join(name for name in (read.unit.name, part) if name), why))
