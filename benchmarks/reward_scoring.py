"""Reward scoring: the likelihood of gold outputs behind every candidate, shared against one forward pass a pair.

    python benchmarks/reward_scoring.py [--queries 64] [--sample 16] [--runs 16] [--repeats 3] [--threads 1] [--dtype float32] [--out FILE]

`forward`: one pass of transformers a pair, whole prompt, all logits, log-softmax in fp32. `lean`: the same with logits at the output alone.
`shared`: as the reward asks, all pairs side by side; of more than `--runs` times 256 pairs so many runs of 256 neighbours are scored,
drawn evenly. The two single ways run on a sample of those pairs, drawn evenly; the ways take turns within each repeat. An example
that is near many queries stands in front of all of them once, so own neighbours share the more, the more queries are scored: the
last workload has all 3,080 of Banking77's test split.
Times are the clock's for a pair, medians over repeats. `computed a pair`: tokens that go through the model in the shared way. `off`:
largest difference of shared and forward in nats a token over the sample.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import Report, data

from bowerbird.encoders.bm25 import BM25Encoder
from bowerbird.evals import task
from bowerbird.kinds import kind
from bowerbird.learn.groups import Candidate, Group
from bowerbird.learn.rewards.likelihood import Likelihood
from bowerbird.learn.rewards.prompts import cut
from bowerbird.learn.rewards.rank_aware import RankAware
from bowerbird.llms.local import LocalLLM
from bowerbird.llms.scoring import packs
from bowerbird.types import Record

Pair = tuple[str, str]
RUN = 256  # pairs that reach the model at once where calls are kept (`cached(llm, calls, together=256)`)


class Recorded:
    """A model that remembers the pairs that it was given to score, and scores none."""

    def __init__(self, llm: LocalLLM) -> None:
        self.llm, self.name, self.context_window, self.pairs = llm, llm.name, llm.context_window, list[Pair]()
        self.complete, self.count = llm.complete, llm.count

    def loglikelihood(self, pairs: Sequence[Pair]) -> list[tuple[float, int]]:
        self.pairs += pairs
        return [(-1.0, 1)] * len(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=64, help="of Banking77; a quarter of it of NQ")
    parser.add_argument("--sample", type=int, default=16, help="pairs that are scored one at a time")
    parser.add_argument("--runs", type=int, default=16, help="of 256 neighbouring pairs that are scored shared, at most")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of torch; more than there are idle cores make everything slower")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--only", default="", help="workloads whose name holds this")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    columns = ["workload", "pairs", "tokens a pair", "computed a pair", "forward ms", "lean ms", "shared ms", "x forward", "x lean", "off"]
    report = Report(f"Reward scoring, {asked.dtype}, {asked.threads} threads", columns, asked.out, ("torch", "transformers"))
    llm = LocalLLM(dtype=asked.dtype, threads=asked.threads)
    for name, groups in workloads(asked.queries, llm):
        if asked.only in name:
            measure(report, name, groups, llm, asked)
    report.close()


def workloads(queries: int, llm: LocalLLM) -> list[tuple[str, list[Group]]]:
    """(name, groups) of each."""
    banking, nq = task.get("banking77"), task.get("nq")
    files = banking.data(data())
    examples = list(banking.records(files))
    every = list(banking.cases(files, "test"))
    near = dict(zip((case.id for case in every), nearest([case.query for case in every], examples, 16), strict=True))
    cases = every[:: max(1, len(every) // queries)][:queries]
    pool = examples[:: len(examples) // 16][:16]
    asks, all_asks = ([(case.query, case.answers) for case in of] for of in (cases, every))
    files = nq.data(data())
    questions = list(nq.cases(files, "test"))[: max(1, queries // 4)]
    gold = {key for case in questions for key in case.gold}
    passages = [record for record in nq.records(files) if record.key in gold][:8]
    wonders = [(case.query, case.answers) for case in questions]
    return [
        ("banking77, 16 examples for all", made("example", asks, [pool] * len(asks), llm)),
        ("banking77, nearest 16 of each", made("example", asks, [near[case.id] for case in cases], llm)),
        ("nq, 8 passages for all", made("passage", wonders, [passages] * len(wonders), llm)),
        ("nq, rank-aware, 10 samples", made("passage", wonders[:4], [passages] * len(wonders[:4]), llm)),
        ("banking77, nearest 16 of each of 3,080", made("example", all_asks, list(near.values()), llm)),
    ]


def nearest(queries: Sequence[str], records: Sequence[Record], k: int) -> list[list[Record]]:
    """The k records with the highest BM25 score for each query."""
    encoder, found = BM25Encoder(), []
    holders: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    for place, key in enumerate(encoder.encode_keys([record.text for record in records])):
        for term, weight in zip(key.indices.tolist(), key.values.tolist(), strict=True):
            holders[term].append((place, weight))
    for query in encoder.encode_queries(queries):
        scores: Counter[int] = Counter()
        for term, weight in zip(query.indices.tolist(), query.values.tolist(), strict=True):
            idf = np.log1p((len(records) - len(holders[term]) + 0.5) / (len(holders[term]) + 0.5))
            for place, value in holders[term]:
                scores[place] += weight * value * idf
        found.append([records[place] for place, _ in sorted(scores.items(), key=lambda one: (-one[1], one[0]))[:k]])
    return found


def made(name: str, asks: Sequence[tuple[str, tuple[str, ...]]], given: Sequence[Sequence[Record]], llm: LocalLLM) -> list[Group]:
    """Groups whose candidates' texts are what a prompt shows, passages of 128 tokens."""
    show = kind(name).show
    return [
        Group(query, name, "benchmark", tuple(Candidate(r.key, cut(show(r), 128, llm)) for r in records), answers)
        for (query, answers), records in zip(asks, given, strict=True)
    ]


