"""The quickstart without a model: real records of every kind, eight questions with their contexts, and what to type next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bowerbird.cli.app import app
from bowerbird.household import questions
from bowerbird.kinds import TABLE

ARGS = ("quickstart", "--limit", "150", "--no-answer", "--encoder", "none")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    bower = tmp_path_factory.mktemp("quick") / "q.bower"
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, [*ARGS, "--bower", str(bower)])
    assert result.exit_code == 0, result.output
    return bower, result.stdout


def test_it_shows_every_question_with_its_context_and_what_comes_next(first: tuple[Path, str]) -> None:
    bower, shown = first
    for asked in questions():
        assert asked.question in shown
    for piece in ("bm25", "tokens", "rank 1 by bm25", "left out", "What to type next", f"BOWERBIRD_BOWER={bower}", "bowerbird feedback "):
        assert piece in shown


def test_again_everything_is_as_before(first: tuple[Path, str]) -> None:
    bower, _ = first
    result = CliRunner().invoke(app, [*ARGS, "--bower", str(bower), "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert sum(load["added"] + load["updated"] + load["removed"] for load in found["loaded"]) == 0
    assert set(found["records"]) == {kind.name for kind in TABLE}
    assert len(found["questions"]) == len(questions())
    assert all(question["context"]["tokens"] <= question["context"]["budget"] for question in found["questions"])
    never = {key for asked in questions() for key in asked.never}
    assert not never & {block["key"] for question in found["questions"] for block in question["context"]["blocks"]}
    assert found["answered"]["answer"]["citations"][0]["key"] == "ada-moves-ghent"


def test_the_bower_of_somebody_is_left_alone() -> None:
    shown = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["quickstart", "--help"]).stdout
    assert "quickstart.bower" in shown
    assert "BOWERBIRD_BOWER" not in shown
