"""Routers on logged scores: kNN, matrix factorisation and logistic beside a one-feature (length) router and chance, on one split.

    python benchmarks/routers.py [--only routellm_mmlu]

Fitted on each dataset's train half (a tenth of it, drawn by the hash of the query, calibrates), judged on its test half less the questions
that are in both; no model is asked. APGR, CPT and CostAt are RouteLLM's measures of the strong and the weak model over all thresholds,
with bootstrap intervals over questions; "over length" and "over chance" (0.5) are paired differences of the APGR. They are of predictions
as they come, so that nobody gains by a baseline that abstains. Of several cheaper models the weak one is the cheapest; "all pairs" is the
mean APGR of the strong model beside each of them.
The rest is of the router as it serves: "first choice" takes the best of all models whatever it costs, "over strong" is its paired
difference from the model that is best on the train half. "kept" and "spent" are what the price that was calibrated for 95 % of the
strong model's score keeps of that score on the test half, and what it costs of always taking the strong one: all models are chosen
among, and the price has seen no test question. * is the family that the trainer takes by itself; "one model" always takes the cheapest
that keeps 95 % on the train half.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from corpora import vectors
from report import Report, data
from scale import Known

from bowerbird.components.router import Router
from bowerbird.encoders.choose import choose
from bowerbird.errors import BowerbirdError
from bowerbird.evals.compare import Interval, compare_sets, interval_of_set
from bowerbird.evals.measure import Result, get
from bowerbird.evals.metrics.routing import Questions, pair
from bowerbird.evals.task import Case
from bowerbird.evals.task import get as task_of
from bowerbird.learn.groups import Group, part, query_hash
from bowerbird.learn.teach import taught
from bowerbird.learn.trainer import Setting
from bowerbird.learn.trainers.router import RouterTrainer

ROUTELLM = ("routellm_mmlu", "routellm_gsm8k", "routellm_mtbench")
DATA = {"routellm": ROUTELLM, **{name: (name,) for name in (*ROUTELLM, "routerbench", "routerdc")}}
"""What is told -> its tasks: RouteLLM as a whole has one router for all of its questions."""
UNIT = {"routellm_mtbench": 0.1}
"""What a score of 1 is worth where a judge gives marks of 1 to 10."""
FAMILIES = ("knn", "mf", "logistic", "length")
MEASURES = ("APGR", "CPT@50", "CPT@80", "CostAt@95")
OWN = ("over length", "over chance", "all pairs", "over length there", "first choice", "over strong", "kept", "spent")
DRAWS = 500


def shown(found: Interval, signed: bool = False) -> str:
    return (
        f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]" if signed else f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=DATA, action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "bowerbird-bench" / "routers", help="of vectors")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    real = choose("auto")
    assert real is not None
    report = Report("Routers", ["data", "router", "n", *MEASURES, *OWN], given.out, ["scikit-learn", "torch"])
    for name in given.only or DATA:
        one(name, real, given.cache, given.seed, report)
    report.close()


def one(name: str, real: object, cache: Path, seed: int, report: Report) -> None:
    """The rows of one dataset."""
    groups, cases, every = gathered(DATA[name])
    known = Known(real, [text for texts in every for text in texts], np.concatenate([vectors(texts, real, cache) for texts in every]))
    setting = Setting(None, known, seed=seed)  # type: ignore[arg-type]
    sides = {dev: [group for group in groups if (part(group.query, seed) == "dev") is dev] for dev in (False, True)}
    strong, weak = pair(cases)
    asked, words = setting.encoder.encode([case.query for case in cases]), [len(case.query.split()) for case in cases]  # type: ignore[union-attr]

    def measured(measure: str, wishes: np.ndarray) -> str:
        results = [Result(case.id, (), "", score=float(wish)) for case, wish in zip(cases, wishes, strict=True)]
        try:
            return shown(interval_of_set(get(measure).of_places(cases, results), len(cases), seed, DRAWS))
        except BowerbirdError:  # no costs, or too many draws that never get there
            return ""

    fitted: dict[str, Router] = {}
    predicted: dict[str, np.ndarray] = {}
    fit = RouterTrainer().fit(sides[False], sides[True], setting)
    for family in FAMILIES:
        router: Router = RouterTrainer().fit(sides[False], sides[True], replace(setting, options={"family": family})).component  # type: ignore[assignment]
        fitted[family] = router
        predicted[family] = replace(router, trust=1.0, reach=-1.0).qualities(asked, words)[0].astype(np.float64)
    models = fitted["knn"].models
    scores = np.array([[case.facts["scores"][model] for model in models] for case in cases])
    costs = np.array([[case.facts["costs"].get(model, 0.0) for model in models] for case in cases])
    best = models.index(fitted["knn"].strong)  # on the train half
    singles = {"always strong": models.index(strong), "always weak": models.index(weak)}
    if costs.any():
        taught_scores, wanted = means(groups, models), 0.95 * means(groups, models)[best]
        singles["one model"] = min(np.flatnonzero(taught_scores >= wanted), key=lambda place: costs[:, place].mean())
    chance = np.zeros_like(scores)
    top, last = models.index(strong), models.index(weak)
    cheaper = [place for place in range(len(models)) if costs[:, place].mean() < costs[:, top].mean()]

    def area(made: np.ndarray, others: Sequence[int]) -> Callable[[np.ndarray], float]:
        """The mean APGR of the strong model's pairs with those others, over any draw of the questions."""
        pairs = [
            (Questions(scores[:, top], scores[:, other], costs[:, top], costs[:, other]), made[:, top] - made[:, other]) for other in others
        ]
        return lambda places: float(np.mean([of.drawn(places).curve(wish[places]).area for of, wish in pairs]))

    def over(made: np.ndarray, than: np.ndarray, others: Sequence[int]) -> str:
        return shown(compare_sets(area(than, others), area(made, others), len(cases), seed, DRAWS), True)

    for label, place in singles.items():
        mean = interval_of_set(lambda places, of=scores[:, place]: float(of[places].mean()), len(cases), seed, DRAWS)
        share = [f"{of[:, place].mean() / of[:, best].mean():.3f}" for of in (scores, costs) if of.any()]
        report.add(name, f"{label}: {models[place]}", len(cases), *[""] * 8, shown(mean), "", *(share if len(share) == 2 else ["", ""]))
    for label, made in predicted.items():
        row = [measured(measure, made[:, top] - made[:, last]) for measure in MEASURES]
        than = None if label == "length" else predicted["length"]
        row += ["" if than is None else over(made, than, [last]), over(made, chance, [last])]
        if len(cheaper) > 1:
            row += [shown(interval_of_set(area(made, cheaper), len(cases), seed, DRAWS)), "" if than is None else over(made, than, cheaper)]
        else:
            row += ["", ""]
        called = f"{label} *" if label == fit.about["family"] else label
        report.add(name, called, len(cases), *row, *chosen(fitted[label], asked, words, scores, costs, best, seed))


