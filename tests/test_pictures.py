"""The pictures of the pages are those that the numbers beside them make, and can be read by whoever meets them."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def pictures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "benchmarks/pictures.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_they_are_in_step_with_the_numbers(pictures: ModuleType) -> None:
    kept = {path.name: path.read_text("utf-8") for path in (DOCS / "pictures").iterdir()}
    assert kept == pictures.drawn(DOCS), "run: python benchmarks/pictures.py"
    assert "\n".join(pictures.shown(list(kept))) in (DOCS / "learned.md").read_text("utf-8")
    for name in kept:
        assert re.search(rf"!\[[^\]]{{20,}}\]\(pictures/{re.escape(name)}\)", (DOCS / "learning.md").read_text("utf-8")), name


def test_each_is_whole_small_and_told(pictures: ModuleType) -> None:
    for name, text in pictures.drawn(DOCS).items():
        root = ET.fromstring(text)
        assert root.get("aria-labelledby") == "t d"
        assert [root.find(f"{SVG}{part}").get("id") for part in ("title", "desc")] == ["t", "d"], name  # type: ignore[union-attr]
        assert len(root.findtext(f"{SVG}desc") or "") > 100
        assert int(root.get("width") or 999) <= 390 - 2 * 16, "a phone would make its text smaller"
        style = root.findtext(f"{SVG}style") or ""
        assert min(map(float, re.findall(r"font-size: ([\d.]+)px", style))) >= 12
        assert "prefers-color-scheme: dark" in style
        used = {of for element in root.iter() for of in (element.get("class") or "").split()} - {"name"}
        assert all(f".{of} " in style for of in used), name
        assert "http" not in text.replace("http://www.w3.org/2000/svg", ""), "nothing from elsewhere"


def test_other_numbers_make_other_pictures_and_missing_ones_none(pictures: ModuleType, tmp_path: Path) -> None:
    shutil.copy(DOCS / "learned.json", tmp_path)
    learned = json.loads((tmp_path / "learned.json").read_text("utf-8"))
    learned["means"]["one encoder"]["scifact"] = 0.987
    learned["against"]["one encoder"]["scifact"] = {"difference": 0.341, "decided": True}
    learned["curve"] = [{"step": 0.0, "dev": 0.5}, {"step": 40.0, "dev": 0.625, "loss": 1.0}]
    (tmp_path / "learned.json").write_text(json.dumps(learned))
    assert {path.name for path in pictures.write(tmp_path)} == {"one-encoder.svg", "systems.svg", "training.svg"}
    told = (tmp_path / "pictures/one-encoder.svg").read_text("utf-8")
    assert "0.987 after" in told
    assert re.search(r'<text class="title"[^>]*>\+0\.341</text>', told)
    assert "step 40: 0.625" in (tmp_path / "pictures/training.svg").read_text("utf-8")
    learned["curve"] = []
    (tmp_path / "learned.json").write_text(json.dumps(learned))
    pictures.write(tmp_path)
    assert not (tmp_path / "pictures/training.svg").exists()
