"""One encoder for all kinds, and a query adapter, beside the plain encoder, BM25 and their fusion: the headline table of learning.

    python benchmarks/headline.py --out docs/learned.md        # or: make learn
    python benchmarks/headline.py --small

For each task: training groups from its training split (or its pool of labelled records), hard negatives from the plain encoder's own
hits, one encoder trained on all of them together, one a kind as specialists, with that kind's share of its steps (`--specialists`), and one
without each part, all in a third of the steps and judged on the tasks that are quickest to encode (`--ablations`).
With `--rewards GROUPS` the local language model scores candidates of so many groups, and those are trained from its rewards;
`--rankers` puts a feature ranker behind the fusion, one a task, as its own ledger would train it and only where it would be
published; `--llm CASES` lets the model classify so many cases a task behind eight retrieved examples. Every system then ranks the same
test cases through `bowerbird eval`'s own runner; no test case is seen in training. Numbers are
nDCG@10 (nDCG@5 for tools, accuracy of the vote of 8 for examples), the mean over kinds counts each kind the same, and
intervals are paired bootstraps over cases. Killed and started again it goes on: runs are folders, a fitted encoder is kept.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pictures
from report import Report
from shop import FUSED, Shop, bench_of, fitted, judged, opened, scores
from tables import Line, Scores, numbers, table_of, task_rows

from bowerbird.evals.bench import cache_folder
from bowerbird.evals.cache import CallCache, cached
from bowerbird.evals.task import get
from bowerbird.kinds import kind
from bowerbird.learn.batches import planned
from bowerbird.learn.groups import Candidate, Group, read, write
from bowerbird.learn.mine import mine
from bowerbird.learn.publish import data_hash, sides, verdict
from bowerbird.learn.rewards.likelihood import Likelihood
from bowerbird.learn.rewards.smooth import smooth
from bowerbird.learn.teach import taught
from bowerbird.learn.trainer import Only, Setting, TooLittle, trainer_of
from bowerbird.learn.trainers.encoder import Options as EncoderOptions
from bowerbird.ports import LLM, Encoder

RANKED = "dbsf(bm25(k=20), dense(k=20)) >> feature_ranker >> neighbours"
SCORED = ("banking77", "trec", "sst2", "nq", "hotpotqa", "xquad_en")  # tasks with answers that a model can find likely
CANDIDATES = 8  # of a group that are scored: two that help at most, the rest others


LINES = (
    Line("nq", "passage", 1600, 500, "nDCG@10"),
    Line("hotpotqa", "passage", None, None, "nDCG@10"),
    Line("xquad_en", "passage", None, 300, "nDCG@10"),
    Line("inscit", "passage", None, None, "nDCG@10"),
    Line("scifact", "passage", None, None, "nDCG@10"),
    Line("locomo", "memory", None, None, "Recall@10"),
    Line("realtalk", "memory", None, None, "Recall@10"),
    Line("metatool", "tool", 5000, 600, "nDCG@5"),
    Line("stabletoolbench", "tool", None, None, "nDCG@5"),
    Line("apibench", "tool", None, None, "nDCG@5"),
    Line("bfcl_tools", "tool", None, None, "nDCG@5"),
    Line("banking77", "example", 2500, 500, "accuracy", "knn"),
    Line("trec", "example", 2000, None, "accuracy", "knn"),
    Line("sst2", "example", 1500, 400, "accuracy", "knn"),
)
SMALL = tuple(
    replace(line, train=200, test=60) for line in LINES if line.task in ("xquad_en", "inscit", "locomo", "metatool", "bfcl_tools", "trec")
)
ALSO = (Line("locomo", "memory", None, None, "Recall@5"), Line("realtalk", "memory", None, None, "Recall@5"))
"""Further measures of the same runs, shown and in no mean."""
CHOSEN = tuple(
    Line(task, "example", None, None, "accuracy", "classify") for task in ("trec", "sst2", "banking77", "clinc150", "snips", "ag_news")
)
"""What the language model classifies behind eight examples: every classification set. Three of them are in no training."""
LEFT_OUT = dict.fromkeys(("random", "recency", "bm25", "oracle", "full"), 0)
"""Baselines of classification that would take the model's time and are not told here."""
ABLATED = ("xquad_en", "inscit", "locomo", "metatool", "bfcl_tools", "banking77", "trec")
"""The tasks that judge what each part of training is worth: some of every kind, whose records are quick to encode."""


