"""The runner on miniature tasks: every protocol, resuming, repeating, and what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bowerbird import Engine
from bowerbird.errors import CapabilityMissing, InvalidInput, LLMError, NotFound, UnknownName
from bowerbird.evals.bench import Stopwatch
from bowerbird.evals.cache import CallCache, ModelFailed, cached
from bowerbird.evals.measure import Result
from bowerbird.evals.metrics.routing import pair
from bowerbird.evals.rerun import beside, rerun
from bowerbird.evals.results import BASELINES, Item, ItemLog, Run, item_file, read_items
from bowerbird.evals.run import Options, run_task
from bowerbird.evals.sample import drawn
from bowerbird.evals.task import Case, Task, TaskData
from bowerbird.ports import LLM, Encoder, LogLikelihood, Prompt
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.llms import ScoringLLM, ScriptedLLM
from bowerbird.types import Message, Record, Scope

ANIMALS = ("heron", "badger", "otter", "lynx", "falcon", "marten", "beaver", "kestrel", "viper", "salmon", "osprey", "weasel")
PLACES = ("river", "forest", "mountain")
SCOPE = Scope("eval")


def _records(data: TaskData) -> Iterator[Record]:
    for i, animal in enumerate(ANIMALS):
        place = PLACES[i % 3]
        fields = {"label": place, "output": place}
        yield Record(f"r{i}", "example", f"The {animal} was seen near the {place}", fields, SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for i, animal in enumerate(ANIMALS):
        place = PLACES[i % 3]
        yield Case(f"c{i}", f"Where was the {animal} seen?", {f"r{i}": 1.0}, (place,), PLACES, scope=SCOPE, category=place)


TASK = Task(
    name="mini",
    kind="example",
    about="",
    source="",
    revision="",
    licence="",
    citation="",
    protocols=("rank", "answer", "classify"),
    measures=("nDCG@10", "Recall@3", "F1", "EM", "accuracy", "macro-F1"),
    splits=("test",),
    files=(),
    records=_records,
    cases=_cases,
)


def bench(path: Path, encoder: Encoder | None, llm: LLM | None) -> Engine:
    return Engine(path, encoder=encoder, llm=llm)


def ran(
    tmp: Path, task: Task = TASK, specs: tuple[str, ...] = (), llm: LLM | None = None, out: str = "runs", **options: Any
) -> tuple[Path, Run]:
    return run_task(task, specs, bench, encoder=HashEncoder(256), llm=llm, options=Options(**options), out=tmp / out, cache=tmp / "cache")


# --- what a run leaves -------------------------------------------------------------------------------------------------


def test_every_result_has_its_baselines(tmp_path: Path) -> None:
    folder, run = ran(tmp_path, specs=("rrf(bm25, dense)",))
    assert list(run.systems) == ["none", "random", "bm25", "dense", "oracle", "rrf(bm25, dense)"]
    assert run.complete
    assert run.measures["none"]["nDCG@10"].value == 0.0
    assert run.measures["oracle"]["nDCG@10"].value == 1.0
    assert run.measures["bm25"]["nDCG@10"].value > run.measures["random"]["nDCG@10"].value
    assert set(run.measures["bm25"]) == {"nDCG@10", "Recall@3"}, "a ranking takes the measures of rankings alone"
    assert any(line.startswith("recency") for line in run.dropped)
    assert any(line.startswith("full") for line in run.dropped)
    assert Run.load(folder) == run
    for name in run.systems:
        items = read_items(item_file(folder, name))
        assert len(items) == 12
        assert [item.id for item in items] == [item.id for item in read_items(item_file(folder, "none"))]
    held = json.loads((folder / "run.json").read_text())
    assert {"task", "kind", "split", "protocol", "systems", "limit", "seed", "budget_tokens", "encoder", "llm", "versions"} <= set(held)
    assert set(held["measures"]["bm25"]["nDCG@10"]) == {"value", "low", "high", "n"}
    assert {"p50", "p95"} == set(held["latency"]["bm25"]["bm25"])


def test_a_stage_in_front_of_retrieval_may_ask_the_model(tmp_path: Path) -> None:
    def cases(data: TaskData, split: str) -> Iterator[Case]:
        for case, animal in zip(_cases(data, split), ANIMALS, strict=True):
            yield replace(case, query="Where was it seen?", history=(Message("user", f"I like the {animal}."),))

    task = replace(TASK, cases=cases)
    _, run = ran(tmp_path, task, specs=("history >> bm25", "bm25(k=20) >> budget >> llm"))
    assert run.llm is None, "a reader behind the hits is left away, so nobody is asked"
    assert run.measures["history >> bm25"]["nDCG@10"].value == 1.0 > run.measures["bm25"]["nDCG@10"].value
    with pytest.raises(CapabilityMissing, match="'rank' needs a language model"):
        ran(tmp_path, task, specs=("llm_rewrite >> bm25",))
    llm = ScriptedLLM(lambda prompt: prompt.text.rpartition("the ")[2].split(".")[0])
    _, asked = ran(tmp_path, task, specs=("llm_rewrite >> bm25",), llm=llm)
    assert asked.measures["llm_rewrite >> bm25"]["nDCG@10"].value == 1.0
    assert asked.llm == "scripted"
    assert len(llm.prompts) == 12


def test_recency_where_there_is_time(tmp_path: Path) -> None:
    def records(data: TaskData) -> Iterator[Record]:
        for i, record in enumerate(_records(data)):
            yield replace(record, kind="memory", fields={"time": 1000.0 + i})

    def cases(data: TaskData, split: str) -> Iterator[Case]:
        for case in _cases(data, split):
            yield replace(case, at=1004.0)

    folder, run = ran(tmp_path, replace(TASK, records=records, cases=cases))
    assert "recency" in run.systems
    assert read_items(item_file(folder, "recency"))[0].hits == ("r4", "r3", "r2", "r1", "r0"), "the newest first, none of the future"


def test_a_second_run_does_not_encode_the_records_again(tmp_path: Path) -> None:
    seen: list[int] = []

    class Counting(HashEncoder):
        def encode(self, texts: Any) -> Any:
            seen.append(len(texts))
            return super().encode(texts)

    for out in ("a", "b"):
        run_task(TASK, (), bench, encoder=Counting(64), llm=None, options=Options(), out=tmp_path / out, cache=tmp_path / "cache")
    assert sum(seen) == 12 + 12 + 12, "the records once, the queries of `dense` twice"


def test_answer_asks_the_model_with_and_without_context(tmp_path: Path) -> None:
    def reply(prompt: Prompt) -> str:
        text = " ".join(message.content for message in prompt.messages)
        asked = text.rpartition("Where was the ")[2].split()[0]
        found = [place for place in PLACES if f"The {asked} was seen near the {place}" in text]
        return f"{found[0]} [1]" if found else "the sea"

    folder, run = ran(tmp_path, llm=ScriptedLLM(reply), protocol="answer", specs=("bm25(k=3)",))
    assert list(run.systems) == ["none", "random", "bm25", "dense", "oracle", "full", "bm25(k=3)"]
    assert run.measures["none"]["EM"].value == 0.0
    assert run.measures["oracle"]["EM"].value == 1.0
    assert run.measures["full"]["EM"].value == 1.0
    assert run.measures["bm25(k=3)"]["EM"].value == 1.0
    assert run.cost["oracle"].prompt_tokens > run.cost["none"].prompt_tokens > 0
    item = read_items(item_file(folder, "oracle"))[0]
    assert item.answer in PLACES, "marks are taken out before measuring"
    assert item.context
    assert item.tokens


def test_classify_and_knn(tmp_path: Path) -> None:
    _, run = ran(tmp_path, llm=ScoringLLM(), protocol="classify")
    assert run.measures["oracle"]["accuracy"].value == 1.0, "the only label in the prompt is the likeliest"
    assert run.measures["oracle"]["macro-F1"].value == 1.0
    assert run.measures["none"]["accuracy"].value < 1.0
    _, votes = ran(tmp_path, protocol="knn")
    assert votes.measures["oracle"]["accuracy"].value == 1.0
    assert votes.llm is None


def test_classify_needs_log_likelihoods_for_few_choices(tmp_path: Path) -> None:
    with pytest.raises(CapabilityMissing, match="log-likelihoods; scripted has completion"):
        ran(tmp_path, llm=ScriptedLLM(), protocol="classify")
    with pytest.raises(CapabilityMissing, match="needs a language model"):
        ran(tmp_path, protocol="classify")


def test_perplexity_is_better_with_the_past(tmp_path: Path) -> None:
    def records(data: TaskData) -> Iterator[Record]:
        for i in range(10):
            yield Record(f"p{i}", "memory", f"piece {ANIMALS[i]} runs", {"turn": i}, SCOPE, valid_from=float(i))

    def cases(data: TaskData, split: str) -> Iterator[Case]:
        for i in range(3, 10):
            yield Case(f"p{i}", f"piece {ANIMALS[i - 1]} runs", {}, (f"{ANIMALS[i - 3]} runs",), scope=SCOPE, at=float(i - 2))

    task = replace(TASK, kind="memory", protocols=("perplexity",), measures=("perplexity",), records=records, cases=cases)
    _, run = ran(tmp_path, task, llm=ScoringLLM())
    assert run.measures["recency"]["perplexity"].value < run.measures["none"]["perplexity"].value
    assert run.measures["recency"]["nll"].n == 7
    assert "oracle" not in run.systems


def test_no_baseline_sees_what_comes_after_the_moment_of_asking(tmp_path: Path) -> None:
    """A text in pieces, as books and wikitext are: piece i may be seen from i on, and a case asks in its middle."""

    def records(data: TaskData) -> Iterator[Record]:
        for i in range(40):
            yield Record(f"p{i}", "memory", f"the heron met the {ANIMALS[i % 12]} again", {"turn": i}, SCOPE, valid_from=float(i))

    def cases(data: TaskData, split: str) -> Iterator[Case]:
        for i in range(9, 40):
            yield Case(f"p{i}", "the heron met the badger again", {}, ("the end",), scope=SCOPE, at=float(i - 1))

    task = replace(TASK, kind="memory", protocols=("perplexity",), measures=("perplexity",), records=records, cases=cases)
    folder, run = ran(tmp_path, task, llm=ScoringLLM(), specs=("rrf(bm25, dense)",), budget_tokens=4000)
    assert set(run.systems) == {"none", "random", "recency", "bm25", "dense", "full", "rrf(bm25, dense)"}
    for name in run.systems:
        for item in read_items(item_file(folder, name)):
            seen = [int(key[1:]) for key in item.hits]
            assert all(place < int(item.id[1:]) for place in seen), f"{name} saw {seen} at {item.id}"
            assert bool(seen) == (name != "none")
            if name in ("recency", "full"):
                newest = list(range(int(item.id[1:])))[::-1]
                assert seen == (newest[:4] if name == "recency" else newest[::-1])


def test_route_recovers_the_gap_as_defined(tmp_path: Path) -> None:
    def records(data: TaskData) -> Iterator[Record]:
        yield Record("big", "model", "answers hard questions about quanta", {}, SCOPE)
        yield Record("small", "model", "answers easy questions about birds", {}, SCOPE)

    def cases(data: TaskData, split: str) -> Iterator[Case]:
        for i in range(40):
            hard = i % 2 == 0
            facts = {"scores": {"big": 1.0, "small": 0.0 if hard else 1.0}, "costs": {"big": 1.0, "small": 0.1}}
            yield Case(f"q{i}", "hard quanta" if hard else "easy birds", {"big": 1.0}, scope=SCOPE, facts=facts)

    task = replace(TASK, kind="model", protocols=("route",), measures=("APGR", "quality", "cost"), records=records, cases=cases)
    assert pair(list(cases(TaskData(Path(), ()), ""))) == ("big", "small")
    _, run = ran(tmp_path, task)
    assert run.measures["none"]["PGR"].value == pytest.approx(0.0)
    assert run.measures["full"]["PGR"].value == pytest.approx(1.0)
    assert run.measures["none"]["APGR"].value == pytest.approx(0.5)
    assert run.measures["bm25"]["quality"].value == 1.0
    assert run.measures["oracle"]["cost"].value == pytest.approx(0.55)
    assert run.measures["bm25"]["APGR"].value == pytest.approx(0.75)


def test_agree_with_people(tmp_path: Path) -> None:
    def cases(data: TaskData, split: str) -> Iterator[Case]:
        for i, animal in enumerate(ANIMALS):
            good = i % 2 == 0
            claim = f"The {animal} was seen near the river in {1950 + i}."
            evidence = [claim] if good else ["Nothing of the kind is known here."]
            label = "supported" if good else "not supported"
            facts = {"claim": claim, "evidence": evidence}
            yield Case(f"a{i}", claim, {}, (label,), ("supported", "partially supported", "not supported"), scope=SCOPE, facts=facts)

    task = replace(TASK, kind="answers", protocols=("agree",), measures=("accuracy", "kappa"), records=lambda data: iter(()), cases=cases)
    _, run = ran(tmp_path, task, specs=("citations",))
    assert run.measures["citations"]["accuracy"].value == 1.0
    assert run.measures["citations"]["AUC"].value == 1.0
    assert run.measures["none"]["accuracy"].value == 0.5
    assert run.measures["none"]["AUC"].value == 0.5
    with pytest.raises(InvalidInput, match="no check of citations"):
        ran(tmp_path, task, specs=("bm25",))


def test_recommend_leaves_out_what_was_seen(tmp_path: Path) -> None:
    def records(data: TaskData) -> Iterator[Record]:
        for i, animal in enumerate(ANIMALS):
            yield Record(f"i{i}", "item", f"film about the {animal}", {"popularity": float(i)}, SCOPE)

    def cases(data: TaskData, split: str) -> Iterator[Case]:
        for i in range(6, 12):
            yield Case(f"u{i}", f"film about the {ANIMALS[i - 1]}", {f"i{i}": 1.0}, scope=SCOPE, facts={"seen": [f"i{i - 1}"]})

    task = replace(TASK, kind="item", protocols=("recommend",), measures=("nDCG@10", "coverage@10", "ARP@10"), records=records, cases=cases)
    folder, run = ran(tmp_path, task)
    for item in read_items(item_file(folder, "bm25")):
        assert f"i{int(item.id[1:]) - 1}" not in item.hits
    assert run.measures["dense"]["coverage@10"].value > 0
    assert "ARP@10" not in run.measures["none"]
    assert any("none: ARP@10" in line for line in run.open)


# --- stopping, going on, repeating -------------------------------------------------------------------------------------


def test_a_model_that_dies_on_the_way_leaves_what_was_done(tmp_path: Path) -> None:
    dying = ScriptedLLM("river", fail=[None, None, LLMError("gone")])
    with pytest.raises(ModelFailed, match="gone"):
        ran(tmp_path, llm=dying, protocol="answer")
    (folder,) = (tmp_path / "runs").iterdir()
    assert not Run.load(folder).complete
    assert Run.load(folder).measures == {}
    left = {path.name: len(read_items(path)) for path in (folder / "items").iterdir()}
    assert left["none.jsonl"] == 12
    live = ScriptedLLM("river")
    again, run = ran(tmp_path, llm=live, protocol="answer")
    assert again == folder
    assert run.complete
    _, reference = ran(tmp_path, llm=ScriptedLLM("river"), protocol="answer", out="other")
    assert reference.measures == run.measures
    assert not any("Where was" in p.messages[-1].content and len(p.messages) == 1 for p in live.prompts), (
        "what was answered is not asked again"
    )


def test_a_line_cut_short_is_written_anew(tmp_path: Path) -> None:
    folder, run = ran(tmp_path)
    path = item_file(folder, "dense")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 100])
    assert len(read_items(path)) == 11
    _, again = ran(tmp_path)
    assert again.measures == run.measures
    strip = lambda items: [replace(item, stages={}, seconds=0.0) for item in items]  # noqa: E731
    assert strip(read_items(path)) == strip([Item(**_tuples(json.loads(line))) for line in content.splitlines()])
    path.write_bytes(b"{}\n" + content)
    with pytest.raises(InvalidInput, match="line 1 is no item"):
        ran(tmp_path)


def _tuples(held: dict[str, Any]) -> dict[str, Any]:
    return {**held, "gold": tuple(held["gold"]), "hits": tuple(held["hits"])}


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """SIGKILL in the middle of a slow system, then the same command: every case once, in order."""
    program = tmp_path / "slow.py"
    program.write_text(
        textwrap.dedent(
            f"""
            import sys, time
            from pathlib import Path
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            import test_run as mini
            from bowerbird.evals.run import Options, run_task
            from bowerbird.evals.protocols.rank import Rank
            Rank.batch = 2
            def slow(path, encoder, llm):
                engine = mini.bench(path, encoder, llm)
                run = engine.run
                def late(turns, spec):
                    time.sleep(0.05)
                    return run(turns, spec)
                engine.run = late
                return engine
            tmp = Path({str(tmp_path)!r})
            run_task(mini.TASK, (), slow, encoder=mini.HashEncoder(256), llm=None, options=Options(), out=tmp / "runs", cache=tmp / "cache")
            """
        )
    )
    child = subprocess.Popen([sys.executable, str(program)])
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/*/items/bm25.jsonl")) or not next(iter(tmp_path.glob("runs/*/items/bm25.jsonl"))).stat().st_size:
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    (folder,) = (tmp_path / "runs").iterdir()
    assert not Run.load(folder).complete
    done = len(read_items(item_file(folder, "bm25")))
    assert 0 < done < 12
    again, run = ran(tmp_path)
    assert again == folder
    assert run.complete
    _, reference = ran(tmp_path, out="other")
    assert run.measures == reference.measures


def test_rerun_gives_the_same_numbers(tmp_path: Path) -> None:
    folder, _ = ran(tmp_path, specs=("rrf(bm25, dense)",), limit=9)
    found = rerun(folder, TASK, bench, encoder=HashEncoder(256), llm=None, out=tmp_path / "again", cache=tmp_path / "cache")
    assert found.same, found.differs
    assert found.parts == ()
    fresh = rerun(folder, TASK, bench, encoder=HashEncoder(256), llm=None, out=tmp_path / "fresh", cache=tmp_path / "none")
    assert fresh.same, fresh.differs
    with pytest.raises(InvalidInput, match="the encoder was hash-256, now it is hash-64"):
        rerun(folder, TASK, bench, encoder=HashEncoder(64), llm=None, out=tmp_path / "x", cache=tmp_path / "cache")
    path = item_file(folder, "bm25")
    items = read_items(path)
    path.unlink()
    with ItemLog(path) as log:
        log.append([replace(items[0], hits=("r9",)), *items[1:]])
    assert not rerun(folder, TASK, bench, encoder=HashEncoder(256), llm=None, out=tmp_path / "y", cache=tmp_path / "cache").same


def test_compare_recomputes_nothing(tmp_path: Path) -> None:
    a, _ = ran(tmp_path, specs=("bm25(k=3)",))
    b, _ = ran(tmp_path, specs=("rrf(bm25, dense)",))
    found = beside(a, b)
    assert found.measure == "nDCG@10"
    assert ("bm25(k=3)", "rrf(bm25, dense)") in found.pairs
    assert found.pairs["dense", "dense"].difference.value == 0.0
    within = beside(a, a)
    assert [other for _, other in within.pairs] == ["bm25(k=3)", "bm25(k=3)"]
    assert [against for against, _ in within.pairs][1] == "none", "against the best plain retriever and against nothing"
    with pytest.raises(UnknownName):
        beside(a, b, "nDCG@9")
    with pytest.raises(NotFound):
        beside(a, tmp_path)
    other, _ = ran(tmp_path, protocol="knn")
    with pytest.raises(InvalidInput, match="different tasks"):
        beside(a, other)


def test_time_goes_where_it_is_undecided(tmp_path: Path) -> None:
    def cases(data: TaskData, split: str) -> Iterator[Case]:
        for again in range(60):
            for case in _cases(data, split):
                yield replace(case, id=f"{case.id}-{again}")

    task = replace(TASK, cases=cases)
    _, run = ran(tmp_path, task, seconds=600.0)
    ns = {name: run.measures[name]["nDCG@10"].n for name in run.systems}
    assert ns["none"] < 720
    assert ns["random"] < 720
    assert ns["oracle"] == 720
    assert any("none: stopped after" in line and "clear of" in line for line in run.open)
    assert not run.complete
    _, late = ran(tmp_path, task, seconds=0.0, seed=1)
    assert all(0 < late.measures[name]["nDCG@10"].n < 720 for name in late.systems), "each gets its first batch"
    assert any("undecided when the time was over" in line for line in late.open)


# --- samples, caches, bad input ----------------------------------------------------------------------------------------


def test_a_sample_is_even_and_nested() -> None:
    cases = [Case(f"c{i}", "", category="big" if i % 4 else "small") for i in range(400)]
    few, more = drawn(cases, 40), drawn(cases, 80)
    assert [case.id for case in more[:40]] == [case.id for case in few], "a smaller sample is the start of a larger one"
    assert sum(case.category == "small" for case in few) == 10
    assert [case.id for case in drawn(cases[::-1], 40)] == [case.id for case in few], "whatever order the cases come in"
    assert [case.id for case in drawn(cases, 40, seed=1)] != [case.id for case in few]
    assert {case.id for case in drawn(cases, None)} == {case.id for case in cases}
    with pytest.raises(InvalidInput):
        drawn(cases, 0)


def test_calls_are_kept_by_content(tmp_path: Path) -> None:
    calls = CallCache(tmp_path / "calls.sqlite")
    inner = ScoringLLM(lambda prompt: prompt.text.upper(), price_in=1.0)
    llm = cached(inner, calls)
    assert isinstance(llm, LogLikelihood)
    assert not isinstance(cached(ScriptedLLM(), calls), LogLikelihood), "the cache adds no power"
    first = llm.complete([Prompt(text="a"), Prompt(text="b"), Prompt(text="a")], max_tokens=5)
    assert [one.text for one in first] == ["A", "B", "A"]
    assert len(inner.prompts) == 2
    assert llm.complete([Prompt(text="b")], max_tokens=5) == first[1:2]
    assert len(inner.prompts) == 2
    llm.complete([Prompt(text="b")], max_tokens=6)
    assert len(inner.prompts) == 3, "other settings are another call"
    assert llm.loglikelihood([("x y", "x")]) == llm.loglikelihood([("x y", "x")]) == [(-0.5, 1)]
    other = cached(ScriptedLLM("z", name="other"), calls)
    assert other.complete([Prompt(text="b")], max_tokens=5)[0].text == "z", "another model is another call"
    calls.close()


def test_a_model_that_is_read_when_it_counts_is_no_overhead(tmp_path: Path) -> None:
    class Late(ScriptedLLM):
        def count(self, texts: Sequence[str]) -> list[int]:
            time.sleep(0.05)
            return super().count(texts)

    calls, watch = CallCache(tmp_path / "calls.sqlite"), Stopwatch()
    assert cached(Late(), calls, watch).count(["a b"]) == Late().count(["a b"])
    assert watch.seconds >= 0.05
    calls.close()


def test_bad_input_is_said_and_yields_no_number(tmp_path: Path) -> None:
    def lost(data: TaskData, split: str) -> Iterator[Case]:
        for case in _cases(data, split):
            yield replace(case, gold={**case.gold, f"gone-{case.id}": 1.0})

    with pytest.raises(InvalidInput, match=r"12 gold keys are not among the records.*gone-c0 \(case c0\)"):
        ran(tmp_path, replace(TASK, cases=lost))
    with pytest.raises(InvalidInput, match="has no cases"):
        ran(tmp_path, replace(TASK, cases=lambda data, split: iter(())))
    with pytest.raises(UnknownName, match="test"):
        ran(tmp_path, split="tset")
    with pytest.raises(UnknownName, match="rank"):
        ran(tmp_path, protocol="rnak")
    with pytest.raises(InvalidInput, match="is a baseline"):
        ran(tmp_path, specs=("bm25",))
    with pytest.raises(InvalidInput, match="no stage that retrieves"):
        ran(tmp_path, specs=("budget",))
    with pytest.raises(CapabilityMissing, match="plain dense encoder is a baseline"):
        run_task(TASK, (), bench, encoder=None, llm=None, out=tmp_path / "runs", cache=tmp_path / "cache")
    assert not list((tmp_path / "runs").glob("*/run.json")) if (tmp_path / "runs").exists() else True
    _, run = ran(tmp_path, specs=("keys(k=3)",))
    assert "keys(k=3)" not in run.measures
    assert any("found nothing in any of 12 cases, so it has no number" in line for line in run.open)


def test_one_class_only_has_no_auc(tmp_path: Path) -> None:
    def cases(data: TaskData, split: str) -> Iterator[Case]:
        for case in _cases(data, split):
            yield replace(case, answers=("river",), category="")

    task = replace(TASK, protocols=("prefer",), measures=("AUC", "accuracy"), cases=cases)
    _, run = ran(tmp_path, task, llm=ScoringLLM())
    assert all("AUC" not in values for values in run.measures.values())
    assert any("AUC needs cases of both classes" in line for line in run.open)


def test_no_number_that_is_none_is_written(tmp_path: Path) -> None:
    with ItemLog(tmp_path / "x.jsonl") as log, pytest.raises(InvalidInput, match="is nan"):
        log.append([Item("a", measures={"F1": float("nan")})])
    assert read_items(tmp_path / "x.jsonl") == []


def test_names_of_files_are_safe_and_distinct(tmp_path: Path) -> None:
    names = ["rrf(bm25, dense)", "rrf(bm25; dense)", "../../etc", "a" * 500, *BASELINES]
    files = {item_file(tmp_path, name) for name in names}
    assert len(files) == len(names)
    assert all(path.parent == tmp_path / "items" and len(path.name) < 80 for path in files)


def test_results_carry_what_measures_need() -> None:
    assert Result("a").score is None
