"""Tables, chats, examples, users, items and models: what goes in, what is reported, and that nothing is lost between them."""

import contextlib
import csv
import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.ingest.source import Failure, open_source
from bowerbird.ingest.sources.chat import Chat
from bowerbird.ingest.sources.csv import Csv
from bowerbird.ingest.sources.items import HISTORY, Items
from bowerbird.ingest.sources.jsonl import Jsonl
from bowerbird.ingest.sources.rows import HOPELESS
from bowerbird.ingest.sources.typed_rows import Examples, Models, Users
from bowerbird.types import Record

DATA = Path(os.environ.get("BOWERBIRD_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def split(found):
    found = list(found)
    return [one for one in found if isinstance(one, Record)], [one for one in found if isinstance(one, Failure)]


def read(reader, path, text, *, encoding="utf-8"):
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return split(reader.read(path, path.name))


# --- JSON Lines ---


def test_columns_are_found_under_their_usual_names_and_the_rest_become_fields(tmp_path):
    records, failures = read(
        Jsonl(), tmp_path / "a.jsonl", '{"_id": 7, "title": "Tide", "body": "Water rises.", "lang": "en", "year": 1999}\n'
    )
    assert failures == []
    (record,) = records
    assert (record.key, record.kind, record.text) == ("7", "passage", "Water rises.")
    assert dict(record.fields) == {"title": "Tide", "lang": "en", "year": 1999}


def test_a_mapping_renames_joins_and_leaves_out(tmp_path):
    mapping = {"text": "{head}. {abstract}", "key": "doc:{n}", "fields.lang": "language", "fields.secret": None}
    records, failures = read(
        Jsonl(mapping=mapping), tmp_path / "a.jsonl", '{"n": 1, "head": "A", "abstract": "B", "language": "de", "secret": "x", "n2": 2}\n'
    )
    assert failures == []
    assert (records[0].key, records[0].text) == ("doc:1", "A. B")
    assert dict(records[0].fields) == {"lang": "de", "n": 1, "n2": 2}


def test_bad_lines_are_reported_with_their_number_and_the_rest_goes_in(tmp_path):
    lines = [
        b'\xef\xbb\xbf{"id": "a", "text": "one"}',
        b"{broken",
        b"",
        b'["no", "object"]',
        b'{"id": "b", "text": "\xff\xfe"}',
        b'{"id": "c", "text": "two", "score": NaN}',
        b'{"id": "d", "text": "x", "score": Infinity}',
        b'{"id": "a", "text": "again"}',
        b'{"id": "e", "text": ["no", "text"]}',
        b'{"id": "f", "title": "only"}',
        b'{"id": "g", "text": "half \\ud800 pair"}',
        b'{"id": true, "text": "x"}',
        '{"id": "h", "text": "שלום 🦩 é"}'.encode(),
    ]
    records, failures = read(Jsonl(), tmp_path / "a.jsonl", b"\r\n".join(lines))
    assert [record.key for record in records] == ["a", "c", "h"]
    assert records[2].text == "שלום 🦩 é"
    assert "score" not in records[1].fields, "NaN is a missing value"
    whys = {failure.name: failure.why for failure in failures}
    assert sorted(whys, key=lambda name: int(name.split()[1])) == [f"line {n}" for n in (2, 4, 5, 7, 8, 9, 10, 11, 12)]
    assert "UTF-8" in whys["line 5"]
    assert "Infinity" in whys["line 7"]
    assert "'a' of line 1" in whys["line 8"]
    assert "title" in whys["line 10"]
    assert "mapping" in whys["line 10"]
    assert "surrogate" in whys["line 11"]


def test_a_line_that_is_too_long_is_skipped_without_losing_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("bowerbird.ingest.sources.jsonl.LONGEST_LINE", 1000)
    text = json.dumps({"id": 1, "text": "x" * 5000}) + "\n" + json.dumps({"id": 2, "text": "y"}) + "\n"
    records, failures = read(Jsonl(), tmp_path / "a.jsonl", text)
    assert [record.key for record in records] == ["2"]
    assert [failure.name for failure in failures] == ["line 1"]


def test_empty_gzipped_damaged_and_utf16_files(tmp_path):
    assert read(Jsonl(), tmp_path / "empty.jsonl", "") == ([], [])
    row = b'{"id": 1, "text": "packed"}\n'
    records, _ = read(Jsonl(), tmp_path / "a.jsonl.gz", gzip.compress(row))
    assert records[0].text == "packed"
    with pytest.raises(InvalidInput, match="damaged"):
        read(Jsonl(), tmp_path / "b.jsonl.gz", gzip.compress(row * 1000)[:-20])
    with pytest.raises(InvalidInput, match="UTF-16"):
        read(Jsonl(), tmp_path / "c.jsonl", row.decode(), encoding="utf-16")


def test_a_mapping_that_fits_no_row_stops_early_and_names_the_columns(tmp_path):
    rows = "".join(json.dumps({"id": n, "bodi": "x"}) + "\n" for n in range(HOPELESS * 3))
    path = tmp_path / "a.jsonl"
    path.write_text(rows)
    with pytest.raises(InvalidInput, match=r"body.*Did you mean 'bodi'.*bodi, id"):
        list(Jsonl(mapping={"text": "body"}).read(path, path.name))
    for bad in ({"txt": "a"}, {"text": 3}, {"fields.": "a"}):
        with pytest.raises(InvalidInput):
            Jsonl(mapping=bad)
    with pytest.raises(UnknownName, match="memory"):
        Jsonl(kind="memori")


def test_keys_without_a_column_follow_the_content_not_the_line(tmp_path):
    first, _ = read(Jsonl(), tmp_path / "a.jsonl", '{"text": "one"}\n{"text": "two"}\n{"text": "one"}\n')
    second, _ = read(Jsonl(), tmp_path / "a.jsonl", '{"text": "new"}\n{"text": "two"}\n{"text": "one"}\n')
    assert len(first) == 2, "the same content twice is one record, and no failure"
    assert {record.key for record in first} <= {record.key for record in second}


def test_a_kind_column_supersedes_and_validity_are_read(tmp_path):
    row = {"id": "new", "kind": "memory", "text": "I live in Ghent", "supersedes": ["old"], "valid_to": "2026-06-01", "time": "2026-05-01"}
    records, failures = read(Jsonl(), tmp_path / "a.jsonl", json.dumps(row))
    assert failures == []
    assert records[0].kind == "memory"
    assert records[0].supersedes == ("old",)
    assert records[0].valid_to == 1780272000.0
    assert records[0].fields["time"] == 1777593600.0
    assert records[0].trust == "user"


def test_a_json_array_and_rows_in_memory_read_like_lines(tmp_path):
    rows = [{"input": "2 + 2", "output": "4", "task": "sums"}, {"text": "great film", "label": 1}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows))
    from_file, _ = split(open_source(path, format="examples").units().__next__().read())
    in_memory, _ = split(Examples().records(rows, "a.json"))
    assert from_file == in_memory
    assert [(record.text, record.fields["output"]) for record in from_file] == [("2 + 2", "4"), ("great film", 1)]
    assert from_file[1].fields["label"] == "1"
    with pytest.raises(InvalidInput, match="list of mappings"):
        list(Examples().records("text", "x"))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"text": st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip)},
            optional={
                "n": st.integers(-(2**53), 2**53),
                "x": st.floats(allow_nan=False, allow_infinity=False),
                "tags": st.lists(st.text("ab")),
            },
        ),
        max_size=8,
    )
)
def test_what_is_written_is_what_is_read(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "a.jsonl"
    records, failures = read(Jsonl(), path, "".join(json.dumps({"id": number, **row}) + "\n" for number, row in enumerate(rows)))
    assert failures == []
    assert [{"text": record.text, **record.fields} for record in records] == rows


# --- CSV ---


def test_csv_types_follow_the_kind(tmp_path):
    text = "id;title;genres;price;note\n1;Tide;sea|calm;3.5;\n2;Storm;['x;4;\n"
    records, failures = read(Csv(kind="item"), tmp_path / "a.csv", text, encoding="utf-8-sig")
    assert records[0].key == "1"
    assert dict(records[0].fields) == {"title": "Tide", "tags": ["sea", "calm"], "price": 3.5}
    assert [failure.name for failure in failures] == ["line 3"]


def test_csv_reports_rows_that_do_not_fit_their_header(tmp_path):
    text = b'id,text\n1,one\n2\n3,three,extra\n4,"two\nlines"\n5,caf\xe9\n6,six\n'
    records, failures = read(Csv(), tmp_path / "a.csv", text)
    assert [(record.key, record.text) for record in records] == [("1", "one"), ("4", "two\nlines"), ("6", "six")]
    assert [failure.name for failure in failures] == ["line 3", "line 4", "line 7"]


def test_csv_headers_that_cannot_be_used(tmp_path):
    for text, complaint in (("", "empty"), ("a,a\n1,2\n", "more than once"), ("a,\n1,2\n", "without a name")):
        with pytest.raises(InvalidInput, match=complaint):
            read(Csv(), tmp_path / "a.csv", text)


def test_csv_cell_beyond_the_limit_costs_one_row(tmp_path):
    records, failures = read(Csv(), tmp_path / "a.csv", f"id,text\n1,{'x' * (csv.field_size_limit() + 1)}\n2,ok\n")
    assert [record.key for record in records] == ["2"]
    assert "JSON Lines" in failures[0].why


def test_utf16_and_tsv(tmp_path):
    records, _ = read(Csv(), tmp_path / "a.tsv", "id\ttext\n1\tä, b; c\n", encoding="utf-16")
    assert records[0].text == "ä, b; c"


# --- Parquet ---


def test_parquet_is_read_in_batches_with_times_and_missing_values(tmp_path):
    arrow = pytest.importorskip("pyarrow", reason="pyarrow (extra files) is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    from datetime import UTC, datetime

    table = arrow.table(
        {
            "id": list(range(2500)),
            "text": [None if n == 3 else f"row {n}" for n in range(2500)],
            "score": [float("nan")] * 2500,
            "time": [datetime(2026, 5, 1, tzinfo=UTC)] * 2500,
        }
    )
    path = tmp_path / "a.parquet"
    parquet.write_table(table, path)
    records, failures = split(open_source(path, kind="memory").units().__next__().read())
    assert len(records) == 2499
    assert [failure.name for failure in failures] == ["row 4"]
    assert dict(records[0].fields) == {"time": 1777593600.0}
    path.write_bytes(b"PAR1 no")
    with pytest.raises(InvalidInput, match="Parquet"):
        list(open_source(path).units().__next__().read())


# --- users and models ---


def test_users_and_models_by_file_ending(tmp_path):
    users, failures = read(Users(), tmp_path / "u.jsonl", '{"user_id": 5, "profile": {"diet": "fish"}, "history": ["a"]}\n{"user_id": 6}\n')
    assert (users[0].key, users[0].kind, users[0].fields["profile"]) == ("5", "user", {"diet": "fish"})
    assert len(failures) == 1, "a user of whom nothing is known is no record"
    models, failures = read(
        Models(),
        tmp_path / "m.csv",
        "name,endpoint,price_in,price_out,latency_ms,context_window,capabilities\nfig-7b,http://x/v1,0.1,0.2,90,8000,chat|code\n",
    )
    assert failures == []
    assert models[0].key == "fig-7b"
    assert dict(models[0].fields) == {
        "name": "fig-7b",
        "endpoint": "http://x/v1",
        "price_in": 0.1,
        "price_out": 0.2,
        "latency_ms": 90.0,
        "context_window": 8000,
        "capabilities": ["chat", "code"],
    }
    with pytest.raises(UnknownName, match=r"\.csv"):
        read(Models(), tmp_path / "m.cvs", "x")


# --- items ---


def shop(folder: Path) -> Path:
    (folder / "items.jsonl").write_text('{"id": "tea", "title": "Tea"}\n{"id": "jam", "title": "Jam"}\n')
    (folder / "interactions.csv").write_text(
        "user,item,rating,time\nann,jam,4,30\nann,tea,2,10\nbob,tea,,20\nann,gone,1,1\n,tea,1,1\nbob,tea,many,1\n"
    )
    return folder


def test_interactions_give_popularity_and_history(tmp_path):
    source = Items(shop(tmp_path))
    items, users = source.units()
    records, failures = split(items.read())
    assert {record.key: (record.fields["popularity"], record.fields.get("rating")) for record in records} == {
        "tea": (2.0, 2.0),
        "jam": (1.0, 4.0),
    }
    assert [failure.name for failure in failures] == ["interactions.csv line 6", "interactions.csv line 7", "interactions.csv"]
    people, _ = split(users.read())
    assert {record.key: record.fields["history"] for record in people} == {
        "user:ann": ["gone (rated 1)", "Tea (rated 2)", "Jam (rated 4)"],
        "user:bob": ["Tea"],
    }


def test_items_stamps_change_with_any_table_and_are_stable_otherwise(tmp_path):
    source = Items(shop(tmp_path))
    before = [unit.stamp for unit in source.units()]
    assert before == [unit.stamp for unit in Items(tmp_path).units()]
    (tmp_path / "interactions.csv").write_text("user,item\nann,jam\n")
    assert all(old != new for old, new in zip(before, [unit.stamp for unit in source.units()], strict=True))


def test_items_errors_name_what_is_there(tmp_path):
    with pytest.raises(InvalidInput, match="no table of items"):
        Items(tmp_path)
    shop(tmp_path)
    (tmp_path / "interactions.csv").write_text("person,item\nann,jam\n")
    with pytest.raises(InvalidInput, match=r"interactions\.user.*person"):
        list(next(Items(tmp_path).units()).read())
    with pytest.raises(UnknownName, match=r"interactions\.user"):
        Items(tmp_path, mapping={"interactions.usr": "person"})
    assert len(list(next(Items(tmp_path, mapping={"interactions.user": "person"}).units()).read())) == 2


def test_movielens(tmp_path):
    folder = DATA / "items" / "ml-latest-small"
    movies = next((path for path in sorted(folder.glob("movies.csv*"))), None)
    if movies is None:
        pytest.skip(f"ml-latest-small is not at {folder} (set BOWERBIRD_DATA)")
    keys = {"key": "movie:{movieId}", "interactions.item": "movie:{movieId}"}
    source = Items(movies, interactions=next(folder.glob("ratings.csv*")), mapping=keys)
    items, users = source.units()
    records, failures = split(items.read())
    assert len(records) == 9742
    assert failures == []
    top = max(records, key=lambda record: record.fields["popularity"])
    assert (top.fields["title"], top.fields["popularity"]) == ("Forrest Gump (1994)", 329.0)
    people, _ = split(users.read())
    assert len(people) == 610
    assert all(len(person.fields["history"]) <= HISTORY for person in people)


# --- chat ---

TALK = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "name": "Ada", "content": "I moved to Ghent.", "timestamp": "2026-05-01T10:00:00Z"},
    {"role": "assistant", "content": None, "tool_calls": [{}]},
    {"role": "tool", "content": "{}"},
    {"role": "assistant", "content": [{"type": "text", "text": "Noted."}, {"type": "image_url", "image_url": {}}]},
    {"role": "user", "content": "Thanks"},
]


