"""From items to the summary of a run: measures with intervals, cost, latency, and what was left undecided. Knows no pipeline."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from bowerbird.evals.measure import Pool
from bowerbird.evals.results import Cost, Estimate, Item, Latency, Run
from bowerbird.evals.scoring import estimates
from bowerbird.evals.task import Case
from bowerbird.types import replace

__all__ = ["summed", "versions"]

_PACKAGES = ("bowerbird", "numpy", "qdrant-edge-py", "PyStemmer", "openvino", "torch", "transformers", "sentence-transformers")


def versions() -> dict[str, str]:
    """Of Python and of the packages that numbers hang on, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def summed(run: Run, cases: Sequence[Case], items: Mapping[str, Sequence[Item]], pool: Pool | None, left: Sequence[str] = ()) -> Run:
    """`run` with its numbers. A spec that found nothing in any case has none, nor has a measure without a value: `open` says why."""
    measures: dict[str, Mapping[str, Estimate]] = {}
    notes: list[str] = list(left)
    retrieves = any(item.hits for of_system in items.values() for item in of_system)
    for system, done in items.items():
        if not done:
            notes.append(f"{system}: not run on any case")
            continue
        if retrieves and system not in _QUIET and not any(item.hits for item in done):
            notes.append(f"{system}: found nothing in any of {len(done)} cases, so it has no number")
            continue
        names = run.settings["measures"]
        found, missing = estimates(names, cases[: len(done)], done, pool, run.seed)
        measures[system] = found
        notes += [f"{system}: {why}" for why in missing]
    return replace(
        run,
        complete=all(len(done) == len(cases) for done in items.values()),
        measures=measures,
        cost={system: _cost(done) for system, done in items.items() if done},
        latency={system: _latency(done) for system, done in items.items() if done},
        open=tuple(notes),
    )


_QUIET = ("none", "random", "oracle", "full", "recency")  # may well find nothing


def _cost(items: Sequence[Item]) -> Cost:
    return Cost(
        sum(item.tokens for item in items),
        sum(item.prompt_tokens for item in items),
        sum(item.completion_tokens for item in items),
        round(sum(item.dollars for item in items), 6),
    )


def _latency(items: Sequence[Item]) -> dict[str, Latency]:
    """By stage, and `total`; a stage that a case did not need took it no time."""
    stages = dict.fromkeys(stage for item in items for stage in item.stages)
    each = {stage: [item.stages.get(stage, 0.0) for item in items] for stage in stages} | {"total": [item.seconds for item in items]}
    return {stage: Latency(*(round(float(np.percentile(taken, part)), 6) for part in (50, 95))) for stage, taken in each.items()}
