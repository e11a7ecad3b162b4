"""Tasks without code: a BEIR folder, rows of JSON, a task of the MTEB library (a double of it)."""

import json
import sys
import types

import pytest

from bowerbird.errors import InvalidInput, MissingExtra, UnknownName
from bowerbird.evals.task import Case, DataAltered, DataMissing, TaskData
from bowerbird.evals.tasks import beir, mteb, rows
from bowerbird.types import Message, Record, Scope

SCOPE = Scope("eval")


def lines(*objects):
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text(lines({"_id": "1", "title": "T", "text": "a"}, {"_id": 2, "text": "b"}))
    (tmp_path / "queries.jsonl").write_text(lines({"_id": "q1", "text": "x"}, {"_id": "q2", "text": "y"}))
    for split in ("dev", "test"):
        (tmp_path / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t2\t1\n")
    return tmp_path


def test_a_beir_folder(folder):
    task = beir.task(folder, name="mine")
    data = task.data()
    assert (task.name, task.kind, task.splits, len(data.files)) == ("mine", "passage", ("test", "dev"), 4)
    assert list(task.records(data)) == [Record("1", "passage", "a", {"title": "T"}, SCOPE), Record("2", "passage", "b", {}, SCOPE)]
    assert list(task.cases(data, "dev")) == [Case("q1", "x", {"2": 1.0}, scope=SCOPE)]
    (folder / "queries.jsonl").write_text("{}")
    with pytest.raises(DataAltered, match=r"queries\.jsonl"):
        task.data()


def test_a_beir_folder_says_what_is_wrong(folder):
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t7\t1\nq1\t8\t1\nq1\t9\t0\n")
    with pytest.raises(InvalidInput, match=r"judges 2 passages that .*corpus\.jsonl does not hold: 7, 8\."):
        beir.task(folder)
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq7\t1\t1\n")
    with pytest.raises(InvalidInput, match=r"judges 1 queries that .*queries\.jsonl does not hold: q7\."):
        beir.task(folder)
    (folder / "qrels" / "test.tsv").write_text("query\tcorpus-id\tscore\nq7\t1\t1\n")
    with pytest.raises(InvalidInput, match="has no column 'query-id'"):
        beir.task(folder)
    for path in (folder / "qrels").iterdir():
        path.unlink()
    with pytest.raises(DataMissing, match=r"no qrels/<split>\.tsv"):
        beir.task(folder)
    (folder / "corpus.jsonl").unlink()
    with pytest.raises(DataMissing, match=r"no corpus\.jsonl \(nor corpus\.jsonl\.gz\)"):
        beir.task(folder)


RECORDS = (
    {"key": "a", "text": "Ann's cat", "kind": "memory", "scope": "eval/ann", "role": "user"},
    {"key": "b", "text": "A book", "title": "B", "valid_to": "2024-01-01"},
)
QUESTIONS = (
    {"id": "q", "question": "Cat?", "gold": ["a", "b"], "answers": ["yes"], "scope": "eval/ann", "at": "2023-01-01", "category": "pets"},
    {"question": "Book?", "gold": {"b": 2}, "history": [{"role": "user", "content": "Hi"}], "split": "dev", "facts": {"hard": True}},
)


def made(folder, questions=QUESTIONS, records=RECORDS):
    paths = folder / "questions.jsonl", folder / "records.jsonl"
    for path, content in zip(paths, (questions, records), strict=True):
        path.write_text(lines(*content))
    return rows.task(*paths)


def test_rows(tmp_path):
    task = made(tmp_path)
    data = task.data()
    assert (task.name, task.splits, task.protocols) == ("questions", ("test", "dev"), ("rank", "answer"))
    ann = Scope("eval", "ann")
    assert list(task.records(data)) == [
        Record("a", "memory", "Ann's cat", {"role": "user"}, ann),
        Record("b", "passage", "A book", {"title": "B"}, SCOPE, valid_to=1704067200.0),
    ]
    assert list(task.cases(data, "test")) == [
        Case("q", "Cat?", {"a": 1.0, "b": 1.0}, ("yes",), scope=ann, at=1672531200.0, category="pets")
    ]
    assert list(task.cases(data, "dev")) == [
        Case("2", "Book?", {"b": 2.0}, history=(Message("user", "Hi"),), scope=SCOPE, facts={"hard": True})
    ]


@pytest.mark.parametrize(
    ("questions", "records", "message"),
    [
        ([{"question": "?", "gold": "a"}], RECORDS, r"1 gold keys are not among the records of their scope in .*: 'a' of '1'\."),
        ([{"question": "?", "gold": ["x", "y"]}], RECORDS, "2 gold keys are not among"),
        ([{"qestion": "?"}], RECORDS, r"question 1: Unknown column 'qestion'\. Did you mean 'question'\?"),
        ([{"gold": "b"}], RECORDS, r"question 1: it has no 'question'\."),
        ([{"question": "?", "gold": {"b": 0}}], RECORDS, "a grade of gold is above 0"),
        ([{"id": 1, "question": "?", "gold": "b"}] * 2, RECORDS, "question 2: there is another question '1'"),
        ([{"question": "?"}], RECORDS, "has no question with gold or answers"),
        (QUESTIONS, [*RECORDS, RECORDS[1]], "record 3: there is another record 'b' in scope eval"),
        (QUESTIONS, [{"key": "a"}], r"record 1: it has no 'text'\."),
        (QUESTIONS, [{"key": "a", "text": "x", "page": "one"}], "record 1: Field 'page' of kind 'passage' takes int"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path, questions, records, message):
    with pytest.raises(InvalidInput, match=message):
        made(tmp_path, questions, records)


def test_rows_with_choices_are_classified(tmp_path):
    task = made(tmp_path, [{"question": "?", "answers": "yes", "choices": ["yes", "no"]}])
    assert (task.protocols, task.measures) == (("classify",), ("accuracy",))
    assert next(task.cases(task.data(), "test")).choices == ("yes", "no")


def test_rows_that_are_not_there(tmp_path):
    with pytest.raises(DataMissing, match=r"There is no file .*no\.jsonl"):
        rows.task(tmp_path / "no.jsonl", tmp_path / "neither.jsonl")


class Theirs:
    """Such a task as the library makes: loaded on demand, data by subset and split."""

    metadata = types.SimpleNamespace(
        name="Small",
        type="Retrieval",
        hf_subsets=["en", "de"],
        dataset={"path": "mteb/small", "revision": "abc"},
        license=None,
        bibtex_citation="@x",
    )
    eval_splits = ("test", "dev")

    def __init__(self):
        self.loads = 0

    def load_data(self):
        self.loads += 1

    def convert_v1_dataset_format_to_v2(self, num_proc):
        corpus = [{"id": "1", "title": "T", "text": "a"}, {"id": "2", "text": "b"}]
        queries = [{"id": "q1", "text": "x"}, {"id": "q2", "text": "y"}]
        part = {"corpus": corpus, "queries": queries, "relevant_docs": {"q1": {"2": 1, "1": 0}}}
        self.dataset = {"en": {"test": part, "dev": part}, "de": {"test": part | {"queries": [{"id": "q1", "text": ["x"]}]}}}


def test_a_task_of_mteb(monkeypatch):
    theirs = Theirs()
    monkeypatch.setitem(sys.modules, "mteb", types.SimpleNamespace(get_task={"Small": theirs}.__getitem__))
    task = mteb.task("Small")
    assert theirs.loads == 0
    assert (task.name, task.source, task.revision, task.licence, task.splits) == (
        "mteb-Small",
        "mteb/small",
        "abc",
        "not stated",
        ("test", "dev"),
    )
    data = task.data()
    assert data == TaskData(data.folder, ())
    assert list(task.records(data)) == [Record("1", "passage", "a", {"title": "T"}, SCOPE), Record("2", "passage", "b", {}, SCOPE)]
    assert list(task.cases(data, "dev")) == [Case("q1", "x", {"2": 1.0}, scope=SCOPE)]
    assert theirs.loads == 1
    with pytest.raises(InvalidInput, match="'q1' of 'Small' is no text but a list"):
        list(mteb.task("Small", "de").cases(data, "test"))
    with pytest.raises(UnknownName, match="Did you mean 'de'"):
        mteb.task("Small", "deu")


def test_mteb_takes_retrieval_tasks_alone(monkeypatch):
    other = types.SimpleNamespace(metadata=types.SimpleNamespace(type="STS"))
    monkeypatch.setitem(sys.modules, "mteb", types.SimpleNamespace(get_task=lambda name: other))
    with pytest.raises(InvalidInput, match="a task of type 'STS'"):
        mteb.task("Other")


def test_without_mteb(monkeypatch):
    monkeypatch.setitem(sys.modules, "mteb", None)
    with pytest.raises(MissingExtra, match=r"pip install 'bowerbird\[mteb\]'"):
        mteb.task("SciFact")