def lessons(shop: Shop, lines: Sequence[Line]) -> list[Group]:
    """Groups of all tasks with hard negatives from the plain encoder's hits; made once."""
    path = shop.folder / "groups.jsonl"
    if path.exists():
        return list(read(path))
    groups: list[Group] = []
    for line in lines:
        task = get(line.task)
        made = taught(task, shop.data, line.train, shop.seed)
        with closing(bench_of(shop, line, shop.plain)) as bench:
            groups += mine(bench, made, "dense(k=30)", n=7, seed=shop.seed)
        shop.said(f"{line.task}: {len(made)} groups")
    write(path, groups)
    return groups


def rewarded(shop: Shop, groups: Sequence[Group], llm: LLM, count: int) -> list[Group]:
    """The groups, `count` of them with rewards of the language model (LLM-Embedder, section 3.1): evenly from the tasks that have answers.
    Groups in which candidates hardly differ keep their labels alone. Made once."""
    path = shop.folder / "rewarded.jsonl"
    if path.exists():
        return list(read(path))
    shows = {name: _shows(shop, name) for name in SCORED}
    by_task = {name: [group for group in groups if group.source == name and group.answers and group.positives] for name in SCORED}
    order = [group for row in zip_longest(*by_task.values()) for group in row if group is not None][:count]
    measure = Likelihood(show=lambda group, candidate: shows[group.source].get(candidate.key, candidate.text))
    done = dict[tuple[str, str], Group]()
    with closing(CallCache(cache_folder() / "calls.sqlite")) as calls:
        model = cached(llm, calls, together=256)
        for start in range(0, len(order), 16):
            block = [replace(group, candidates=_few(group)) for group in order[start : start + 16]]
            done.update({(group.source, group.id): group for group in measure.score(block, model)})
    telling = {(group.source, group.id): group for group in smooth(list(done.values()))}
    shop.said(f"scored {len(done)} groups, {len(telling)} of them tell candidates apart")
    made = [telling.get((group.source, group.id), group) for group in groups]
    write(path, made)
    return made


def _few(group: Group) -> tuple[Candidate, ...]:
    helps = group.positives[:2]
    others = [candidate for candidate in group.candidates if candidate.label <= 0]
    return (*helps, *others[: CANDIDATES - len(helps)])


def _shows(shop: Shop, name: str) -> dict[str, str]:
    """Key -> the record as a prompt shows it: an example with its output."""
    task = get(name)
    return {record.key: kind(record.kind).show(record) for record in task.records(task.data(shop.data))}


WHOLE = "a third of the steps"
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    WHOLE: {},
    "mixed batches": {"homogeneous": False},
    "without instructions": {"instructed": ""},
    "nothing kept": {"keep": 0.0},
    "labels only": {"rewards": False},
    "KL, not graded": {"graded": False},
}


Systems = Mapping[str, tuple[Mapping[str, Path], str]]  # name -> the folders of its runs, and what it is called there


def systems_of(lines: Sequence[Line], systems: Systems) -> dict[str, Scores]:
    """Scores of every system."""
    return {name: scores(lines, folders, called) for name, (folders, called) in systems.items()}


def specialists(shop: Shop, lines: Sequence[Line], groups: Sequence[Group], steps: int) -> dict[str, Path]:
    """Task -> the run of the encoder that was trained on that task's kind alone, with as many steps as that kind has in the common one:
    of `steps` so many are of its batches. Both have then learnt as much of the kind; one knows other kinds too."""
    folders: dict[str, Path] = {}
    plan = Counter(groups[batch[0]].kind for batch in planned(groups, EncoderOptions().batch, steps, shop.seed))
    for name in dict.fromkeys(line.kind for line in lines):
        own = [group for group in groups if group.kind == name]
        made, _, _ = fitted(shop, "encoder", f"only-{name}", own, None, {"steps": max(1, plan[name])})
        folders |= judged(shop, [line for line in lines if line.kind == name], f"only-{name}", opened(made))
    return folders