def test_messages_become_memories_with_stable_keys():
    records, failures = split(Chat().records(TALK, "talk.json"))
    assert failures == []
    assert [(record.key, record.fields["role"], record.text) for record in records] == [
        ("talk.json/2", "Ada", "I moved to Ghent."),
        ("talk.json/5", "assistant", "Noted.\n[image]"),
        ("talk.json/6", "user", "Thanks"),
    ]
    assert records[0].fields["time"] == 1777629600.0
    assert records[0].fields["turn"] == 2
    grown, _ = split(Chat().records([*TALK, {"role": "user", "content": "More"}], "talk.json"))
    assert grown[:3] == records


def test_exchanges_keep_every_message():
    records, _ = split(Chat(per="exchange").records(TALK, "t"))
    assert [(record.key, record.text) for record in records] == [
        ("t/2", "Ada: I moved to Ghent.\nassistant: Noted.\n[image]"),
        ("t/6", "Thanks"),
    ]


def test_conversations_in_every_wrapping_are_the_same(tmp_path):
    conversations = [{"id": "a", "session": 3, "time": 5, "messages": TALK}, {"id": "b", "messages": TALK[5:]}]
    listed, _ = split(Chat().records(conversations, "x"))
    wrapped, _ = split(Chat().records({"conversations": conversations}, "x"))
    lines, _ = read(Chat(), tmp_path / "x.jsonl", "".join(json.dumps(one) + "\n" for one in conversations))
    loose = [{**message, "conversation_id": "a", "session": 3} for message in TALK] + [{**TALK[5], "conversation_id": "b"}]
    single, _ = read(Chat(), tmp_path / "y.jsonl", "".join(json.dumps(one) + "\n" for one in loose))
    assert listed == wrapped == lines
    assert [(record.key, record.text) for record in single] == [(record.key, record.text) for record in listed]
    assert {record.fields["session"] for record in listed if record.key.startswith("a/")} == {"3"}
    assert listed[1].fields["time"] == 5.0, "a message without a time has that of its conversation"


