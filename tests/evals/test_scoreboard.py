"""The scoreboard: its plan, going on after a kill, what fails, the page, and the checks against outsiders, on made data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bowerbird import Engine
from bowerbird.errors import InvalidInput
from bowerbird.evals import authority, scoreboard, standings
from bowerbird.evals.budgets import evidence
from bowerbird.evals.compare import holm
from bowerbird.evals.plan import OURS, PROTOCOLS, SMALL, Line, plan, small
from bowerbird.evals.protocols import TABLE
from bowerbird.evals.rerun import beside
from bowerbird.evals.results import Run, item_file
from bowerbird.evals.scoreboard import Board, Row, play
from bowerbird.evals.task import Case, Task, TaskData
from bowerbird.evals.tasks import TABLE as TASKS
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.llms import ScriptedLLM
from bowerbird.types import Record, Scope, replace

ANIMALS = ("heron", "badger", "otter", "lynx", "falcon", "marten", "beaver", "kestrel", "viper", "salmon", "osprey", "weasel")
SCOPE = Scope("eval")


def _records(data: TaskData) -> Iterator[Record]:
    for i, animal in enumerate(ANIMALS):
        yield Record(f"r{i}", "passage", f"The {animal} was seen near the river in year {i}", {}, SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for i, animal in enumerate(ANIMALS):
        yield Case(f"c{i}", f"When was the {animal} seen?", {f"r{i}": 1.0}, (f"year {i}",), scope=SCOPE)


def _broken(data: TaskData, split: str) -> Iterator[Case]:
    raise RuntimeError("this file is not what it was")


def task(name: str, **changes: Any) -> Task:
    made = Task(
        name=name,
        kind="passage",
        about="",
        source="",
        revision="",
        licence="",
        citation="",
        protocols=("rank", "answer"),
        measures=("nDCG@10", "F1"),
        splits=("test",),
        files=(),
        records=_records,
        cases=_cases,
    )
    return replace(made, **changes)


MINI = {"mini": task("mini"), "broken": task("broken", cases=_broken), "other": task("other", kind="tool", measures=("Recall@3", "F1"))}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`made(lines, llm)`: the lines played over the miniature tasks."""
    monkeypatch.setattr(scoreboard, "get", MINI.__getitem__)
    monkeypatch.setattr("bowerbird.evals.budgets.get", MINI.__getitem__)

    def run(lines: list[Line], llm: Any = None, **options: Any) -> Board:
        bench = lambda path, encoder, model: Engine(path, encoder=encoder, llm=model)  # noqa: E731
        given = {"runs": tmp_path / "runs", "cache": tmp_path / "cache", **options}
        return play(lines, bench, encoder=HashEncoder(128), llm=llm, **given)

    return run


LINES = [Line(name, MINI[name].kind, "rank", None, 1000, 10.0) for name in ("mini", "broken", "other")]


def test_the_plan_takes_every_task_and_protocol() -> None:
    lines = plan([*MINI.values(), task("new", protocols=("brand-new",)), task("ex", protocols=("classify",))])
    assert {(line.task, line.protocol) for line in lines} >= {("mini", "rank"), ("mini", "answer"), ("ex", "knn"), ("ex", "classify")}
    (new,) = [line for line in lines if line.task == "new"]
    assert new.skip
    assert new.limit
    assert [line.protocol for line in lines] == sorted((line.protocol for line in lines), key=[*PROTOCOLS, "brand-new"].index)
    assert len({line.name for line in lines}) == len(lines)


def test_the_real_plan_fits_an_hour_and_says_why_it_leaves_what_out() -> None:
    from bowerbird.evals.task import get

    tasks = [get(name) for name in TASKS]
    lines = plan(tasks)
    assert {line.task for line in lines} == set(TASKS)
    assert sum(line.seconds for line in lines if not line.skip) <= 56 * 60
    assert {protocol for one in tasks for protocol in one.protocols} <= set(PROTOCOLS)
    assert all(line.protocol in TABLE or line.skip for line in lines)
    assert {(line.task, line.protocol) for line in small(lines)} == set(SMALL)


