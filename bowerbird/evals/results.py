"""A run on disk: `run.json` and one append-only file of items a system. What compares and reports reads these and recomputes nothing.

    runs/<task>-<split>-<hash8>/run.json            what was run, with what, and what came out
    runs/<task>-<split>-<hash8>/items/<system>.jsonl  one line a case, in case order

It knows nothing of tasks and pipelines.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from bowerbird.errors import InvalidInput, NotFound

__all__ = ["BASELINES", "CEILINGS", "Cost", "Estimate", "Item", "ItemLog", "Latency", "Run", "item_file", "read_items", "run_folder"]

BASELINES = ("none", "random", "recency", "length", "bm25", "dense", "oracle", "full")
CEILINGS = ("oracle",)
"""No competitors: they are told the answer."""
_SYNC_EVERY = 2.0  # seconds of work that the death of the machine may cost; the death of the process costs none


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure over `n` cases with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Tokens of context that were shown, tokens that the model read and wrote, and dollars; sums over the cases."""

    tokens: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds a case: median and 95th percentile."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Item:
    """What one system did with one case. `hits` are keys, best first; `tokens` those of the context; `context` may be shortened."""

    id: str
    category: str = ""
    query: str = ""
    gold: tuple[str, ...] = ()
    hits: tuple[str, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    tokens: int = 0
    seconds: float = 0.0
    answer: str = ""
    context: str = ""
    stages: Mapping[str, float] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)


_LINE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode  # `json.dumps` would make an encoder a line
_FIELDS = tuple(one.name for one in fields(Item))


@dataclass(frozen=True, slots=True)
class Run:
    """What `run.json` holds. `systems` maps names to specs or descriptions, baselines first; `open` says what was left undecided.

    `predicted`: what systems that stopped early would have come to on all cases. A guess, kept apart from `measures`: nothing
    compares it.
    """

    task: str
    kind: str
    split: str
    protocol: str
    systems: Mapping[str, str]
    limit: int | None
    seed: int
    budget_tokens: int
    encoder: str | None
    llm: str | None
    versions: Mapping[str, str]
    data_sha256: str
    started: float
    seconds: float = 0.0
    overhead_seconds: float = 0.0
    complete: bool = False
    dropped: tuple[str, ...] = ()
    measures: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    cost: Mapping[str, Cost] = field(default_factory=dict)
    latency: Mapping[str, Mapping[str, Latency]] = field(default_factory=dict)
    open: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    predicted: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)

    @property
    def guesses(self) -> list[str]:
        """What was predicted, a sentence each, that nobody can take for a measurement."""
        return [
            f"{system}: {name} would be about {guess.value:.3f} ({guess.low:.3f} to {guess.high:.3f}) over all {guess.n} cases, "
            f"of which {self.measures[system][name].n if name in self.measures.get(system, {}) else 0} were run"
            for system, rows in self.predicted.items()
            for name, guess in rows.items()
        ]

    def save(self, folder: Path) -> None:
        """Write `run.json`, whole or not at all. A number that is none (NaN, infinite) raises `InvalidInput`."""
        folder.mkdir(parents=True, exist_ok=True)
        for system, measures in self.measures.items():
            for name, estimate in measures.items():
                if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
                    raise InvalidInput(f"{name} of {system!r} came out as {estimate}: that is no result, and none is written.")
        fresh = folder / "run.json.part"
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file, ensure_ascii=False, indent=1, allow_nan=False)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / "run.json")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The run kept in `folder`. Raises `NotFound` where there is none, `InvalidInput` where it is damaged."""
        path = Path(folder) / "run.json"
        try:
            held = json.loads(path.read_text("utf-8"))
            known = {one.name for one in fields(cls)}
            if set(held) - known:
                raise InvalidInput(f"{path} holds {', '.join(sorted(set(held) - known))}, which this version does not know.")
            for name, of in (("measures", Estimate), ("latency", Latency), ("predicted", Estimate)):
                kept = held.get(name, {})  # runs of before there were predictions have none
                held[name] = {system: {key: of(**value) for key, value in rows.items()} for system, rows in kept.items()}
            held["cost"] = {system: Cost(**row) for system, row in held["cost"].items()}
            held["dropped"], held["open"] = tuple(held["dropped"]), tuple(held["open"])
            return cls(**held)
        except FileNotFoundError as error:
            raise NotFound(f"{folder} is no folder of an evaluation run: it has no run.json.") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidInput(f"{path} is damaged: {error}.") from error


def run_folder(out: Path, task: str, split: str, identity: Mapping[str, Any]) -> Path:
    """Where a run of that identity lies below `out`: the same question has the same folder, so that it can be resumed."""
    dumped = json.dumps(identity, sort_keys=True, ensure_ascii=False, default=str)
    return out / f"{_slug(task)}-{_slug(split)}-{hashlib.sha256(dumped.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def item_file(folder: Path, system: str) -> Path:
    """The items of a system: a baseline's bear its name, another's the slug of its spec and 8 digits of its hash."""
    name = system if system in BASELINES else f"{_slug(system)[:48]}-{hashlib.sha256(system.encode()).hexdigest()[:8]}"
    return folder / "items" / f"{name}.jsonl"


def read_items(path: Path) -> list[Item]:
    """The items in their order. A last line that a kill cut short is left away; any other damage raises `InvalidInput`."""
    return _read(path)[0]


def _read(path: Path) -> tuple[list[Item], int]:
    """The items, and the bytes of the file that hold them."""
    items: list[Item] = []
    if not path.exists():
        return items, 0
    good, lines = 0, path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            break  # the last one, cut short
        try:
            held = json.loads(line)
            items.append(Item(**{**held, "gold": tuple(held["gold"]), "hits": tuple(held["hits"])}))
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidInput(f"{path}, line {number} is no item of a run: {error}. Delete the file to run this system anew.") from error
        good += len(line)
    return items, good


class ItemLog:
    """The item file of one system, open for appending. `done` holds its items, an earlier run's too; a line cut short is cut off."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.done, good = _read(path)
        if path.exists() and path.stat().st_size != good:
            os.truncate(path, good)
        self._file: TextIO = path.open("a", encoding="utf-8", newline="\n")
        self._synced = time.monotonic()

    def append(self, items: Sequence[Item]) -> None:
        """Write items; they survive the death of the process at once, that of the machine after a few seconds."""
        for item in items:
            for name, value in item.measures.items():
                if not math.isfinite(value):
                    raise InvalidInput(f"{name} of case {item.id!r} is {value}: that is no result. Leave the measure out of the item.")
        rows = ({name: getattr(item, name) for name in _FIELDS} for item in items)
        self._file.writelines(_LINE(row) + "\n" for row in rows)
        self._file.flush()
        self.done.extend(items)
        if time.monotonic() - self._synced > _SYNC_EVERY:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def close(self) -> None:
        """Everything on disk."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", text).strip("_") or "x"
