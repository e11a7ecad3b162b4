"""A gate on a mixture: questions that need evidence, small talk, and questions that need none; beside always, never and the rule.

    python benchmarks/gates.py
    python benchmarks/gates.py --llm local

HotpotQA questions (evidence is worth 1 where a gold paragraph is among the first 10 hits, the model alone 0), CLINC150's small talk and its
intents that no document answers, and GSM8K problems (1 either way). Retrieving costs 0.1. `query`: split by the hash of the query.
`intent`: besides, every second intent of CLINC150 is for testing alone, so that what is judged are wordings of intents never seen; GSM8K
problems are then for testing alone too. Where a question comes from says whether it needs evidence, so this is an easy mixture: it
says that the gate works, not how it fares on one's own traffic. With --llm the worth of questions and problems is measured, not given:
the probability that the model gives the right answer (of a token, the geometric mean), with the first hit in front and without, at a
cost of 0.02.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from report import Report, data

from bowerbird.components.gate import NeedGate
from bowerbird.encoders.choose import choose
from bowerbird.engine import Engine
from bowerbird.evals.bench import Corpus, cache_folder, prepared
from bowerbird.evals.cache import CallCache, cached
from bowerbird.evals.compare import compare, interval
from bowerbird.evals.task import get
from bowerbird.learn.groups import Candidate, Group, part
from bowerbird.learn.rewards.likelihood import Likelihood
from bowerbird.learn.trainer import Setting
from bowerbird.learn.trainers.gate import GateTrainer, worth
from bowerbird.llms.choose import choose as choose_llm
from bowerbird.ports import LLM, Encoder
from bowerbird.stages.gate.small_talk import SmallTalk
from bowerbird.types import Scope, Turn

COST, COST_MEASURED = 0.1, 0.02
TALK = ("greeting", "goodbye", "thank you", "how old are you", "what is your name", "tell joke", "are you a bot", "yes", "no")
ALONE = ("calculator", "time", "date", "roll dice", "flip coin", "translate", "spelling", "measurement conversion")
PROBLEMS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--llm", help="such as local")
    parser.add_argument("--questions", type=int, help="of HotpotQA at most; a pass with --llm takes about a second")
    parser.add_argument("--problems", type=int, default=PROBLEMS, help="of GSM8K")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    encoder = choose("auto")
    assert encoder is not None
    columns = ["split", "system", "queries", "value", "regret", "over always", "over never", "over the rule", "retrieves"]
    report = Report("Gate", columns, given.out, ["scikit-learn"])
    cost = COST_MEASURED if given.llm else COST
    groups, unseen = mixture(encoder, choose_llm(given.llm) if given.llm else None, given.questions, given.problems)
    for split in ("query", "intent"):
        sides = {side: [group for group in groups if part(group.query, given.seed) == side] for side in ("train", "dev", "test")}
        if split == "intent":
            sides = {
                **{side: [group for group in sides[side] if group.about["from"] not in unseen] for side in ("train", "dev")},
                "test": [g for g in groups if g.about["from"] in unseen or (g.source == "evidence" and g in sides["test"])],
            }
        judged(split, sides["train"], sides["dev"], sides["test"], Setting(None, encoder, seed=given.seed, options={"cost": cost}), report)  # type: ignore[arg-type]
    report.close()


def mixture(encoder: Encoder, llm: LLM | None, questions: int | None, problems: int) -> tuple[list[Group], set[str]]:
    """Groups with the reward of retrieval and of going without, and the names of what is for testing alone."""

    def opened(path: Path, made: Encoder | None, llm: LLM | None) -> Engine:
        return Engine(path, encoder=made, llm=None)

    groups: list[Group] = []
    hotpot = get("hotpotqa")
    found = hotpot.data(data())
    corpus = Corpus(hotpot.records(found))
    bird = prepared(hotpot, corpus, encoder, None, opened, cache_folder())
    try:
        cases = [case for split in hotpot.splits for case in hotpot.cases(found, split)][:questions]
        gsm = get("gsm8k")
        sums = list(gsm.cases(gsm.data(data()), "test"))[:problems]
        asked = [Turn(case.query, cases[0].scope) for case in (*cases, *sums)]
        turns = bird.run(asked, "rrf(bm25(k=20), dense(k=20), top=10)", records=True)
    finally:
        bird.close()
    shown = [turn.hits[0].record.text if turn.hits and turn.hits[0].record else "" for turn in turns]
    for case, turn, text in zip(cases, turns, shown, strict=False):
        hit = any(corpus.by_id[one.id].key in case.gold for one in turn.hits)
        groups.append(_group(case.query, "evidence", "hotpotqa", float(hit), 0.0, text, case.answers))
    for case, text in zip(sums, shown[len(cases) :], strict=True):
        groups.append(_group(case.query, "alone", "gsm8k", 1.0, 1.0, text, case.answers))
    if llm is not None:
        with closing(CallCache(cache_folder() / "calls.sqlite")) as calls:
            groups = [_probable(group) for group in Likelihood().score(groups, cached(llm, calls, together=256))]
    clinc = get("clinc150")
    for case in clinc.cases(clinc.data(data()), "test"):
        for source, wanted in (("talk", TALK), ("alone", ALONE)):
            if case.category in wanted:
                groups.append(_group(case.query, source, case.category, 1.0, 1.0))
    return list({group.id: group for group in groups}.values()), {*TALK[1::2], *ALONE[1::2], "gsm8k"}


def judged(split: str, train: Sequence[Group], dev: Sequence[Group], test: Sequence[Group], setting: Setting, report: Report) -> None:
    """The rows of one split."""
    assert setting.encoder is not None
    gate = GateTrainer().fit(train, dev, setting).component
    assert isinstance(gate, NeedGate)
    chances = gate.chances(setting.encoder.encode([group.query for group in test]), [group.query for group in test])[:, 0]
    ruled = [decision.retrieve for decision in SmallTalk().decide([Turn(group.query, Scope("eval")) for group in test])]
    systems = {
        "always": [True] * len(test),
        "never": [False] * len(test),
        "small_talk": ruled,
        "learned_gate": list(chances >= gate.thresholds[0]),
    }
    cost = float(setting.options["cost"])
    values = {name: _values(test, of, cost) for name, of in systems.items()}
    best = _values(test, [with_it - cost > without for with_it, without in map(worth, test)], cost)
    for name, of in values.items():
        mean = interval(of, setting.seed)
        regret = interval({id: best[id] - of[id] for id in of}, setting.seed)
        over = []
        for other in ("always", "never", "small_talk"):
            difference = compare(values[other], of, setting.seed).difference
            over.append("" if other == name else f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]")
        shown = [f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in (mean, regret)]
        report.add(split, name, len(test), *shown, *over, f"{np.mean(systems[name]):.0%}")
    counts = ", ".join(f"{s} {sum(group.source == s for group in test)}" for s in ("evidence", "talk", "alone"))
    report.add(split, f"(tested on {counts}; trained on {len(train)}, at {gate.thresholds[0]:.2f})", len(test), "", "", "", "", "", "")


def _group(query: str, source: str, origin: str, with_it: float, without: float, text: str = "", answers: tuple[str, ...] = ()) -> Group:
    candidates = (Candidate("found", text, raw=with_it, shown=0),)
    return Group(query, "passage", source, candidates, answers[:1], nothing=without, about={"from": origin})


def _probable(group: Group) -> Group:
    """Nats a token as probabilities."""
    (found,) = group.candidates
    return replace(group, candidates=(replace(found, raw=math.exp(found.raw or 0.0)),), nothing=math.exp(group.nothing or 0.0))


def _values(groups: Sequence[Group], retrieves: Sequence[bool], cost: float) -> dict[str, float]:
    found = {}
    for group, yes in zip(groups, retrieves, strict=True):
        with_it, without = worth(group)
        found[group.id] = with_it - cost if yes else without
    return found


if __name__ == "__main__":
    main()