def test_one_that_fails_is_named_and_the_others_go_on(made: Any) -> None:
    heard: list[tuple[int, str, float]] = []
    board = made(LINES, heard=lambda over, row, left: heard.append((over, row.line.task, left)))
    assert [bool(row.folder) for row in board.rows] == [True, False, True]
    assert "RuntimeError: this file is not what it was" in board.rows[1].why
    assert [(over, name) for over, name, _ in heard] == [(1, "mini"), (2, "broken"), (3, "other")]
    assert heard[0][2] >= heard[1][2] > heard[2][2] == 0
    without = made([replace(LINES[0], protocol="answer")])
    assert "needs a language model" in without.rows[0].why


def test_it_goes_on_where_it_was_stopped(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = [False]

    def interrupt(over: int, row: Row, left: float) -> None:
        if stop[0]:
            raise KeyboardInterrupt

    stop[0] = True
    with pytest.raises(KeyboardInterrupt):
        made([LINES[0], LINES[2]], heard=interrupt)
    ran: list[str] = []
    run_task = scoreboard.run_task
    monkeypatch.setattr(scoreboard, "run_task", lambda task, *args, **named: ran.append(task.name) or run_task(task, *args, **named))
    board = made([LINES[0], LINES[2]])
    assert ran == ["other"], "what was done is not run again"
    assert board.sittings == 2
    assert board.cold, "the second sitting goes on from what the first one kept"
    assert all(row.folder for row in board.rows)
    ran.clear()
    made([replace(LINES[0], limit=6)])
    assert ran == ["mini"], "another limit is another line"
    (tmp_path / "runs" / "scoreboard.json").write_text("{")
    with pytest.raises(InvalidInput, match="is damaged"):
        made(LINES)


def test_what_does_not_fit_the_time_is_left_out(made: Any) -> None:
    board = made([replace(LINES[0], seconds=600.0), LINES[2]], minutes=5.0)
    assert board.rows[0].folder is None
    assert "of 5 minutes were over" in board.rows[0].why
    assert board.rows[1].folder
    assert made([replace(LINES[0], skip="left for time")]).rows[0].why == "left for time"


def test_the_page_has_every_baseline_and_what_compare_says(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standings, "authority", lambda board, data: [])
    monkeypatch.setattr(standings, "_CURVES", ("mini",))
    answer = replace(LINES[0], protocol="answer", tokens=250)
    board = made([*LINES, answer, replace(LINES[2], tokens=9, skip="left | for time")], ScriptedLLM("year 3"))
    page, data = standings.write(board, tmp_path / "docs" / "scoreboard.md", ScriptedLLM())
    said, held = page.read_text(), json.loads(data.read_text())
    assert "Do not edit" in said
    assert "from an empty cache" in said
    assert "left \\| for time" in said
    assert "RuntimeError: this file is not what it was" in said
    assert [(row["task"], row["protocol"]) for row in held["rows"]] == [("mini", "rank"), ("other", "rank"), ("mini", "answer")]
    for row in held["rows"]:
        assert {"none", "random", "bm25", "dense", "oracle", "ours"} <= set(row["cells"])
        found = beside(Path(row["folder"]), Path(row["folder"]), row["paired"])
        for name, against in (("best", row["best"]), ("none", "none")):
            pair, verdict = found.pairs[against, row["ours"]], row["verdicts"][name]
            assert (pair.p, pair.difference.value, pair.difference.low) == (verdict["p"], verdict["difference"], verdict["low"])
    ps = [verdict["p"] for row in held["rows"] for verdict in row["verdicts"].values()]
    assert [v["p_table"] for row in held["rows"] for v in row["verdicts"].values()] == holm(ps), "corrected over the whole table"
    assert held["rows"][0]["verdicts"]["none"]["word"] == "better"
    curve = {one["name"]: [at["value"] for at in one["points"]] for one in held["curves"][0]["systems"]}
    assert set(curve) == {"random", "bm25", "dense", OURS}
    assert all(values == sorted(values) for values in curve.values()), "more room shows no less"
    tables = [line for line in said.splitlines() if line.startswith("|")]
    heads = {line.count(" | ") for line in tables if "mini" in line or line.startswith("| task | protocol | measure")}
    assert len(heads) <= 3, "every row of a table has its columns"


def test_a_run_without_its_baselines_is_no_result(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standings, "authority", lambda board, data: [])
    board = made([LINES[0]])
    folder = board.rows[0].folder
    run = Run.load(folder)
    systems = {name: about for name, about in run.systems.items() if name != "bm25"}
    replace(run, systems=systems).save(folder)
    page, data = standings.write(board, tmp_path / "x.md", None)
    row = json.loads(data.read_text())["rows"][0]
    assert row["cells"] == row["verdicts"] == {}
    assert "no result" in page.read_text()


def test_length_has_a_column_where_a_row_has_it(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standings, "authority", lambda board, data: [])
    board = made([LINES[0], LINES[2]])
    folder = board.rows[0].folder
    run = Run.load(folder)
    replace(run, systems={**run.systems, "length": "the longer"}, measures={**run.measures, "length": run.measures["bm25"]}).save(folder)
    item_file(folder, "length").write_bytes(item_file(folder, "bm25").read_bytes())
    page, _ = standings.write(board, tmp_path / "x.md", None)
    heads = [line for line in page.read_text().splitlines() if line.startswith("| task | protocol | measure")]
    assert ["| length |" in line for line in heads] == [True, False]


def test_what_learning_left_beside_the_page_is_on_it(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standings, "authority", lambda board, data: [])
    board = made([LINES[0]])
    page, _ = standings.write(board, tmp_path / "x.md", None)
    assert "## Learned" not in page.read_text()
    plain, one = {"value": 0.6, "low": 0.5, "high": 0.7}, {"value": 0.7, "low": 0.6, "high": 0.8}
    against = {"difference": 0.1, "from": 0.05, "to": 0.15, "p": 0.0001, "decided": True}
    told = {"mean over kinds": {"plain": plain, "one encoder": {**one, **against}}, "tasks": [{"task": "nq"}, {"task": "trec"}]}
    (tmp_path / "learned.json").write_text(json.dumps(told))
    page, data = standings.write(board, tmp_path / "x.md", None)
    assert "| one encoder | 0.700<br>0.600–0.800 | +0.100 (+0.050 to +0.150), p < .001 |" in page.read_text()
    assert "test splits of nq, trec by" in page.read_text()
    assert json.loads(data.read_text())["learned"]["tasks"] == ["nq", "trec"]
    assert "###" not in page.read_text()
    (tmp_path / "learned").mkdir()
    rows = [{"router": "a|b", "APGR": 0.5, "n": 1234, "cost": None, "more": 7}]
    table = {"title": "Routers", "command": "python x.py", "machine": "2 cores", "load": 1.5, "columns": ["router", "APGR", "n", "cost"]}
    (tmp_path / "learned" / "routers.json").write_text(json.dumps({**table, "rows": rows}))
    page, _ = standings.write(board, tmp_path / "x.md", None)
    assert "### Routers\n\n`python x.py` on 2 cores; load 1.5.\n" in page.read_text()
    assert "| a\\|b | 0.500 | 1,234 | – |" in page.read_text()


def test_what_fits_a_budget(made: Any) -> None:
    folder = made([LINES[0]]).rows[0].folder
    found = evidence(folder, ScriptedLLM(), (1, 10_000))
    by = {one["name"]: [at["value"] for at in one["points"]] for one in found["systems"]}
    assert by["bm25"] == [0.0, 1.0]
    answered = made([replace(LINES[0], protocol="answer", limit=6)], ScriptedLLM("x")).rows[0].folder
    with pytest.raises(InvalidInput, match="read off a ranking"):
        evidence(answered, ScriptedLLM())


def test_bm25_by_fields_adds_the_fields() -> None:
    records = [Record(f"r{i}", "passage", text, {}, SCOPE) for i, text in enumerate(("a heron", "two otters swim", "the lynx"))]
    cases = [Case("a", "otter", {"r1": 1.0}), Case("b", "swimming heron", {"r0": 1.0})]
    texts = [record.text for record in records]
    titles = ["heron", "otter", ""]
    assert authority.by_fields(records, cases, [texts]) == pytest.approx((1.0 + authority.by_fields(records, cases[1:], [texts])) / 2)
    assert authority.by_fields(records, cases, [titles, texts]) == 1.0, "the title's heron outweighs the text's swim"


def test_checks_that_cannot_be_made_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bowerbird.evals.task._fetched", lambda file, path: False)
    checks = authority.authority(Board((), 0.0, 1, 0.0, (0.0, 0.0)), tmp_path)
    assert all(check["within"] == "–" for check in checks)
    assert any("Set BOWERBIRD_DATA" in check["how"] for check in checks)