def ablated(shop: Shop, lines: Sequence[Line], name: str, options: Mapping[str, Any], groups: Sequence[Group]) -> dict[str, Path]:
    """Task -> the run of an encoder that was trained with those options."""
    called = name.replace(",", "").replace(" ", "-")
    made, _, _ = fitted(shop, "encoder", called, groups, None, options)
    return judged(shop, lines, called, opened(made))


def ranked(shop: Shop, lines: Sequence[Line], name: str, encoder: Encoder, groups: Sequence[Group]) -> dict[str, Path]:
    """Task -> the run of the fusion behind a ranker of that task's own, where it would be published: trained on what the task's bower finds
    with this encoder, and better on the held-out part of the training queries. The common encoder has seen some of these queries.
    Made once for an encoder."""
    kept = shop.folder / f"{name}.json"
    done = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    folders: dict[str, Path] = {}
    trainer = trainer_of("ranker")
    for line in lines:
        if (made_for := f"{line.task} {encoder.id}") in done:
            folders[line.task] = shop.folder / "runs" / name / done[made_for]
            continue
        own = sides([group for group in groups if group.source == line.task], shop.seed)
        with closing(bench_of(shop, line, encoder)) as bench:
            setting = Setting(bench, encoder, None, shop.seed, 60.0)
            try:
                trainer.check(own["train"])
                made = trainer.fit(own["train"], own["dev"], setting).component
                held = trainer.usable(own["test"])
                found = verdict(trainer.scores(held, None, setting), trainer.scores(held, made, setting), seed=shop.seed)
                made, why = (made if found.publish else None), found.why
            except TooLittle as error:
                made, why = None, str(error)
        shop.said(f"{name}, {line.task}: {why}")
        folders |= judged(shop, [line], name, encoder, [RANKED], Only("ranker", made))
        done[made_for] = folders[line.task].name
        kept.write_text(json.dumps(done), "utf-8")
    return folders


