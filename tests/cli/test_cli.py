"""The command line: every command has examples, a page and --json; results, exit codes and errors are what scripts can rely on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import bowerbird
from bowerbird.cli.app import COMMANDS, app, main
from bowerbird.cli.call import EXIT_CODES, clean, code_of
from bowerbird.cli.search import conditions
from bowerbird.errors import InvalidInput

NAMES = [body.__name__ for _, body, _ in COMMANDS]
DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BOWERBIRD_BOWER", "BOWERBIRD_SCOPE", "BOWERBIRD_LLM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "160")


def run(*args: str, input: str | None = None) -> Result:
    return CliRunner().invoke(app, list(args), input=input)


def data(*args: str, code: int = 0, input: str | None = None) -> dict[str, Any]:
    """What a command gives with --json: exactly one object on stdout."""
    result = run(*args, "--json", input=input)
    assert result.exit_code == code, result.output
    loaded = json.loads(result.stdout)
    assert isinstance(loaded, dict)
    assert result.stdout.count("\n") == 1
    return loaded


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bower without a dense encoder, made once: two memories, the second in place of the first, and a passage."""
    folder = tmp_path_factory.mktemp("made")
    path = str(folder / "b.bower")
    assert run("init", path, "--encoder", "none", "--scope", "home").exit_code == 0
    rows = [
        {"key": "diet-1", "kind": "memory", "text": "Ada eats no fish."},
        {"key": "diet-2", "kind": "memory", "text": "Ada eats fish again.", "supersedes": ["diet-1"]},
    ]
    (folder / "boiler.md").write_text("# Boiler\n\nWhen it shows E4, open the blue tap.\n")
    report = data("add", "-b", path, "-", str(folder / "boiler.md"), input="\n".join(map(json.dumps, rows)))
    assert report["added"] == 3
    return folder


@pytest.fixture
def bower(made: Path, tmp_path: Path) -> str:
    """A copy of that bower; what its index has reserved and not written is not copied."""
    subprocess.run(["cp", "-r", "--sparse=always", str(made / "b.bower"), str(tmp_path)], check=True)
    return str(tmp_path / "b.bower")


# --- help, page, JSON -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_examples_and_json_in_its_help(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    examples = result.stdout.partition("Examples:")[2]
    assert f"bowerbird {name}" in examples
    assert "--json" in result.stdout


def test_the_page_has_a_section_a_command_and_every_exit_code() -> None:
    page = DOCS.read_text("utf-8")
    assert sorted(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == sorted(NAMES)
    for section in re.split(r"^## ", page, flags=re.MULTILINE):
        if section.split("\n", 1)[0] in NAMES:
            assert f"bowerbird {section.split()[0]}" in section
    for code, meaning, _ in EXIT_CODES:
        assert f"| {code} | {meaning} |" in page
        assert meaning in re.sub(r"\s+", " ", run("--help").stdout)


def test_examples_of_page_and_help_parse(bower: str) -> None:
    """Every option that an example shows exists: `--help` at its end makes the parser look at all of it first."""
    lines = re.findall(r"^bowerbird (.+)$", DOCS.read_text("utf-8"), re.MULTILINE)
    lines += [line for name in NAMES for line in re.findall(r"^\s+bowerbird (.+?)\s*$", run(name, "--help").stdout, re.MULTILINE)]
    assert len(lines) > 50
    for line in lines:
        options = set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", re.sub(r"\"[^\"]*\"|'[^']*'", "''", re.split(r" [|#] | \|\| ", line)[0])))
        shown = run(line.split()[0], "--help").stdout
        assert not {option for option in options if option not in shown}, line


def test_version() -> None:
    assert run("--version").stdout == f"bowerbird {bowerbird.__version__}\n"


