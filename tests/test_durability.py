"""A process that is killed in the middle of an ingest loses nothing it acknowledged; `benchmarks/kill.py` is the long version."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks/kill.py"


@pytest.mark.skipif(not hasattr(__import__("signal"), "SIGKILL"), reason="this system knows no kill -9")
def test_three_kills_lose_nothing(tmp_path: Path) -> None:
    out = tmp_path / "kill.json"
    options = ["--kills", "3", "--records", "1000", "--batch", "100", "--out", str(out)]
    done = subprocess.run([sys.executable, str(SCRIPT), *options], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(out.read_text("utf-8"))["rows"]
    assert [row["kill"] for row in rows if row["kill"] != "end"][-1] == 3
    assert all((row["lost"], row["half"], row["wrong"]) == (0, 0, 0) for row in rows)
    assert rows[-1]["kept"] == 1000 or rows[-1]["kill"] == 3
    assert all(row["kept"] >= row["acknowledged"] for row in rows)
