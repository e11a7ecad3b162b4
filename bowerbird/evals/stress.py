"""Stress: what breaks your own pipeline. Made-up facts are put into a bower under growing adversity, and asked for.

Each test yields rows (condition, measure, value, interval, n) that the report draws. What needs no language model runs without
one; what needs one is left out with the reason. It drives anything that can add records and run turns (`Subject`) and knows no
engine. It measures a pipeline on plain English facts of one sentence: where it fails here it fails elsewhere; the reverse
does not follow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from bowerbird import spec as specs
from bowerbird.errors import InvalidInput, NotFound, UnknownName
from bowerbird.evals.hardships import TESTS
from bowerbird.evals.probes import probes
from bowerbird.evals.trial import Example, Row, Subject, Trial, ways_of
from bowerbird.types import Record

__all__ = ["TESTS", "Example", "Row", "Stress", "Subject", "stress"]


@dataclass(frozen=True, slots=True)
class Stress:
    """What came out. `left`: what was not run and why, in words."""

    spec: str
    llm: str | None
    seed: int
    questions: int
    seconds: float
    rows: tuple[Row, ...]
    left: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    started: float = 0.0

    @property
    def broken(self) -> tuple[Row, ...]:
        """Rows that owe a value and have another."""
        return tuple(row for row in self.rows if row.broken)

    def save(self, folder: Path) -> Path:
        """Write `stress.json` into `folder`; its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "stress.json"
        fresh = path.with_suffix(".part")
        fresh.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1, allow_nan=False), "utf-8")
        fresh.replace(path)
        return path

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """What `save` wrote. Raises `NotFound` where there is nothing, `InvalidInput` where it is damaged."""
        path = Path(folder) / "stress.json"
        try:
            held = json.loads(path.read_text("utf-8"))
            if set(held) - {one.name for one in fields(cls)}:
                raise InvalidInput(f"{path} holds what this version does not know.")
            held["rows"] = tuple(Row(**row) for row in held["rows"])
            held["examples"] = tuple(Example(**row) for row in held.get("examples", ()))
            held["left"] = tuple(held.get("left", ()))
            return cls(**held)
        except FileNotFoundError as error:
            raise NotFound(f"{folder} holds no stress.json.") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidInput(f"{path} is damaged: {error}.") from error


def stress(
    bench: Subject,
    spec: str,
    *,
    tests: Sequence[str] = (),
    questions: int = 20,
    seed: int = 0,
    seconds: float = 120.0,
    background: Sequence[Record] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Stress:
    """Run `tests` (empty = all of `TESTS`) on `spec`.

    `questions` a condition. `seconds` is what the growing store may take. `background`: passages of your own that serve as
    the easy distractors before made-up ones do. Records go to scopes below "stress" of the bench, which must not exist yet.
    """
    for name in tests:
        if name not in TESTS:
            raise UnknownName("stress test", name, TESTS)
    if isinstance(questions, bool) or questions < 2:
        raise InvalidInput(f"questions={questions!r} must be a whole number of at least 2.")
    ways, started = ways_of(specs.parse(spec), bench.llm), time.time()
    trials = []
    wanted = tests or tuple(TESTS)
    for number, name in enumerate(wanted):
        if progress is not None:
            progress(name, number, len(wanted))
        trials.append(Trial(name, bench, ways, probes(questions, seed), seed, seconds, background))
        TESTS[name][1](trials[-1])
    return Stress(
        spec=spec,
        llm=None if bench.llm is None else bench.llm.name,
        seed=seed,
        questions=questions,
        seconds=time.time() - started,
        rows=tuple(row for trial in trials for row in trial.rows),
        left=tuple(dict.fromkeys(left for trial in trials for left in trial.left)),
        examples=tuple(example for trial in trials for example in trial.examples),
        started=started,
    )