def test_every_command_gives_one_json_object(bower: str, made: Path) -> None:
    at = ("-b", bower)
    given: dict[str, dict[str, Any]] = {
        "init": data("init", bower),
        "add": data("add", *at, str(made / "boiler.md")),
        "search": data("search", *at, "boiler"),
        "augment": data("augment", *at, "What does the boiler show?"),
        "ask": data("ask", *at, "What does the boiler show?"),
        "records": data("records", *at),
        "show": data("show", *at, "diet-2"),
        "history": data("history", *at, "diet-1"),
        "verify": data("verify", *at),
        "rebuild": data("rebuild", *at),
        "reembed": data("reembed", *at, "none"),
        "stats": data("stats", *at),
        "methods": data("methods"),
        "doctor": data("doctor", *at),
    }
    given["feedback"] = data("feedback", *at, given["ask"]["turn"], "+1")
    given["delete"] = data("delete", *at, "diet-2", "--yes")
    assert {*given, "quickstart"} == set(NAMES)  # that one is in test_quickstart.py
    assert given["add"]["skipped"] == 1
    assert given["verify"]["clean"] is True
    assert given["rebuild"] == {"records": 3, "encoder": None}
    assert given["stats"]["records"] == {"memory": 2, "passage": 1}
    assert given["stats"]["scope"] == "home"
    assert given["doctor"]["healthy"] is True
    assert {"bm25", "dense", "rrf", "budget"} <= {stage["name"] for stage in given["methods"]["stages"]}
    assert given["feedback"]["value"] == 1.0
    assert given["delete"]["deleted"] == ["diet-2"]


# --- what commands do -------------------------------------------------------------------------------------------------


def test_a_bower_remembers_what_it_was_made_with(bower: str) -> None:
    assert data("init", bower)["scope"] == "home"
    assert data("show", "diet-2", "-b", bower)["record"]["scope"] == "home"
    assert data("show", "diet-2", "-b", bower, "-s", "other", code=3)["error"]["type"] == "NotFound"
    assert data("search", "fish", "-b", bower)["spec"] == "bm25"


def test_search_shows_scores_and_hides_what_is_superseded(bower: str) -> None:
    assert [hit["key"] for hit in data("search", "fish", "-b", bower)["hits"]] == ["diet-2"]
    stale = data("search", "fish", "-b", bower, "--stale")["hits"]
    assert sorted(hit["key"] for hit in stale) == ["diet-1", "diet-2"]
    assert stale[0]["scores"]["bm25"] == stale[0]["score"] > 0
    assert [hit["rank"] for hit in stale] == [1, 2]
    shown = run("search", "fish", "-b", bower).stdout
    assert "diet-2" in shown
    assert "bm25" in shown
    nothing = run("search", "zebra", "-b", bower)
    assert nothing.exit_code == 3
    assert "Nothing found" in nothing.stdout


def test_augment_shows_every_reason_and_pipes_bytes(bower: str) -> None:
    question = "When the boiler shows E4, which tap do I open?"
    found = data("augment", question, "-b", bower)
    (block,) = [block for block in found["context"]["blocks"] if block["kind"] == "passage"]
    shown = run("augment", question, "-b", bower).stdout
    for piece in ("bm25", "tokens", "rank 1", f"{found['context']['budget']:,} tokens", "left out"):
        assert piece in shown
    assert "blue tap" in block["shown"]
    messages = json.loads(run("augment", question, "-b", bower, "--messages").stdout)
    assert messages[-1]["role"] == "user"
    assert "open the blue tap" in run("augment", question, "-b", bower, "--text").stdout
    assert data("augment", question, "-b", bower, "--text", code=2)["error"]["type"] == "InvalidInput"
    few = run("augment", question, "-b", bower, "--spec", "recency(k=2) >> feature_ranker(top=1) >> budget").stdout
    assert "left out: 1 of 2 found, by feature_ranker" in few
    assert "1 in, 1 left out" in few


def test_ask_cites_and_says_when_it_knows_nothing(bower: str) -> None:
    found = data("ask", "When the boiler shows E4, which tap do I open?", "-b", bower)
    (citation,) = found["answer"]["citations"]
    record = data("show", citation["key"], "-b", bower)["record"]
    assert "blue tap" in record["text"][slice(*citation["record_span"])]
    assert record["version"] == citation["version"]
    result = run("ask", "Who composed the moonlight sonata?", "-b", bower)
    assert result.exit_code == 3
    assert "nothing relevant" in result.stdout