def measure(report: Report, name: str, groups: list[Group], llm: LocalLLM, asked: argparse.Namespace) -> None:
    reward, recorded = RankAware() if "rank-aware" in name else Likelihood(), Recorded(llm)
    reward.score(groups, recorded)
    pairs = recorded.pairs
    runs = [pairs[start : start + RUN] for start in range(0, len(pairs), RUN)]
    runs = runs[:: -(-len(runs) // asked.runs)]
    timed = [pair for run in runs for pair in run]
    drawn = timed[:: max(1, len(timed) // asked.sample)][: asked.sample]
    llm.loglikelihood(drawn)  # loads and warms
    ids = [[(llm._begin() + llm._ids(prompt), llm._ids(output)) for prompt, output in run] for run in runs]
    through = sum(len(pack.tokens) for run in ids for pack in packs(run)) / len(timed)
    ways: dict[str, Callable[[], Any]] = {
        "forward": lambda: [forward(llm, pair, 0) for pair in drawn],
        "lean": lambda: [forward(llm, pair, len(llm._ids(pair[1])) + 1) for pair in drawn],
        "shared": lambda: [value for run in runs for value in llm.loglikelihood(run)],
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    said: dict[str, Any] = {}
    clock = time.perf_counter
    for _ in range(asked.repeats):
        for way, call in ways.items():
            began = clock()
            said[way] = call()
            took[way].append(1e3 * (clock() - began) / (len(timed) if way == "shared" else len(drawn)))
    middle = {way: statistics.median(times) for way, times in took.items()}
    shared = dict(zip(timed, said["shared"], strict=True))
    off = max(abs(shared[pair][0] - value) / shared[pair][1] for pair, value in zip(drawn, said["forward"], strict=True))
    ratios = {way: statistics.median(a / b for a, b in zip(took[way], took["shared"], strict=True)) for way in ("forward", "lean")}
    long = sum(len(prompt) + len(output) for run in ids for prompt, output in run) / len(timed)
    report.add(name, len(pairs), long, through, *middle.values(), *ratios.values(), f"{off:.1e}", all=took)


def forward(llm: LocalLLM, pair: Pair, keep: int) -> float:
    """The plain way, of one pair: its whole prompt, batch of 1; logits of the last `keep` positions, 0 = of all."""
    before, after = llm._begin() + llm._ids(pair[0]), llm._ids(pair[1])
    with torch.inference_mode():
        logits = llm._part("model")(input_ids=torch.tensor([before + after]), use_cache=False, logits_to_keep=keep).logits[0]
        logs = torch.log_softmax(logits[-len(after) - 1 : -1].float(), dim=-1)
        return float(logs[torch.arange(len(after)), torch.tensor(after)].double().sum())


if __name__ == "__main__":
    main()
