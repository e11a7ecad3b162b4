"""Runs a task: every baseline and every spec under test over the same cases, into a folder that can be resumed, compared and rerun.

    prepare (data checked, records encoded once and kept) → systems × cases in batches → items on disk → measures with intervals

It knows the engine as a `Bench` and a protocol as a `Judge`; it prints nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.evals.bench import Bench, Corpus, OpenBench, Progress, Stopwatch, cache_folder, prepared
from bowerbird.evals.cache import Cached, CallCache, cached
from bowerbird.evals.judge import Judge, Setting, System, way
from bowerbird.evals.measure import Pool, get
from bowerbird.evals.protocols import TABLE, judge_of
from bowerbird.evals.results import ItemLog, Run, item_file, run_folder
from bowerbird.evals.sample import drawn
from bowerbird.evals.scoring import taken
from bowerbird.evals.summary import summed, versions
from bowerbird.evals.task import Case, Task
from bowerbird.evals.undecided import Race
from bowerbird.ports import LLM, Encoder
from bowerbird.types import Turn, replace

__all__ = ["Options", "protocol_of", "run_task"]


@dataclass(frozen=True, slots=True)
class Options:
    """What a run is asked for beside task and specs.

    `split`, `protocol`: "" = the task's first (`knn` for `classify` where there is no model). `limit`: cases (None = all).
    `budget_tokens`: of context. `seconds`: stop where it is decided, and at that time in any case (None = run all). `counts`:
    cases of single systems, to repeat a run that stopped early. `named`: what the task was asked for by, where that is not its name.
    """

    split: str = ""
    protocol: str = ""
    limit: int | None = None
    seed: int = 0
    budget_tokens: int = 1000
    seconds: float | None = None
    counts: Mapping[str, int] | None = None
    named: str = ""


def run_task(
    task: Task,
    specs: Sequence[str],
    open_bench: OpenBench,
    *,
    encoder: Encoder | None,
    llm: LLM | None,
    options: Options | None = None,
    out: Path = Path("runs"),
    cache: Path | None = None,
    data: Path | None = None,
    progress: Progress | None = None,
) -> tuple[Path, Run]:
    """Run `specs` and all baselines over `task`: the folder, and what is in its `run.json`.

    Run again with the same arguments, it goes on where it was stopped. Raises `DataMissing`, `DataAltered`; `InvalidInput`
    for gold keys without a record, unknown splits and specs that do not fit; `CapabilityMissing` for what the parts at
    hand cannot do; `ModelFailed` when the model dies on the way: what was done is kept.
    """
    began, options, cache = time.perf_counter(), options or Options(), cache or cache_folder()
    split = options.split or task.splits[0]
    if split not in task.splits:
        raise UnknownName(f"split of {task.name!r}", split, task.splits)
    name = protocol_of(task, options.protocol, llm)
    judged: type[Judge] = judge_of(name)
    judged.check(task, llm, specs)
    for spec in specs if judged.retrieves else ():
        way(spec, f"protocol {name!r}")  # before anything is encoded
    found = task.data(data)
    corpus = Corpus(task.records(found))
    every = list(task.cases(found, split))
    if not every:
        raise InvalidInput(f"Split {split!r} of task {task.name!r} has no cases.")
    corpus.checked(every, task.name)
    cases = judged.cases(drawn(every, options.limit, options.seed))
    measures = (*taken(task.measures, judged.families), *(extra for extra in judged.extra if extra not in task.measures))
    if not measures:
        raise InvalidInput(f"Task {task.name!r} names no measure for {name!r}; it names {', '.join(task.measures)}.")
    watch = Stopwatch()
    with ExitStack() as stack:
        model: Cached | None = None
        if llm is not None and judged.asks(specs):
            calls = CallCache(cache / "calls.sqlite")
            stack.callback(calls.close)
            model = cached(llm, calls, watch)
        bench: Bench | None = None
        before = time.perf_counter()
        if judged.retrieves:
            bench = prepared(task, corpus, encoder, model, open_bench, cache, progress)
            stack.callback(bench.close)
        preparing = time.perf_counter() - before
        pool = Pool.of(corpus.records)
        runs = _Timed(bench, watch) if bench else None
        judge = judged(Setting(task, cases, corpus, runs, encoder, model, options.budget_tokens, options.seed, measures, pool, watch))
        systems = [*judge.baselines(), *(judge.system(spec) for spec in dict.fromkeys(specs))]
        identity: dict[str, Any] = {
            "protocol": name,
            "systems": {system.name: [system.spec, system.about] for system in systems},
            "options": {**asdict(options), "split": split, "protocol": name},
            "encoder": encoder.id if encoder else None,
            "llm": model.name if model else None,
            "data": found.sha256,
            "records": corpus.sha256,
        }
        folder = run_folder(out, task.name, split, identity)
        run = Run(
            task=task.name,
            kind=task.kind,
            split=split,
            protocol=name,
            systems={system.name: system.about or system.spec for system in systems},
            limit=options.limit,
            seed=options.seed,
            budget_tokens=options.budget_tokens,
            encoder=identity["encoder"],
            llm=identity["llm"],
            versions=versions(),
            data_sha256=found.sha256,
            started=time.time(),
            dropped=(*task.dropped, *judge.left_out),
            settings={**asdict(options), "specs": list(dict.fromkeys(specs)), "measures": list(measures), "cases": len(cases)},
        )
        if not (folder / "run.json").exists():
            run.save(folder)
        logs = {system.name: stack.enter_context(ItemLog(item_file(folder, system.name))) for system in systems}
        race = _run(judge, systems, cases, logs, options, progress)
        items = {name: log.done for name, log in logs.items()}
        run = replace(summed(run, cases, items, pool, race.left(items)), predicted=race.predicted(items))
        seconds = time.perf_counter() - began
        calls_made = {"asked": model.asked, "kept": model.kept} if model else {}
        run = _timed(run, seconds, max(0.0, seconds - preparing - watch.seconds), {"prepare_seconds": preparing, "llm_calls": calls_made})
        run.save(folder)
    return folder, run


def protocol_of(task: Task, wanted: str, llm: LLM | None) -> str:
    """The protocol that a task is run under; `knn` is the form of `classify` that needs no model."""
    known = [*task.protocols, *(["knn"] if "classify" in task.protocols else [])]
    if wanted and wanted not in known:
        raise UnknownName(f"protocol of {task.name!r}", wanted, known)
    name = wanted or ("knn" if task.protocols[0] == "classify" and llm is None else task.protocols[0])
    if name not in TABLE:
        raise InvalidInput(f"Protocol {name!r} of task {task.name!r} cannot be run yet; those that can: {', '.join(TABLE)}.")
    return name


def _run(
    judge: Judge,
    systems: Sequence[System],
    cases: Sequence[Case],
    logs: Mapping[str, ItemLog],
    options: Options,
    progress: Progress | None,
) -> Race:
    """Every system over the cases, a batch at a time; `Race` says who still runs."""
    for log in logs.values():
        ids = [item.id for item in log.done]
        if ids != [case.id for case in cases[: len(ids)]]:
            raise InvalidInput(f"{log.path} holds other cases than this run's, though its name is the same: delete its folder.")
    means = [name for name in judge.setting.measures if get(name).whole is None]
    better = -1 if means and get(means[0]).better == "lower" else 1
    race = Race([system.name for system in systems], len(cases), options.seconds, means[:1], better)
    by_name = {system.name: system for system in systems}
    items = {name: log.done for name, log in logs.items()}
    while (name := race.next(items, options.counts)) is not None:
        log = logs[name]
        done = len(log.done)
        until = min(len(cases), (options.counts or {}).get(name, len(cases)), done + judge.batch)
        log.append(judge.judge(by_name[name], cases[done:until]))
        if progress:
            progress(name, sum(map(len, items.values())), len(cases) * len(systems))
    return race


def _timed(run: Run, seconds: float, overhead: float, more: Mapping[str, Any]) -> Run:
    return replace(run, seconds=round(seconds, 3), overhead_seconds=round(overhead, 3), settings={**run.settings, **more})


class _Timed:
    """A bench whose runs are timed as the work itself."""

    def __init__(self, bench: Bench, watch: Stopwatch) -> None:
        self._bench, self._watch = bench, watch

    def run(self, turns: Sequence[Turn], spec: str) -> Sequence[Turn]:
        with self._watch:
            return self._bench.run(turns, spec)