def test_budget_zero_and_one_too_small(bower: str) -> None:
    empty = data("augment", "Which tap does the boiler want?", "-b", bower, "--budget", "0")["context"]
    assert empty["tokens"] == 0
    assert [left["why"] for left in empty["left_out"]]
    assert data("augment", "tap", "-b", bower, "--budget", "3", code=2)["error"]["type"] == "BudgetTooSmall"
    assert data("augment", "tap", "-b", bower, "--budget", "-5", code=2)["error"]["type"] == "InvalidInput"


def test_feedback_takes_values_sentences_and_preferences(bower: str) -> None:
    turn = data("augment", "Ada eats fish, the boiler shows E4", "-b", bower, "--spec", "bm25(k=10) >> budget")["turn"]
    at = ("-b", bower)
    assert data("feedback", *at, turn, "-1")["value"] == -1
    assert data("feedback", *at, "--last", "-0.5", "--key", "diet-2")["keys"] == ["diet-2"]
    assert data("feedback", *at, "--last", "It was the old address")["value"] == "It was the old address"
    better = data("feedback", *at, turn, "--better", "diet-2", "--than", "boiler.md#start")
    assert better["value"] == ["diet-2", "boiler.md#start"]
    assert "Noted as event" in run("feedback", *at, "--last", "+1").stdout
    right = data("feedback", *at, "--last", "--correct", "Ada eats fish.")
    assert (right["value"], right["note"], right["keys"]) == ("Ada eats fish.", "correction", [])
    assert "would have been 'Ada eats it.'" in run("feedback", *at, turn, "--correct", "Ada eats it.").stdout
    assert data("feedback", *at, "--last", "--correct", " ", code=2)["error"]["type"] == "InvalidInput"
    assert data("feedback", *at, "--last", "+1", "--correct", "Fish.", code=2)["error"]["type"] == "InvalidInput"
    assert "--better" in data("feedback", *at, turn, "--correct", "a", "--better", "diet-2", "--than", "x", code=2)["error"]["message"]
    assert data("stats", *at)["events"] == {"served": 1, "outcome": 7}
    assert "diet-2" in data("feedback", *at, turn, "+1", "--key", "diet-3", code=2)["error"]["message"]
    assert data("feedback", *at, turn, "nan", code=2)["error"]["code"] == 2
    assert data("feedback", *at, "no-such-turn", "+1", code=3)["error"]["type"] == "NotFound"
    assert data("feedback", *at, turn, code=2)["error"]["type"] == "InvalidInput"
    assert "No such option" in data("feedback", *at, turn, "--kee", code=2)["error"]["message"]
    assert data("feedback", *at, "--last", "+1", "-s", "nobody", code=3)["error"]["type"] == "NotFound"


def test_records_page_by_page(bower: str) -> None:
    first = data("records", "-b", bower, "--limit", "1")
    second = data("records", "-b", bower, "--limit", "1", "--after", first["next"])
    assert [record["key"] for page in (first, second) for record in page["records"]] == ["boiler.md#start", "diet-2"]
    assert second["next"] is None
    assert [r["key"] for r in data("records", "diet", "-b", bower, "--stale", "-k", "memory")["records"]] == ["diet-1", "diet-2"]


def test_history_says_what_ended_a_version(bower: str) -> None:
    data("add", "-b", bower, "--text", "Ada eats fish twice a week.", "-k", "memory", "--key", "diet-2")
    first, second = data("history", "diet-2", "-b", bower)["versions"]
    assert (first["version"], first["why"], second["version"], second["ended"]) == (1, "updated", 2, None)
    assert "superseded by diet-2" in run("history", "diet-1", "-b", bower).stdout