def gathered(names: Sequence[str]) -> tuple[list[Group], list[Case], list[list[str]]]:
    """Groups of the train halves, cases of the test halves that are in no train half, and all questions of each task."""
    groups: list[Group] = []
    cases: list[Case] = []
    every: list[list[str]] = []
    for name in names:
        task, unit = task_of(name), UNIT.get(name, 1.0)
        found = task.data(data())
        every.append(sorted({case.query for case in task.cases(found, "all")}))
        for group in taught(task, data()):
            groups.append(replace(group, candidates=tuple(replace(c, raw=c.raw * unit) for c in group.candidates if c.raw is not None)))
        for case in task.cases(found, "test"):
            scores = {model: score * unit for model, score in case.facts["scores"].items()}
            cases.append(replace(case, id=f"{name} {case.id}", facts={**case.facts, "scores": scores}))
    seen = {group.id for group in groups}
    return groups, [case for case in cases if query_hash(case.query) not in seen], every


def means(groups: Sequence[Group], models: Sequence[str]) -> np.ndarray:
    """(models,) mean scores."""
    by_group = [{candidate.key: candidate.raw for candidate in group.candidates} for group in groups]
    return np.array([np.mean([of[model] for of in by_group]) for model in models])


def chosen(router: Router, asked: np.ndarray, words: list[int], scores: np.ndarray, costs: np.ndarray, best: int, seed: int) -> list[str]:
    """Score of the first choice, the same over the best single model, and what the calibrated price keeps and spends."""
    made, abstains = router.qualities(asked, words)
    rows = np.arange(len(made))
    first = scores[rows, router.worth(made).argmax(axis=1)]
    found = [
        shown(interval_of_set(lambda places: float(first[places].mean()), len(rows), seed, DRAWS)),
        shown(interval_of_set(lambda places: float((first - scores[:, best])[places].mean()), len(rows), seed, DRAWS), True),
    ]
    if abstains.all():
        found[0] += " (abstains)"
    if not costs.any():
        return [*found, "", ""]
    picked = router.worth(made, router.price_of(0.95)).argmax(axis=1)
    for of in (scores, costs):
        mine, whole = of[rows, picked], of[:, best]

        def ratio(places: np.ndarray, mine: np.ndarray = mine, whole: np.ndarray = whole) -> float:
            return float(mine[places].sum() / whole[places].sum())

        found.append(shown(interval_of_set(ratio, len(rows), seed, DRAWS)))
    return found


if __name__ == "__main__":
    main()
