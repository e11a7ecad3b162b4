"""What the README and the tour tell a person to type does work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def snippets(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.M | re.S)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the README and the docs, where `bowerbird` is on the path."""
    shutil.copy(ROOT / "README.md", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    return tmp_path


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "140"}


@pytest.mark.parametrize("page", ["README.md", "docs/tour.md"])
def test_python_snippets_run(page: str, place: Path) -> None:
    code = "\n".join(snippets(page, "python"))
    assert code
    done = subprocess.run([sys.executable, "-c", code], cwd=place, env=environment(), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "vpn@1" in done.stdout


@pytest.mark.parametrize("page", ["README.md", "docs/tour.md"])
def test_shell_snippets_run(page: str, place: Path) -> None:
    lines = [line for snippet in snippets(page, "sh") for line in snippet.splitlines() if line.startswith("bowerbird")]
    assert len(lines) >= 5
    for line in lines:
        done = subprocess.run(["bash", "-c", line], cwd=place, env=environment(), capture_output=True, text=True, timeout=240)
        said = re.search(r"# exit code (\d+)", line)
        assert done.returncode == (int(said[1]) if said else 0), f"{line}\n{done.stdout}\n{done.stderr}"


def test_the_readme_gives_exactly_two_commands_for_a_fresh_machine() -> None:
    first = re.findall(r"^```\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)[0]
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make run", "make test"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^run:", makefile, re.M)
    assert re.search(r"^test:", makefile, re.M)
