"""The tables of parts: every name leads to a class of that name, nothing is loaded before it is asked for, the docs list the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bowerbird import stages, table
from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.stage import Leaf

STAGES = {name: found for name, found in table.names("stages").items() if found[0].startswith("bowerbird.")}
ROLES = ("gate", "retrieve", "fuse", "rerank", "refine", "compose", "read", "critique")
DOCS = Path(__file__).parents[1] / "docs" / "stages.md"


@pytest.mark.parametrize("name", sorted(STAGES))
def test_each_stage_is_where_its_name_says(name):
    target, role = STAGES[name]
    cls = table.load("stages", name)
    assert issubclass(cls, Leaf)
    assert cls.name == name
    assert cls.role == role
    assert target.split(":")[0] == f"bowerbird.stages.{role}.{name}"
    assert str(cls()) == name, "every setting has a default"
    assert len(cls.__doc__ or "") > 20
    assert cls.__doc__ is not Leaf.__doc__


def test_every_method_file_is_in_its_table():
    for role in ROLES:
        folder = Path(next(iter(stages.__path__))) / role
        files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
        listed = {name for name, (_, where) in STAGES.items() if where == role}
        assert listed <= files
        for extra in files - listed:
            text = (folder / f"{extra}.py").read_text(encoding="utf-8")
            assert "ClassVar[str] =" not in text, f"{role}/{extra}.py holds a method that no table lists"


def test_the_docs_list_the_same_methods():
    sections = re.split(r"^##+ ", DOCS.read_text(encoding="utf-8"), flags=re.M)[1:]
    listed = {section.split("\n", 1)[0].strip("` "): re.findall(r"^\| `(\w+)", section, flags=re.M) for section in sections}
    for role in ROLES:
        tabled = [name for name, (_, where) in STAGES.items() if where == role]
        assert sorted(listed.get(role, [])) == sorted(tabled), f"docs/stages.md, section {role}"


def test_unknown_names_give_the_nearest():
    with pytest.raises(UnknownName, match=r"Unknown stage 'bm52'\. Did you mean 'bm25'"):
        table.load("stages", "bm52")
    with pytest.raises(InvalidInput, match=r"No entry points in 'bowerbird\.nothing'"):
        table.names("nothing")


class _Point:
    def __init__(self, name, value, parts):
        self.name, self.value, self.load = name, value, lambda: parts


def test_others_enter_by_the_same_door(monkeypatch):
    points = [_Point("extra", "other.pack:TABLE", {"mine": "fractions:Fraction"}), _Point("fuse", "bowerbird.x:TABLE", {"own": "a:B"})]
    monkeypatch.setattr(table, "entry_points", lambda group: points)
    names = table.names.__wrapped__("stages")
    assert names == {"own": ("a:B", "fuse"), "mine": ("fractions:Fraction", "extra")}
    assert list(names) == ["own", "mine"], "built-in parts come first"
    points[0] = _Point("extra", "other.pack:TABLE", {"own": "fractions:Fraction"})
    with pytest.raises(InvalidInput, match=r"'own' is listed twice in bowerbird\.stages: a:B and fractions:Fraction"):
        table.names.__wrapped__("stages")


def test_listing_and_parsing_load_no_heavy_module():
    code = (
        "import sys; from bowerbird import table; from bowerbird.spec import parse; "
        "table.names('stages'); parse('small_talk >> rrf(bm25, dense) >> cross_encoder >> mmr'); "
        "heavy = {'torch', 'transformers', 'openvino', 'sqlalchemy', 'qdrant_edge', 'openai', 'Stemmer'} & set(sys.modules); "
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
