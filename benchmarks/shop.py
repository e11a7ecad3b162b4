"""What benchmarks of learning share: where things are kept, a task's bower, a component fitted once, and runs of test cases with it.

It knows tasks and components by name, and nothing of what is compared.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tables import Line, Scores

from bowerbird import table
from bowerbird.components.shelf import Component
from bowerbird.engine import Engine
from bowerbird.evals.bench import Corpus, cache_folder, prepared
from bowerbird.evals.results import item_file, read_items
from bowerbird.evals.run import Options, run_task
from bowerbird.evals.task import get
from bowerbird.learn.checkpoint import Checkpoint
from bowerbird.learn.groups import Group
from bowerbird.learn.publish import data_hash
from bowerbird.learn.trainer import Setting, trainer_of
from bowerbird.ports import LLM, Encoder, Trained, Vectors

__all__ = ["FUSED", "Bowers", "Shop", "bench_of", "fitted", "judged", "opened", "scores"]

FUSED = "dbsf(bm25(k=100), dense(k=100)) >> neighbours"


@dataclass
class Shop:
    """What the parts of the run share: where things are kept, the plain encoder, and the time."""

    folder: Path
    plain: Encoder
    data: Path | None
    seed: int
    began: float

    def said(self, what: str) -> None:
        """Print it, and keep how long it took to here: a run that was killed and goes on tells the time of all sittings."""
        took = time.monotonic() - self.began
        print(f"[{took:5.0f} s] {what}", flush=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "sittings.json").write_text(json.dumps([*self.before, took]), "utf-8")

    @functools.cached_property
    def before(self) -> list[float]:
        """Seconds of earlier sittings."""
        kept = self.folder / "sittings.json"
        return json.loads(kept.read_text("utf-8")) if kept.exists() else []


def judged(
    shop: Shop,
    lines: Sequence[Line],
    name: str,
    encoder: Encoder,
    specs: Sequence[str] = (),
    trained: Trained | None = None,
    llm: LLM | None = None,
    counts: Mapping[str, int] | None = None,
) -> dict[str, Path]:
    """Task -> the folder of its run with that encoder, and with those components and that model."""

    def opened(path: Path, made: Encoder | None, model: Any) -> Engine:
        return Engine(path, encoder=made, llm=model, trained=trained)

    folders = {}
    for line in lines:
        options = Options(limit=line.test, protocol=line.protocol, seed=shop.seed, counts=counts)
        folders[line.task], _ = run_task(
            get(line.task), specs, opened, encoder=encoder, llm=llm, options=options, out=shop.folder / "runs" / name, data=shop.data
        )
    shop.said(f"judged {name}")
    return folders


def scores(lines: Sequence[Line], folders: Mapping[str, Path], system: str) -> Scores:
    """Task -> case -> the line's measure under that system of those runs."""
    found = {}
    for line in lines:
        items = read_items(item_file(folders[line.task], system))
        found[line.task] = {item.id: item.measures[line.measure] for item in items if line.measure in item.measures}
    return found


def bench_of(shop: Shop, line: Line, encoder: Encoder) -> Engine:
    task = get(line.task)
    found = task.data(shop.data)

    def opened(path: Path, made: Encoder | None, llm: Any) -> Engine:
        return Engine(path, encoder=made, llm=None)

    bench = prepared(task, Corpus(task.records(found)), encoder, None, opened, cache_folder())
    assert isinstance(bench, Engine)
    return bench


def fitted(
    shop: Shop,
    component: str,
    name: str,
    groups: Sequence[Group],
    seconds: float | None,
    options: Mapping[str, Any],
    lines: Sequence[Line] = (),
) -> tuple[Component, Path, Mapping[str, Any]]:
    """A component trained on these groups within that time, the folder it is kept in, and what is to be known of it; made once.
    `lines`: the tasks whose bowers hold vectors of the candidates."""
    folder = shop.folder / "fitted" / f"{name}-{data_hash(groups)[:12]}"
    trainer = trainer_of(component)
    about = folder / "about.json"
    if not about.exists():
        dev = [group for group in groups if int(group.id[:8], 16) % 20 == 0]
        train = [group for group in groups if int(group.id[:8], 16) % 20]
        trainer.check(train)
        with closing(Bowers(shop, lines)) as bowers:
            setting = Setting(bowers, shop.plain, None, shop.seed, seconds, folder / "checkpoints", None, options)
            began = time.monotonic()
            fit = trainer.fit(train, dev, setting)
        fit.component.save(folder / "component")
        took = time.monotonic() - began
        about.write_text(json.dumps({"seconds": took, "curve": [dict(row) for row in fit.curve], "about": dict(fit.about)}), "utf-8")
        Checkpoint(folder / "checkpoints").clear()
        shop.said(f"fitted {name}: {took:.0f} s on {len(train)} groups")
    return table.load("components", component).load(folder / "component"), folder / "component", json.loads(about.read_text("utf-8"))


class Bowers:
    """The bowers of several tasks as one: what is trained here on all tasks learns from groups, and takes vectors that are there."""

    def __init__(self, shop: Shop, lines: Sequence[Line]) -> None:
        self._benches = [bench_of(shop, line, shop.plain) for line in lines]

    def run(self, turns: Any, spec: str, *, trained: Any = None, records: bool = False) -> Any:
        raise AssertionError("nothing is searched while all tasks are trained on")

    def vectors(self, encoder: str, texts: Mapping[str, str], scope: Any = None) -> Mapping[str, Vectors]:
        return {key: vector for bench in self._benches for key, vector in bench.vectors(encoder, texts, scope).items()}

    def close(self) -> None:
        for bench in self._benches:
            bench.close()


def opened(component: Any) -> Encoder:
    """The encoder of a fitted component, through OpenVINO where it is there."""
    from bowerbird.encoders.choose import choose

    made = choose(f"auto:{component.folder}")
    assert made is not None
    return made
