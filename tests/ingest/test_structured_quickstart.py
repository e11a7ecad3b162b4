"""The quickstart's input: Python's own documentation, and the household."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird import household
from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.ingest.source import Failure
from bowerbird.ingest.sources.docstrings import LONGEST, of_source, pieces
from bowerbird.ingest.sources.python_docs import PythonDocs, _cap
from bowerbird.kinds import checked_fields, kind, kinds


@pytest.fixture(scope="module")
def docs():
    started = time.perf_counter()
    found = {unit.name: list(unit.read()) for unit in PythonDocs().units()}
    return found, time.perf_counter() - started


@pytest.fixture(scope="module")
def house():
    return [one for source in household.sources() for unit in source.units() for one in unit.read()]


def test_thousands_of_records_in_seconds(docs):
    found, seconds = docs
    records = [one for unit in found.values() for one in unit if not isinstance(one, Failure)]
    assert 3000 <= len(records) <= 6000
    assert {record.kind for record in records} == {"passage", "tool"}
    assert len({record.key for record in records}) == len(records)
    assert all(0 < len(record.text) <= LONGEST for record in records)
    assert seconds < 30, "measured 3 to 5 s on two shared cores; this bound only catches what is broken"


def test_everyday_functions_are_found_under_their_public_names(docs):
    found, _ = docs
    keys = {one.key: one for unit in found.values() for one in unit if not isinstance(one, Failure)}
    for name in (
        "json.loads",
        "asyncio.wait_for",
        "datetime.datetime.strptime",
        "os.listdir",
        "math.dist",
        "tomllib.load",
        "pathlib.Path.read_text",
    ):
        assert f"py:{name}" in keys, name
    assert keys["py:json.loads"].fields["signature"].startswith("(s, *, cls=None")
    assert keys["py:pathlib.Path.read_text"].fields["signature"] == "(encoding=None, errors=None)"
    assert keys["doc:json"].fields["title"] == "json"
    assert not [key for key in keys if "._" in key]


def test_a_second_listing_has_the_same_stamps_and_settings_change_them():
    first = [(unit.name, unit.stamp) for unit in PythonDocs(["json", "pytest"]).units()]
    assert first == [(unit.name, unit.stamp) for unit in PythonDocs(["pytest", "json"]).units()]
    assert [name for name, _ in first] == ["json", "pytest"]
    assert first != [(unit.name, unit.stamp) for unit in PythonDocs(["json", "pytest"], kind="tool").units()]


@pytest.mark.parametrize("limit", [1, 7, 50])
def test_the_limit_holds(limit):
    names = ["json", "math", "asyncio", "pytest", "email"]
    records = [one for unit in PythonDocs(names, limit=limit).units() for one in unit.read()]
    assert len(records) <= limit
    assert all(one.kind == "tool" for unit in PythonDocs("math", kind="tool", limit=limit).units() for one in unit.read())


@given(st.lists(st.integers(0, 100)), st.integers(0, 500))
def test_the_cap_is_the_largest_that_fits(sizes, limit):
    cap = _cap(sizes, limit)
    assert sum(min(size, cap) for size in sizes) <= limit
    if cap < max(sizes, default=0):
        assert sum(min(size, cap + 1) for size in sizes) > limit


def test_bad_settings_name_the_nearest():
    with pytest.raises(UnknownName, match="json"):
        list(PythonDocs("jsn").units())
    with pytest.raises(UnknownName, match="tool"):
        PythonDocs(kind="tools")  # type: ignore[arg-type]
    for limit in (0, True, 1.5):
        with pytest.raises(InvalidInput, match="limit"):
            PythonDocs(limit=limit)


def test_reading_documentation_imports_no_installed_package():
    code = (
        "import sys; from bowerbird.ingest.sources.python_docs import PythonDocs\n"
        "n = sum(1 for u in PythonDocs(['hypothesis', 'pytest', 'json', 'math']).units() for _ in u.read())\n"
        "assert n > 30, n; assert 'pytest' not in sys.modules; assert 'hypothesis' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_sources_are_parsed_and_never_run(tmp_path):
    (tmp_path / "__init__.py").write_text('"""Top."""\nfrom ._in import open_it\nfrom .pub import *\nraise SystemExit(1)\n')
    path = tmp_path / "m.py"
    path.write_text(
        '"""Doc \\ud800 half."""\n__all__ = ["f", "C", "undocumented"]\n'
        'def f(a, /, b: int = 2, *c, d, **e) -> str:\n    """First line\n    goes on.\n\n    Second."""\n'
        'def g():\n    "not in __all__"\ndef undocumented(): pass\n'
        'class C:\n    """A class."""\n    def m(self, x=1):\n        """Method."""\n'
        '    @staticmethod\n    def s(x):\n        """Static."""\n'
        '    @property\n    def p(self):\n        """No call."""\n    def _q(self):\n        """Hidden."""\n'
        '    def odd(self=None):\n        """Odd."""\n'
    )
    said, _ = of_source(path, "m")
    assert [(one.name, one.sort, one.signature) for one in said] == [
        ("m", "passage", None),
        ("m.f", "tool", "(a, /, b: int=2, *c, d, **e) -> str"),
        ("m.C", "passage", None),
        ("m.C.m", "tool", "(x=1)"),
        ("m.C.s", "tool", "(x)"),
        ("m.C.odd", "tool", "()"),
    ]
    assert said[0].text == "Doc ? half."
    assert said[1].text == "First line goes on."
    assert of_source(tmp_path / "__init__.py", "pkg")[1] == {"_in": frozenset({"open_it"}), "pub": None}


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))) | st.sampled_from(["\n", "\n\n", "word " * 300])).map("".join))
def test_pieces_are_short_and_lose_nothing_but_space(doc):
    cut = pieces(doc)
    assert all(0 < len(piece) <= LONGEST for piece in cut)
    assert "".join("".join(cut).split()) == "".join(doc.split())


def test_the_household_holds_all_that_is_not_documentation(house):
    failures = [one for one in house if isinstance(one, Failure)]
    assert failures == []
    count = {name: sum(record.kind == name for record in house) for name in kinds()}
    assert count.pop("tool") == 0
    assert {name: number for name, number in count.items() if number} == {
        "passage": 6,
        "memory": 27,
        "example": 24,
        "user": 6,
        "item": 30,
        "model": 6,
    }
    assert len({record.key for record in house}) == len(house)
    for record in house:
        checked_fields(kind(record.kind), record.fields)
        assert kind(record.kind).encode(record).strip()
        assert kind(record.kind).show(record).strip()


def test_the_household_agrees_with_itself(house):
    records = {record.key: record for record in house}
    superseded = {old for record in house for old in record.supersedes}
    assert superseded == {"ada-lives-lisbon", "ada-diet-vegetarian"} <= records.keys()
    assert all(record.fields["popularity"] > 0 for record in house if record.kind == "item" and record.key == "game-tide-keepers")
    assert "Tide Keepers (rated 5)" in records["ada"].fields["history"]
    assert [source.id for source in household.sources()] == [
        f"household:{name}" for name in ("memories", "chat", "examples", "items", "models", "notes")
    ]


def test_every_question_can_be_answered(house, docs):
    found, _ = docs
    records = {one.key: one for one in [*house, *(one for unit in found.values() for one in unit)] if not isinstance(one, Failure)}
    superseded = {old for record in house for old in record.supersedes}
    asked = household.questions()
    assert {name for question in asked for name in question.kinds} == set(kinds())
    for question in asked:
        for key in question.expect:
            assert records[key].kind in question.kinds, key
        assert set(question.never) <= superseded
