"""A gate on a mixture: questions that need evidence, small talk, and questions that need none; beside always, never and the rule.

    python benchmarks/gates.py

HotpotQA questions (evidence is worth 1 where a gold paragraph is among the first 10 hits, the model alone 0), CLINC150's small talk and its
intents that no document answers, and GSM8K problems (1 either way). Retrieving costs 0.1. Split by the hash of the query; the gate is
trained on the train side. The classes are told apart by where they come from, so this is an easy mixture: it says that the
gate works, not how it fares on one's own traffic.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from report import Report, data

from bowerbird.encoders.choose import choose
from bowerbird.engine import Engine
from bowerbird.evals.bench import Corpus
from bowerbird.evals.compare import compare, interval
from bowerbird.evals.task import get
from bowerbird.learn.groups import Candidate, Group, part
from bowerbird.learn.trainer import Setting
from bowerbird.learn.trainers.gate import GateTrainer, worth
from bowerbird.types import Scope, Turn

COST = 0.1
TALK = ("greeting", "goodbye", "thank you", "how old are you", "what is your name", "tell joke", "are you a bot", "yes", "no")
ALONE = ("calculator", "time", "date", "roll dice", "flip coin", "translate", "spelling", "measurement conversion")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    encoder = choose("auto")
    assert encoder is not None
    report = Report(
        "Gate", ["system", "value", "95 %", "regret to the best of both", "over always", "retrieves"], given.out, ["scikit-learn"]
    )
    groups: list[Group] = []
    hotpot = get("hotpotqa")
    found = hotpot.data(data())
    with tempfile.TemporaryDirectory() as place, Engine(Path(place) / "b", encoder=encoder, llm=None) as bird:
        corpus = Corpus(hotpot.records(found))
        bird.load(corpus.records)
        cases = [case for split in hotpot.splits for case in hotpot.cases(found, split)]
        turns = bird.run([Turn(case.query, case.scope) for case in cases], "rrf(bm25(k=20), dense(k=20), top=10)")
        for case, turn in zip(cases, turns, strict=True):
            hit = any(corpus.by_id[one.id].key in case.gold for one in turn.hits)
            groups.append(_group(case.query, "evidence", float(hit), 0.0))
    clinc = get("clinc150")
    labels = {"talk": TALK, "alone": ALONE}
    for case in clinc.cases(clinc.data(data()), "test"):
        for source, wanted in labels.items():
            if case.category in wanted:
                groups.append(_group(case.query, source, 1.0, 1.0))
    gsm = get("gsm8k")
    groups += [_group(case.query, "alone", 1.0, 1.0) for case in list(gsm.cases(gsm.data(data()), "test"))[:200]]
    sides = {side: [g for g in groups if part(g.query, given.seed) == side] for side in ("train", "dev", "test")}
    setting = Setting(None, encoder, seed=given.seed, options={"cost": COST})  # type: ignore[arg-type]
    trainer = GateTrainer()
    gate = trainer.fit(sides["train"], sides["dev"], setting).component
    test = sides["test"]
    with tempfile.TemporaryDirectory() as place, Engine(Path(place) / "b", encoder=None, llm=None) as bird:
        ruled = [turn.retrieves for turn in bird.run([Turn(g.query, Scope("eval")) for g in test], "small_talk")]
    vectors = encoder.encode([g.query for g in test])
    learned = list(gate.chances(vectors, [g.query for g in test]) >= gate.threshold)  # type: ignore[attr-defined]
    systems = {"always": [True] * len(test), "never": [False] * len(test), "small_talk": ruled, "learned_gate": learned}
    values = {name: _values(test, of) for name, of in systems.items()}
    best = np.mean([max(with_it - COST, without) for with_it, without in map(worth, test)])
    for name, of in values.items():
        mean, pair = interval(of, given.seed), compare(values["always"], of, given.seed)
        over = (
            ""
            if name == "always"
            else f"{pair.difference.value:+.3f} [{pair.difference.low:+.3f}, {pair.difference.high:+.3f}] p {pair.p:.2g}"
        )
        report.add(name, mean.value, f"{mean.low:.3f} to {mean.high:.3f}", float(best) - mean.value, over, f"{np.mean(systems[name]):.0%}")
    report.add(
        "queries", len(test), ", ".join(f"{s} {sum(g.source == s for g in test)}" for s in ("evidence", "talk", "alone")), 0.0, "", ""
    )
    report.close()


def _group(query: str, source: str, with_it: float, without: float) -> Group:
    return Group(query, "passage", source, (Candidate("found", "", raw=with_it, shown=0),), nothing=without)


def _values(groups: list[Group], retrieves: list[bool]) -> dict[str, float]:
    found = {}
    for group, yes in zip(groups, retrieves, strict=True):
        with_it, without = worth(group)
        found[group.id] = with_it - COST if yes else without
    return found


if __name__ == "__main__":
    main()