def test_delete_asks_and_says_what_was_not_there(bower: str) -> None:
    assert data("delete", "diet-2", "-b", bower, code=2)["error"]["message"].endswith("say so with --yes.")
    partly = data("delete", "diet-2", "diet-9", "-b", bower, "--yes", code=1)
    assert (partly["deleted"], partly["missing"]) == (["diet-2"], ["diet-9"])
    assert data("delete", "diet-9", "-b", bower, "--yes", code=3)["error"]["type"] == "NotFound"
    assert len(data("history", "diet-2", "-b", bower)["versions"]) == 1
    data("delete", "diet-2", "-b", bower, "--yes", "--purge")
    assert data("history", "diet-2", "-b", bower, code=3)["error"]["type"] == "NotFound"


# --- adding -----------------------------------------------------------------------------------------------------------


def test_add_keeps_what_it_can_and_lists_the_rest(bower: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": "a", "body": "first"}\nnot json\n{"id": "b", "body": "second"}\n')
    args = ("add", "-b", bower, "--kind", "passage", "--map", "text=body", str(rows), str(tmp_path / "absent.md"))
    report = data(*args, code=1)
    assert report["added"] == 2
    assert report["failures"] == 2
    assert [failure["name"] for failure in report["failed"]] == [str(tmp_path / "absent.md"), "rows.jsonl: line 2"]
    shown = run(*args)
    assert shown.exit_code == 1
    assert "line 2" in shown.stdout
    assert data("add", "-b", bower, str(tmp_path / "absent.md"), code=2)["error"]["type"] == "InvalidInput"


def test_add_from_a_pipe(bower: str) -> None:
    lines = '{"key": "p1", "text": "one", "lang": "en"}\n{"key": "p2", "text": "two", "lang": "de"}\n'
    assert data("add", "-", "-k", "passage", "-b", bower, input=lines)["added"] == 2
    assert data("add", "-", "-k", "passage", "-b", bower, input=lines)["unchanged"] == 2
    assert [hit["key"] for hit in data("search", "one two", "-b", bower, "--where", "lang=de")["hits"]] == ["p2"]


def test_add_a_text_with_typed_fields(bower: str) -> None:
    fields = ("--field", "title=Kite", "--field", "tags=wind,paper", "--field", "price=9.5", "--field", "url=3")
    data("add", "-b", bower, "--text", "A kite.", "-k", "item", "--key", "kite", "--trust", "user", "--valid-to", "2999-01-01", *fields)
    record = data("show", "kite", "-b", bower)["record"]
    assert record["fields"] == {"title": "Kite", "tags": ["wind", "paper"], "price": 9.5, "url": "3"}
    assert (record["trust"], record["valid_to"]) == ("user", 32472144000.0)


def test_add_makes_a_missing_bower_and_says_so(tmp_path: Path) -> None:
    result = run("add", "-b", str(tmp_path / "new.bower"), "--text", "Hello", "-k", "memory", "--encoder", "none")
    assert result.exit_code == 0
    assert "new bower" in result.stderr
    assert data("search", "hello", "-b", str(tmp_path / "new.bower"))["spec"] == "bm25"


@pytest.mark.parametrize(
    ("args", "type", "said"),
    [
        (("add", "--text", "x", "--kind", "memry"), "UnknownName", "'memory'"),
        (("add", "--text", "x", "--kind", "passage", "--key", "diet-2"), "InvalidInput", "cannot become 'passage'"),
        (("add", "--text", "x"), "InvalidInput", "kind"),
        (("add",), "InvalidInput", "Nothing to add"),
        (("add", "--key", "k", "file.md"), "InvalidInput", "--text"),
        (("add", "--text", "x", "-k", "memory", "--field", "topic"), "InvalidInput", "name=value"),
        (("search", "x", "--kind", "tol"), "UnknownName", "'tool'"),
        (("search", "x", "--spec", "bm52"), "UnknownName", "'bm25'"),
        (("search", "x", "--where", "year>=new"), "InvalidInput", "number"),
        (("search", "x", "--at", "yesterday"), "InvalidInput", "ISO 8601"),
        (("search", "x", "-n", "0"), "InvalidInput", "at least 1"),
        (("search", "x", "--scope", "a/b/c/d"), "InvalidInput", "4 parts"),
        (("search", "x", "--encoder", "opnvino"), "UnknownName", "'openvino'"),
        (("ask", "x", "--llm", "locl"), "UnknownName", "'local'"),
        (("feedback", "--last", "+1", "--source", "usr"), "UnknownName", "'user'"),
    ],
)
def test_bad_input_is_one_sentence_and_a_code(bower: str, args: tuple[str, ...], type: str, said: str) -> None:
    result = run(*args, "-b", bower)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    assert said in result.stderr
    error = data(*args, "-b", bower, code=2)["error"]
    assert (error["type"], error["code"]) == (type, 2)


def test_methods_suggests_the_nearest() -> None:
    assert "'budget'" in data("methods", "budgt", code=2)["error"]["message"]
    assert "'rerank'" in data("methods", "--role", "rerankk", code=2)["error"]["message"]
    (budget,) = data("methods", "budget")["parts"]
    assert budget["settings"]["tokens"] == 2000
    rrf = next(stage for stage in data("methods")["stages"] if stage["name"] == "rrf")
    assert "SIGIR 2009" in rrf["source"]


# --- bowers that are none ---------------------------------------------------------------------------------------------


def test_no_bower_no_folder_no_catalog(tmp_path: Path) -> None:
    missing = data("search", "x", "-b", str(tmp_path / "none.bower"), code=3)["error"]["message"]
    assert "bowerbird init" in missing
    assert not (tmp_path / "none.bower").exists()
    (tmp_path / "file.bower").write_text("not a folder")
    for command in (("search", "x"), ("init",), ("add", "--text", "x", "-k", "memory")):
        assert "is a file" in data(*command, "-b", str(tmp_path / "file.bower"), code=2)["error"]["message"]
    (tmp_path / "odd.bower").mkdir()
    (tmp_path / "odd.bower" / "catalog.db").write_bytes(b"this is no database " * 100)
    assert data("records", "-b", str(tmp_path / "odd.bower"), code=6)["error"]["type"] == "CatalogError"
    assert data("doctor", "-b", str(tmp_path / "odd.bower"), code=1)["healthy"] is False


def test_verify_finds_what_is_missing_and_rebuild_mends_it(bower: str) -> None:
    with bowerbird.open(bower, "home", encoder=None) as bird:
        (gone,) = [record.id for record in bird.list() if record.key == "diet-2"]
        bird.index.store.delete([gone])
        bird.index.store.flush()
    found = data("verify", "-b", bower, code=1)
    assert (found["clean"], found["missing"], found["examples"]) == (False, 1, ["diet-2@1"])
    assert "bowerbird rebuild" in run("verify", "-b", bower).stdout
    data("rebuild", "-b", bower)
    assert data("verify", "-b", bower)["clean"] is True


_HOLD = """
import sys, bowerbird
with bowerbird.open(sys.argv[1], "home", encoder=None) as bird:
    bird.search("fish")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_an_index_held_by_another_process_is_named(bower: str) -> None:
    held = subprocess.Popen([sys.executable, "-c", _HOLD, bower], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert held.stdout is not None
        assert held.stdout.readline() == "held\n"
        error = data("search", "fish", "-b", bower, code=4)["error"]
        assert error["type"] == "StoreBusy"
        assert f"process {held.pid} " in error["message"]
        added = run("add", "-b", bower, "--text", "Ada has a kite.", "-k", "memory", "--key", "kite")
        assert added.exit_code == 0
        assert str(held.pid) in added.stderr
        assert str(held.pid) in data("doctor", "-b", bower)["findings"]["index"]["todo"]
    finally:
        held.communicate("")
    assert [hit["key"] for hit in data("search", "kite", "-b", bower)["hits"]] == ["kite"]


# --- the program itself -----------------------------------------------------------------------------------------------


def test_usage_errors_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    for args, said in (
        (["serach", "x"], "'search'"),
        (["search", "x", "--knd", "tool"], "--k"),
        (["search", "x", "-n", "many"], "integer"),
    ):
        with pytest.raises(SystemExit) as left:
            main([*args, "--json"])
        assert left.value.code == 2
        captured = capsys.readouterr()
        error = json.loads(captured.out)["error"]
        assert error["code"] == 2
        assert said in error["message"]
        assert captured.err == f"Error: {error['message']}\n"


def test_python_m_and_a_reader_that_has_enough(bower: str) -> None:
    done = subprocess.run([sys.executable, "-m", "bowerbird", "records", "-b", bower, "--json"], capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)["records"]) == 2
    line = f"{sys.executable} -m bowerbird methods --json | head -c 10; echo ${{PIPESTATUS[0]}}"
    piped = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert "Traceback" not in piped.stderr
    assert "Exception" not in piped.stderr


def test_help_needs_no_engine() -> None:
    code = (
        "import sys\ntry:\n import bowerbird.cli as c; c.main(['--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'sqlalchemy', 'torch', 'openvino') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_a_fault_is_told_apart(bower: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("half of it")

    monkeypatch.setattr("bowerbird.engine.Engine.search", broken)
    with pytest.raises(SystemExit) as left:
        main(["search", "x", "-b", bower, "--json"])
    captured = capsys.readouterr()
    assert left.value.code == 70
    assert json.loads(captured.out)["error"]["type"] == "ZeroDivisionError"
    assert "Traceback" in captured.err


def test_debug_shows_where_an_error_came_from(bower: str) -> None:
    assert "Traceback" in run("show", "nothing", "-b", bower, "--debug").stderr


def test_a_record_cannot_steer_the_terminal(bower: str) -> None:
    steering = "\x1b[2J\x1b]0;owned\x07 \u202efish [bold]fish[/bold]"
    data("add", "-b", bower, "--text", steering, "-k", "memory", "--key", "steer")
    for args in (("search", "owned"), ("show", "steer"), ("records",), ("augment", "owned fish"), ("ask", "owned fish")):
        shown = run(*args, "-b", bower).output
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "\x07" not in shown
    assert "[bold]" in run("show", "steer", "-b", bower).stdout
    assert data("show", "steer", "-b", bower)["record"]["text"] == steering
    assert clean("tab\tand\nline") == "tab\tand\nline"


def test_conditions() -> None:
    assert conditions(["lang=en", "year>=2020", "year<2025", 'code="3"']) == {"lang": "en", "year": {"gte": 2020, "lt": 2025}, "code": "3"}
    assert conditions(["lang=en", "lang=de", "free=true"]) == {"lang": ["en", "de"], "free": True}
    for bad in (["lang"], ["=x"], ["year=2020", "year>2"], ["year>2", "year=2020"], ["year>true"]):
        with pytest.raises(InvalidInput):
            conditions(bad)


def test_code_of_every_error_is_listed() -> None:
    from bowerbird import errors

    codes = {
        name: code_of(getattr(errors, name)("x", "y", []) if name == "UnknownName" else getattr(errors, name)()) for name in errors.__all__
    }
    assert set(codes.values()) == {2, 3, 4, 5, 6}
    assert codes["UnknownName"] == codes["BudgetTooSmall"] == codes["ScopeMissing"] == 2
    assert (codes["NotFound"], codes["StoreBusy"], codes["ModelMissing"], codes["LLMError"]) == (3, 4, 5, 6)
    assert code_of(OSError("disk full")) == 6
    assert code_of(ZeroDivisionError()) == 70


def test_a_source_is_listed_and_deleted_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("# Herons\n\nHerons wade.\n")
    runner = CliRunner()
    assert runner.invoke(app, ["add", "notes", "--encoder", "none", "--json"]).exit_code == 0
    (source,) = json.loads(runner.invoke(app, ["stats", "--json"]).stdout)["sources"]
    gone = runner.invoke(app, ["delete", "--source", source, "--yes", "--json"])
    assert json.loads(gone.stdout) == {"source": source, "removed": 1}
    assert runner.invoke(app, ["delete", "--source", source, "--yes"]).exit_code == 2
    assert runner.invoke(app, ["delete", "--yes"]).exit_code == 2
