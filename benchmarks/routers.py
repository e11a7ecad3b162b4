"""Routers on logged scores: kNN, matrix factorisation and logistic beside a one-feature (length) router and chance, on one split.

    python benchmarks/routers.py [--only routellm_mmlu]

Fitted on each dataset's train half, judged on its test half, no model is asked. APGR and CPT are RouteLLM's measures with bootstrap
intervals over questions; "over length" is the paired difference of the area, question by question, with its interval and test.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from report import Report, data

from bowerbird.components.router import Router
from bowerbird.encoders.choose import choose
from bowerbird.errors import BowerbirdError
from bowerbird.evals.compare import compare, interval_of_set
from bowerbird.evals.measure import Result, get
from bowerbird.evals.metrics.routing import pair
from bowerbird.evals.task import Case
from bowerbird.evals.task import get as task_of
from bowerbird.learn.groups import part
from bowerbird.learn.teach import taught
from bowerbird.learn.trainer import Setting
from bowerbird.learn.trainers.router import RouterTrainer

TASKS = ("routellm_mmlu", "routellm_gsm8k", "routellm_mtbench", "routerbench", "routerdc")
FAMILIES = ("knn", "mf", "logistic", "length")
MEASURES = ("APGR", "CPT@50", "CPT@80", "CostAt@95")


def measured(name: str, cases: Sequence[Case], wishes: Sequence[float], seed: int) -> str:
    """A measure of a router with its 95 % interval, or why there is none."""
    results = [Result(case.id, (), "", score=float(wish)) for case, wish in zip(cases, wishes, strict=True)]
    try:
        whole: Callable[[np.ndarray], float] = get(name).whole(cases, results, None)  # type: ignore[misc, arg-type]
        found = interval_of_set(whole, len(cases), seed, resamples=300)
    except BowerbirdError:
        return ""
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=TASKS, action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    encoder = choose("auto")
    assert encoder is not None
    report = Report(
        "Routers", ["data", "router", "questions", *MEASURES, "over length", "over chance"], given.out, ["scikit-learn", "torch"]
    )
    for name in given.only or TASKS:
        task = task_of(name)
        cases = list(task.cases(task.data(data()), "test"))
        strong, weak = pair(cases)
        groups = taught(task, data())
        held = {case.id: case for case in cases}
        test = [group for group in taught(task, data(), split="test") if group.about["case"] in held]
        train = [group for group in groups if part(group.query, given.seed) != "dev"]
        dev = [group for group in groups if part(group.query, given.seed) == "dev"]
        setting = Setting(None, encoder, seed=given.seed)  # type: ignore[arg-type]
        vectors = encoder.encode([case.query for case in cases])
        words = [len(case.query.split()) for case in cases]
        areas, rows = {}, {}
        for family in FAMILIES:
            router: Router = RouterTrainer().fit(train, dev, Setting(None, encoder, seed=given.seed, options={"family": family})).component  # type: ignore[arg-type, assignment]
            made, _ = router.qualities(vectors, words)
            wishes = made[:, router.models.index(strong)] - made[:, router.models.index(weak)]
            areas[family] = RouterTrainer().scores(test, router, setting)["model"]
            rows[family] = [measured(measure, cases, wishes, given.seed) for measure in MEASURES]
        chance = RouterTrainer().scores(test, None, setting)["model"]
        for family in FAMILIES:
            against = []
            for other in (areas["length"], chance):
                shared = areas[family].keys() & other.keys()
                found = compare({id: other[id] for id in shared}, {id: areas[family][id] for id in shared}, given.seed)
                against.append(f"{found.difference.value:+.4f} [{found.difference.low:+.4f}, {found.difference.high:+.4f}] p {found.p:.2g}")
            report.add(name, family, len(cases), *rows[family], *against)
    report.close()


if __name__ == "__main__":
    main()
