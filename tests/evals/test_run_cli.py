"""`bowerbird eval`: the shape of its JSON, its exit codes, and that every command explains itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bowerbird.cli import eval as commands
from bowerbird.cli.app import app
from bowerbird.testing.encoders import HashEncoder

ANIMALS = ("heron", "badger", "otter", "lynx", "falcon", "marten", "beaver", "kestrel")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in BEIR layout, and parts that need no model."""
    home = tmp_path / "animals"
    (home / "qrels").mkdir(parents=True)
    rows = [{"_id": f"d{i}", "title": name, "text": f"The {name} lives by the river."} for i, name in enumerate(ANIMALS)]
    (home / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [{"_id": f"q{i}", "text": f"Where does the {name} live?"} for i, name in enumerate(ANIMALS)]
    (home / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    judged = "".join(f"q{i}\td{i}\t1\n" for i in range(len(ANIMALS)))
    (home / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    monkeypatch.setattr(commands, "_parts", lambda call: (HashEncoder(128), None))
    monkeypatch.setenv("BOWERBIRD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    return home


def run(*args: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["eval", *args])
    assert result.exit_code == code, result.output + repr(result.exception)
    return json.loads(result.stdout) if "--json" in args else result.stdout


def test_one_object_with_baselines_cost_and_hash(folder: Path, tmp_path: Path) -> None:
    found = run("run", str(folder), "--spec", "rrf(bm25, dense)", "--limit", "7", "--json")
    assert (found["task"], found["spec"]) == ("animals", "rrf(bm25, dense)")
    assert {"measures", "baselines", "cost", "data_sha256", "run_dir"} <= set(found)
    assert set(found["measures"]["nDCG@10"]) == {"value", "low", "high", "n"}
    assert found["measures"]["nDCG@10"]["n"] == 7
    assert list(found["baselines"]) == ["none", "random", "bm25", "dense", "oracle"]
    assert found["baselines"]["none"]["nDCG@10"]["value"] == 0.0
    assert len(found["data_sha256"]) == 64
    assert (tmp_path / found["run_dir"] / "run.json").exists()
    two = run("run", str(folder), "--spec", "bm25(k=3)", "--spec", "dense(k=3)", "--json")
    assert [one["spec"] for one in two["results"]] == ["bm25(k=3)", "dense(k=3)"]


def test_people_see_every_baseline(folder: Path) -> None:
    said = run("run", str(folder), "--spec", "rrf(bm25, dense)")
    for name in ("none", "random", "bm25", "dense", "oracle", "rrf(bm25, dense)", "nDCG@10", "recency: the records say nothing of time"):
        assert name in said


def test_compare_and_rerun(folder: Path) -> None:
    first = run("run", str(folder), "--spec", "bm25(k=3)", "--json")["run_dir"]
    second = run("run", str(folder), "--spec", "rrf(bm25, dense)", "--json")["run_dir"]
    found = run("compare", first, second, "--json")
    assert {(pair["a"], pair["b"]) for pair in found["pairs"]} >= {("bm25", "bm25"), ("bm25(k=3)", "rrf(bm25, dense)")}
    assert "of B" in run("compare", first, second)
    assert run("rerun", first, "--json")["same"] is True
    assert run("rerun", first, "--fresh", "--json")["same"] is True
    path = folder / "corpus.jsonl"
    path.write_text(path.read_text().replace("river", "lake"))
    assert run("rerun", first, "--json", code=2)["error"]["message"].count("the data was") == 1


def test_what_is_wrong_is_said(folder: Path, tmp_path: Path) -> None:
    assert "Did you mean 'scifact'" in run("run", "scifcat", "--json", code=2)["error"]["message"]
    assert "is no time" in run("run", str(folder), "--budget", "soon", "--json", code=2)["error"]["message"]
    assert "SHA-256" in run("run", "scifact", "--data", str(_altered(tmp_path)), "--json", code=6)["error"]["message"]
    assert "Set BOWERBIRD_DATA" in run("run", "cranfield", "--data", str(tmp_path), "--json", code=6)["error"]["message"]
    assert run("compare", str(tmp_path), "--json", code=3)["error"]["type"] == "NotFound"


def _altered(tmp_path: Path) -> Path:
    home = tmp_path / "data"
    (home / "knowledge/scifact/beir").mkdir(parents=True)
    (home / "knowledge/scifact/beir/corpus.jsonl.gz").write_bytes(b"something else")
    return home


def test_a_scoreboard_without_data_says_what_is_missing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bowerbird.evals.task._fetched", lambda file, path: False)
    found = run("scoreboard", "--small", "--data", str(tmp_path), "--runs", "board", "--out", "board.md", "--json", code=1)
    assert found["files"] == ["board.md", "board.json"]
    assert len(found["not_run"]) == found["lines"] > 4
    assert all("DataMissing" in line or "CapabilityMissing" in line for line in found["not_run"])
    said = (tmp_path / "board.md").read_text()
    assert "Set BOWERBIRD\\_DATA" in said
    assert "no run has ended" in said


def test_tasks_are_listed() -> None:
    rows = run("tasks", "--json")["tasks"]
    assert {"scifact", "locomo", "banking77"} <= {row["name"] for row in rows}
    assert all(row["protocols"] and row["measures"] and row["splits"] for row in rows)
    assert {row["kind"] for row in run("tasks", "--kind", "memory", "--json")["tasks"]} == {"memory"}
    run("tasks", "--kind", "memroy", "--json", code=2)


@pytest.mark.parametrize("name", [body.__name__ for body, _ in commands.COMMANDS])
def test_every_command_has_examples(name: str) -> None:
    said = run(name, "--help")
    assert "Examples:" in said
    assert f"bowerbird eval {name}" in said
