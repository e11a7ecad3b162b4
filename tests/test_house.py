"""The house rules that a reader relies on: imports point down, tables list what is there, nothing prints, the base is light."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path

import pytest

import bowerbird
from bowerbird import table
from bowerbird.stage import Leaf

ROOT = Path(bowerbird.__file__).parent
FLOORS = {
    **dict.fromkeys(("types", "errors", "need"), 0),
    **dict.fromkeys(("ports", "stage", "roles", "flow", "spec", "kinds", "table", "sentences", "database"), 1),
    **dict.fromkeys(("encoders", "llms", "stores", "catalog", "ledger", "components"), 2),
    **dict.fromkeys(("stages", "ingest", "evals", "index", "parts", "household"), 3),
    "testing": 3,
    **dict.fromkeys(("engine", "learn"), 4),
    "cli": 5,
    "__main__": 6,
}
MAY_USE = {("household", "ingest"), ("parts", "index")}  # a floor-3 room that is built on another one


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), ast.parse(path.read_text("utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Rooms of our own package that a module imports, inside functions too."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("bowerbird."):
                yield name.split(".")[1]


def test_imports_point_down() -> None:
    wrong = []
    for name, tree in modules():
        if not name:
            continue  # the package itself re-exports
        room = name.split(".")[0]
        assert room in FLOORS, f"{room} has no floor"
        for other in imported(tree):
            if other == room or other not in FLOORS or (room, other) in MAY_USE:
                continue
            level = FLOORS[other] < FLOORS[room] or (FLOORS[other] == FLOORS[room] <= 1)
            if not level:
                wrong.append(f"{name} imports {other}")
    assert wrong == []


def test_rooms_of_floor_one_form_no_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for name, tree in modules():
        room = name.split(".")[0]
        if FLOORS.get(room) == 1:
            # `a >> b` builds a Chain: the one import inside a function that points sideways
            graph.setdefault(room, set()).update(
                o for o in imported(tree) if FLOORS.get(o) == 1 and o != room and (room, o) != ("stage", "flow")
            )
    seen: set[str] = set()
    while ready := [room for room in graph if room not in seen and graph[room] <= seen]:
        seen.update(ready)
    assert seen == set(graph)


def test_nothing_prints_outside_the_command_line() -> None:
    for name, tree in modules():
        if name.split(".")[0] in ("cli", "__main__"):
            continue
        calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print"]
        assert not calls, f"{name} prints"


def test_every_module_says_what_it_is() -> None:
    assert [name for name, tree in modules() if not ast.get_docstring(tree)] == []


def test_all_lists_what_exists() -> None:
    for name, tree in modules():
        listed = [
            n for n in tree.body if isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in n.targets)
        ]
        if listed:
            module = importlib.import_module(f"bowerbird.{name}" if name else "bowerbird")
            assert [item for item in module.__all__ if not hasattr(module, item)] == [], name


@pytest.mark.parametrize("group", ["stages", "encoders", "stores", "llms", "sources", "tasks"])
def test_a_table_lists_what_is_there(group: str) -> None:
    for name, (target, _) in table.names(group).items():
        found = table.load(group, name)
        assert found is not None
        if group == "stages":
            assert issubclass(found, Leaf)
            assert is_dataclass(found)
            assert (found.name, target.split(":")[0].rsplit(".", 1)[-1]) == (name, name), "class, file and table bear one name"
            assert found.__doc__
            assert found.role == target.split(".")[2]


@pytest.mark.parametrize("role", ["gate", "rewrite", "retrieve", "fuse", "rerank", "refine", "compose", "read", "critique"])
def test_a_role_folder_has_no_method_outside_its_table(role: str) -> None:
    listed = importlib.import_module(f"bowerbird.stages.{role}").TABLE
    for path in (ROOT / "stages" / role).glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        bases = {base.id for node in tree.body if isinstance(node, ast.ClassDef) for base in node.bases if isinstance(base, ast.Name)}
        if role.capitalize() in bases:
            assert path.stem in listed


def test_the_base_import_is_light() -> None:
    heavy = [
        "torch",
        "transformers",
        "sentence_transformers",
        "openvino",
        "qdrant_edge",
        "qdrant_client",
        "openai",
        "pyarrow",
        "rich",
        "typer",
    ]
    code = f"import sys, bowerbird; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