def test_two_conversations_without_a_name_do_not_share_keys():
    records, failures = split(Chat().records([{"messages": TALK}, {"messages": TALK}], "x"))
    assert failures == []
    assert len({record.key for record in records}) == 6
    _, failures = split(Chat().records([{"id": 1, "messages": TALK}, {"id": "1", "messages": TALK}], "x"))
    assert len(failures) == 1


def test_bad_messages_are_reported_and_the_rest_goes_in():
    talk = [
        {"content": "no role"},
        "text",
        {"role": "user", "content": 5},
        {"role": "user", "content": "x", "time": "soon"},
        {"role": "user", "content": "ok"},
    ]
    records, failures = split(Chat().records(talk, "x"))
    assert [record.text for record in records] == ["ok"]
    assert [failure.name for failure in failures] == ["message 1", "message 2", "message 3", "message 4"]
    assert "ISO 8601" in failures[3].why
    for bad in ("text", 5):
        with pytest.raises(InvalidInput):
            list(Chat().records(bad, "x"))
    with pytest.raises(UnknownName, match="content"):
        Chat(mapping={"contents": "text"})
    renamed, _ = split(Chat(mapping={"role": "who", "content": "said"}).records([{"who": "Ann", "said": "Hi"}], "x"))
    assert (renamed[0].fields["role"], renamed[0].text) == ("Ann", "Hi")


@pytest.mark.parametrize("name", ["jsonl", "csv", "examples", "users", "models", "chat", "openai_tools", "mcp_tools", "openapi"])
def test_empty_and_binary_files_never_escape_as_foreign_errors(tmp_path, name):
    for number, content in enumerate((b"", b"\x00\x01\x02\xff" * 50, b"[[[[", b"null", b'"text"', b"{}")):
        for ending in (".json", ".jsonl", ".csv", ".yaml"):
            path = tmp_path / f"{number}{ending}"
            path.write_bytes(content)
            records = []
            with contextlib.suppress(InvalidInput):
                records, _ = split(open_source(path, format=name).units().__next__().read())
            assert records == []
