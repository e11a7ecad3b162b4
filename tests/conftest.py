"""Fixtures of all tests: no network, no caller's environment, nothing written outside the test's folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bowerbird import Engine, open
from bowerbird.testing.encoders import HashEncoder

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, model or bower of the person who runs the tests reaches them."""
    for name in [name for name in os.environ if name.startswith(("BOWERBIRD_", "OPENAI_"))]:
        if name not in ("BOWERBIRD_DATA", "BOWERBIRD_SLOW", "BOWERBIRD_CACHE"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real datasets; tests that need it are skipped where it is missing."""
    folder = Path(os.environ.get("BOWERBIRD_DATA", Path(__file__).parents[1] / "../shared/data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no datasets at {folder}; name their folder with BOWERBIRD_DATA")
    return folder


@pytest.fixture
def bird(tmp_path: Path) -> Iterator[Engine]:
    """A bower of Ann's, with the hashing encoder and no language model."""
    with open(tmp_path / "bower", "acme/ann", encoder=HashEncoder(), llm=None) as engine:
        yield engine
