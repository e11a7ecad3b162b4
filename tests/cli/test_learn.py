"""`bowerbird learn` on outcomes that contradict one another: status says which, and that they are in doubt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

import bowerbird
from bowerbird.cli.app import app


def data(*args: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*args, "--json"])
    assert result.exit_code == 0, result.output
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


@pytest.fixture(scope="module")
def bower(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, int]:
    """A bower where the boiler was the right answer forty times and then was not, and the position of the last good word."""
    path = tmp_path_factory.mktemp("learn") / "b.bower"
    good = 0
    with bowerbird.open(path, "home", encoder=None, llm=None) as bird:
        bird.add([{"key": "boiler", "kind": "passage", "text": "The boiler shows E4."}])
        for number in range(50):
            turn = bird.augment("boiler E4", spec="bm25 >> budget")
            seq = bird.feedback(turn, 1 if number < 40 else -1, keys="boiler")
            good = seq if number < 40 else good
    return str(path), good


def test_status_names_what_is_contradicted_and_doubts_it(bower: tuple[str, int]) -> None:
    path, good = bower
    at = ("-b", path, "-s", "home")
    said = data("learn", "status", *at)
    assert said["contradicted"] == [{"query": "boiler E4", "key": "boiler", "against": 10, "turns": 50}]
    assert f"--upto {good + 1}. " in said["doubt"], "up to the turn that the first doubted word is about"
    shown = CliRunner().invoke(app, ["learn", "status", *at]).stdout
    assert "boiler for 'boiler E4' 10 of 50" in " ".join(shown.split())
    assert "Not published: the newest outcomes are in doubt" in " ".join(shown.split())


def test_what_is_left_out_or_vouched_for_is_not_doubted(bower: tuple[str, int]) -> None:
    path, good = bower
    for more in (("--upto", str(good)), ("--believe", "1000")):
        rungs = data("learn", "auto", "-b", path, "-s", "home", "--component", "gate", *more)["rungs"]
        assert [(rung["component"], rung["published"]) for rung in rungs] == [("gate", False)]
        assert "needs at least" in rungs[0]["said"]