def main() -> None:
    from bowerbird.encoders.choose import choose
    from bowerbird.llms.choose import choose as choose_llm

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a few groups of a few tasks, in five minutes")
    parser.add_argument("--steps", type=int, default=200, help="of training the common encoder; at most 8 with --small")
    parser.add_argument("--rewards", type=int, default=0, help="groups whose candidates the local language model scores first")
    parser.add_argument("--llm", type=int, default=0, help="cases a task that the local language model classifies behind 8 examples")
    parser.add_argument("--rankers", action="store_true", help="a feature ranker a task behind the fusion of either encoder as well")
    parser.add_argument("--specialists", action="store_true", help="an encoder for each kind as well")
    parser.add_argument("--ablations", action="store_true", help="the common encoder without each part as well, a third of the steps each")
    parser.add_argument("--folder", type=Path, default=Path("runs/learned"))
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the page, such as docs/learned.md")
    given = parser.parse_args()
    lines = SMALL if given.small else LINES
    plain = choose("auto")
    if plain is None:
        raise SystemExit("This needs a dense encoder: pip install 'bowerbird[openvino,weights,train]'")
    shop = Shop(given.folder / ("small" if given.small else "full"), plain, given.data, given.seed, time.monotonic())
    report = Report("One encoder for all kinds", ["what", "value"], None, ["torch", "sentence-transformers", "openvino"])
    steps = min(given.steps, 8) if given.small else given.steps
    groups = lessons(shop, lines)
    llm = choose_llm("local") if given.rewards or given.llm else None
    if given.rewards and llm is not None:
        groups = rewarded(shop, groups, llm, given.rewards)
    base = judged(shop, lines, "plain", plain, [FUSED])
    systems: dict[str, tuple[Mapping[str, Path], str]] = {"BM25": (base, "bm25"), "plain": (base, "dense"), "fusion": (base, FUSED)}
    adapter, _, told = fitted(shop, "adapter", "adapter", groups, 20.0 if given.small else 180.0, {}, lines)
    systems["adapter"] = judged(shop, lines, "adapter", plain, trained=Only("adapter", adapter)), "dense"
    report.add("adapter, seconds", told["seconds"])
    common, _, told = fitted(shop, "encoder", "common", groups, None, {"steps": steps})
    report.add("common encoder, seconds", told["seconds"])
    trained = judged(shop, lines, "common", opened(common), [FUSED])
    systems |= {"one encoder": (trained, "dense"), "one encoder, fused": (trained, FUSED)}
    if given.rankers:
        systems["fusion, ranked"] = ranked(shop, lines, "ranked-plain", plain, groups), RANKED
        systems["one encoder, fused, ranked"] = ranked(shop, lines, "ranked-common", opened(common), groups), RANKED
    if given.specialists:
        systems["specialists"] = specialists(shop, lines, groups, steps), "dense"
    if given.ablations:
        few = [line for line in lines if line.task in ABLATED]
        parts = {name: (ablated(shop, few, name, {"steps": steps // 3, **options}, groups), "dense") for name, options in ABLATIONS.items()}
    found = numbers(lines, systems_of(lines, systems))
    text = table_of(found)
    if given.specialists:
        pair = {name: systems[name] for name in ("specialists", "one encoder")}
        found["special"] = numbers(lines, systems_of(lines, pair), "specialists")
        text += [
            "",
            "One encoder beside one for each kind, which had as many steps as its kind has in the common one:",
            "",
            *table_of(found["special"]),
        ]
    if given.ablations:
        found["parts"] = numbers(few, systems_of(few, {"plain": systems["plain"], **parts}), WHOLE)
        told_of = f"What each part of training is worth: {WHOLE} as it is, then the same without a part; marks and p against the first."
        text += ["", told_of, "", *table_of(found["parts"])]
    also = [line for line in ALSO if any(line.task == other.task for other in lines)]
    text += ["", "Further measures of the same runs:", "", *task_rows(numbers(also, systems_of(also, systems)))]
    if given.llm and llm is not None:
        chosen = [replace(line, test=given.llm) for line in CHOSEN]
        before = judged(shop, chosen, "llm-plain", plain, llm=llm, counts=LEFT_OUT)
        after = judged(shop, chosen, "llm-common", opened(common), llm=llm, counts={**LEFT_OUT, "none": 0})
        told_apart = {"without examples": (before, "none"), "plain": (before, "dense"), "one encoder": (after, "dense")}
        classified = numbers(chosen, systems_of(chosen, told_apart))
        found["llm"] = classified
        text += ["", f"{llm.name} behind the 8 examples that `dense` finds:", "", *table_of(classified)]
    print("\n".join(text))
    if given.out:
        told_all = {"machine": report.machine, "seconds": told["seconds"], "curve": told["curve"], **found}
        given.out.with_suffix(".json").write_text(json.dumps(told_all, indent=1) + "\n", "utf-8")
        drawn = [path.name for path in pictures.write(given.out.parent)]
        given.out.write_text(page(report, given, shop, groups, told, [*text, *pictures.shown(drawn)]), "utf-8")


def page(
    report: Report, given: argparse.Namespace, shop: Shop, groups: Sequence[Group], told: Mapping[str, Any], text: Sequence[str]
) -> str:
    """The generated page."""
    machine, sittings = report.machine, [*shop.before, time.monotonic() - shop.began]
    values = {name: getattr(given, name) for name in ("small", "steps", "rewards", "rankers", "specialists", "ablations", "llm")}
    asked = [f"--{name}" if value is True else f"--{name} {value:g}" for name, value in values.items() if value]
    counts = {kind: sum(group.kind == kind for group in groups) for kind in dict.fromkeys(group.kind for group in groups)}
    head = [
        "# Learned: one encoder for all kinds",
        "",
        f"Generated by `python benchmarks/headline.py {' '.join(asked)}` (`make learn` makes the table of systems); do not edit.",
        "",
        f"{machine['machine']}; {machine['system']}; Python {machine['python']}; "
        + ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
        + f"; load at the start {machine['load']}. Seed {shop.seed}; {len(groups):,} training groups ("
        + ", ".join(f"{kind} {count:,}" for kind, count in counts.items())
        + f"), data hash {data_hash(groups)[:16]}; training the common encoder took {told['seconds']:.0f} s, all {sum(sittings) / 60:.0f} "
        + f"minutes in {len(sittings)} sitting{'s' * (len(sittings) > 1)}.",
        "",
        "▲ and ▼: better or worse than plain beyond chance (paired randomisation test, p < 0.05, not corrected for the number of rows).",
        "",
    ]
    return "\n".join([*head, *text, ""])


if __name__ == "__main__":
    main()
