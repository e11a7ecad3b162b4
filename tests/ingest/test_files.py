"""Files and folders as sources: which files, which keys, what a change costs, and every sort of bad file."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import BowerbirdError, InvalidInput, UnknownName
from bowerbird.ingest.chunk.fixed import Fixed
from bowerbird.ingest.chunk.sections import Sections
from bowerbird.ingest.document import Document
from bowerbird.ingest.ignore import Ignore
from bowerbird.ingest.passages import passages
from bowerbird.ingest.source import Source, as_record, open_source
from bowerbird.ingest.sources.folder import File, Folder
from bowerbird.kinds import checked_fields, kind
from bowerbird.types import Record

ROOT = os.geteuid() == 0


def read(source: Source) -> list[Record]:
    records = [record for unit in source.units() for record in unit.read()]
    assert all(isinstance(record, Record) for record in records)
    for record in records:
        checked_fields(kind(record.kind), record.fields)
    keys = [record.key for record in records]
    assert len(keys) == len(set(keys))
    return records  # type: ignore[return-value]


def fill(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


# --- which files ------------------------------------------------------------------------------------------------------


def test_a_folder_lists_readable_files_in_order(tmp_path: Path) -> None:
    docs = fill(
        tmp_path / "docs",
        {
            "b.md": "# B\ntext",
            "a/z.txt": "text",
            "a/script.py": "x = 1",
            "LICENSE": "Licence text",
            ".hidden/x.md": "no",
            ".env": "no",
            "node_modules/p/readme.md": "no",
            "__pycache__/m.txt": "no",
            "picture.png": b"\x89PNG\x00",
            "mystery": b"ab\x00cd",
            "py.typed": "",
        },
    )
    source = open_source(docs)
    assert isinstance(source, Source)
    assert source.id == f"folder:{docs}"
    assert [unit.name for unit in source.units()] == ["LICENSE", "b.md", "a/script.py", "a/z.txt"]
    assert {record.fields["path"] for record in read(source)} == {"docs/LICENSE", "docs/b.md", "docs/a/script.py", "docs/a/z.txt"}
    assert [record.key for record in read(Folder(docs, prefix=""))][:2] == ["LICENSE#start", "b.md#start"]


def test_a_format_reads_only_the_files_it_claims(tmp_path: Path) -> None:
    docs = fill(tmp_path, {"a.md": "# A\ntext", "b.txt": "text"})
    source = open_source(docs, format="markdown")
    assert [unit.name for unit in source.units()] == ["a.md"]
    assert source.id != open_source(docs).id


def test_bowerignore(tmp_path: Path) -> None:
    docs = fill(
        tmp_path,
        {
            ".bowerignore": "# drafts\ndrafts/\n*.log\n!keep.log\n/top.md\n",
            "drafts/a.md": "a",
            "x.log": "x",
            "keep.log": "k",
            "top.md": "t",
            "b/top.md": "t",
        },
    )
    assert [unit.name for unit in Folder(docs).units()] == ["keep.log", "b/top.md"]


@pytest.mark.parametrize(
    ("pattern", "path", "folder", "expected"),
    [
        ("*.md", "a/b.md", False, True),
        ("/*.md", "a/b.md", False, False),
        ("a/**/c", "a/x/y/c", False, True),
        ("a/**/c", "a/c", False, True),
        ("a/**", "a/x/y", False, True),
        ("build/", "build", False, False),
        ("build/", "x/build", True, True),
        ("f?o[0-9].t", "fxo7.t", False, True),
        ("f[!a]o", "fao", False, False),
        ("a+b(.txt", "a+b(.txt", False, True),
        ("[", "[", False, True),
    ],
)
def test_ignore_patterns(pattern: str, path: str, folder: bool, expected: bool) -> None:
    assert Ignore.parse([pattern]).matches(path, folder) is expected


@given(
    patterns=st.lists(st.text(st.sampled_from("ab*?[]!/\\-^."), max_size=8), max_size=4),
    path=st.text(st.sampled_from("ab/."), min_size=1, max_size=8),
)
def test_any_ignore_pattern_compiles(patterns: list[str], path: str) -> None:
    assert Ignore.parse(patterns).matches(path, False) in (True, False)


def test_links_never_loop_and_never_lead_out(tmp_path: Path) -> None:
    docs = fill(tmp_path / "docs", {"a.txt": "a", "sub/b.txt": "b"})
    fill(tmp_path, {"secret.txt": "s"})
    (docs / "sub" / "loop").symlink_to(docs)
    (docs / "out.txt").symlink_to(tmp_path / "secret.txt")
    (docs / "in.txt").symlink_to(docs / "a.txt")
    (docs / "dangling.txt").symlink_to(docs / "nothing")
    os.mkfifo(docs / "pipe.txt")
    assert [unit.name for unit in Folder(docs).units()] == ["a.txt", "in.txt", "sub/b.txt"]


def test_a_file_name_that_is_no_utf8(tmp_path: Path) -> None:
    name = os.fsencode(str(tmp_path)) + b"/caf\xe9.txt"
    with open(name, "wb") as file:
        file.write(b"text")
    (record,) = read(Folder(tmp_path, prefix=""))
    assert record.key.encode() == "caf\ufffd.txt#start".encode()


# --- change -----------------------------------------------------------------------------------------------------------


def test_stamps_change_with_content_and_settings_alone(tmp_path: Path) -> None:
    docs = fill(tmp_path, {"a.txt": "one", "b.txt": "two"})

    def stamps(source: Source) -> dict[str, str]:
        return {unit.name: unit.stamp for unit in source.units()}

    first = stamps(Folder(docs))
    assert stamps(open_source(str(docs))) == first
    assert stamps(Folder(docs, chunker=Sections(words=50))) != first
    assert stamps(Folder(docs, kind="memory")) != first
    fill(docs, {"a.txt": "changed"})
    second = stamps(Folder(docs))
    assert second["a.txt"] != first["a.txt"]
    assert second["b.txt"] == first["b.txt"]


def test_an_unchanged_folder_of_a_thousand_files_is_listed_without_opening_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, {f"d{n % 20}/f{n}.md": f"# T{n}\ntext" for n in range(1000)})
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was opened"))
    started = time.perf_counter()
    assert len({unit.stamp for unit in Folder(tmp_path).units()}) > 0
    assert sum(1 for _ in Folder(tmp_path).units()) == 1000
    assert time.perf_counter() - started < 1


def test_an_edit_re_keys_only_its_own_place() -> None:
    body = " ".join(f"Sentence {n} of this part is about {n * 37 % 101} and more." for n in range(100))
    old = f"# Guide\n\nIntro.\n\n## Install\n\n{body}\n\n## Use\n\n{body}\n"
    new = old.replace("Intro.", "Intro, now longer. With a second sentence.\n\n## Added\n\nA new section.")

    def keyed(text: str) -> dict[str, str]:
        from bowerbird.ingest.sources.markdown import Markdown

        document = Markdown().extract(Path("g.md"), text.encode())
        return {record.key: record.text for record in passages(document, "g.md", Sections(words=60))}

    before, after = keyed(old), keyed(new)
    assert len(before) > 30
    assert set(before) <= set(after)
    assert {key for key in after if key not in before} == {"g.md#added"}
    assert {key for key in before if before[key] != after[key]} == {"g.md#start"}


def test_neighbours_and_spans_hold() -> None:
    text = "\n\n".join(f"Paragraph {n}. " + "Words follow here. " * 20 for n in range(30))
    records = list(passages(Document(text), "t.txt", Sections(words=50)))
    assert "previous" not in records[0].fields
    assert "next" not in records[-1].fields
    for one, other in itertools.pairwise(records):
        assert one.fields["next"] == other.key
        assert other.fields["previous"] == one.key
        assert one.fields["parent"] == "t.txt"
        assert text[one.fields["start"] : one.fields["end"]] == one.text
    assert list(passages(Document(text), "t.txt", Sections(words=50))) == records


@given(headings=st.lists(st.sampled_from(["A", "A 2", "a-2", "!", "B", "Start"]), max_size=12))
def test_keys_are_never_twice_the_same(headings: list[str]) -> None:
    from bowerbird.ingest.document import Draft

    draft = Draft()
    for heading in headings:
        draft.heading(1, heading)
        draft.paragraph("the same text")
    keys = [record.key for record in passages(draft.document(), "n", Sections())]
    assert len(keys) == len(set(keys)) == len(headings)


# --- bad files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.txt", b"", "empty"),
        ("blank.md", b" \n\t\n\xc2\xa0", "empty"),
        ("nul.txt", b"text\x00more", "binary"),
        ("noise.md", bytes(range(1, 32)) * 50, "binary"),
        ("damaged.txt", "héé ".encode() * 100 + b"\xff\xfe\xfd", "broken bytes"),
        ("odd.txt", b"\xff\xfea", "UTF-16"),
        ("fake.pdf", b"Not a PDF at all", "no PDF"),
        ("empty.pdf", b"", "empty"),
        ("cut.pdf", b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>", "damaged PDF"),
        ("fake.docx", b"PK\x03\x04 not really", "no readable DOCX"),
        ("old.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old .doc"),
        ("empty.html", b"<html><script>x</script></html>", "empty"),
    ],
)
def test_a_bad_file_says_which_and_what_to_do(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    fill(tmp_path, {name: content, "good.txt": "Good."})
    units = {unit.name: unit for unit in Folder(tmp_path).units()}
    with pytest.raises(InvalidInput, match=says) as caught:
        list(units[name].read())
    assert name in str(caught.value)
    assert str(caught.value).rstrip(".").count(".") >= 1
    assert [record.text for record in units["good.txt"].read()] == ["Good."]  # type: ignore[union-attr]


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    with open(tmp_path / "huge.txt", "wb") as file:
        file.truncate(1_000_000_000)
    started = time.perf_counter()
    (unit,) = open_source(tmp_path / "huge.txt").units()
    with pytest.raises(InvalidInput, match=r"1,000,000,000 bytes.*limit of 64,000,000.*limit="):
        list(unit.read())
    assert time.perf_counter() - started < 1
    fill(tmp_path, {"small.txt": "x" * 100})
    with pytest.raises(InvalidInput, match="limit of 99"):
        read(File(tmp_path / "small.txt", limit=99))


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_what_may_not_be_read_fails_alone(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": "a", "locked.txt": "l", "shut/b.txt": "b"})
    (tmp_path / "locked.txt").chmod(0)
    (tmp_path / "shut").chmod(0)
    units = {unit.name: unit for unit in Folder(tmp_path).units()}
    assert set(units) == {"a.txt", "locked.txt", "shut/"}
    for name in ("locked.txt", "shut/"):
        with pytest.raises(PermissionError):
            list(units[name].read())
    (tmp_path / "shut").chmod(0o700)


def test_a_folder_that_cannot_be_listed_is_a_failing_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, {"a.txt": "a", "shut/b.txt": "b"})
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    units = {unit.name: unit for unit in Folder(tmp_path).units()}
    assert set(units) == {"a.txt", "shut/"}
    with pytest.raises(PermissionError):
        list(units["shut/"].read())


def test_a_file_that_vanishes_raises_when_it_is_read(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": "a"})
    (unit,) = Folder(tmp_path).units()
    (tmp_path / "a.txt").unlink()
    with pytest.raises(FileNotFoundError):
        list(unit.read())


# --- open_source ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        ("/no/such/file.md", "No file or folder at '/no/such/file.md'"),
        ("a text\nwith lines", "no path"),
        ("", "no path"),
        ("x" * 5000, "cannot be looked at|No file"),
        (b"bytes", "bytes"),
        (3, "int 3"),
        (None, "NoneType"),
    ],
)
def test_what_cannot_be_opened_is_named(thing: object, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        open_source(thing)


def test_open_source_refuses_settings_that_do_nothing(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": "a", "x.xlsx": b"PK"})
    with pytest.raises(UnknownName, match="Did you mean 'markdown'"):
        open_source(tmp_path, format="markdwn")
    with pytest.raises(InvalidInput, match="no columns"):
        open_source(tmp_path / "a.txt", mapping={"text": "body"})
    with pytest.raises(InvalidInput, match=r"Nothing reads \.xlsx"):
        open_source(tmp_path / "x.xlsx")
    with pytest.raises(UnknownName, match="passage"):
        open_source(tmp_path, kind="pasage").units().__next__()
    with pytest.raises(InvalidInput, match="source already"):
        open_source(Folder(tmp_path), kind="passage")


def test_values_in_memory(tmp_path: Path) -> None:
    given = [Record("k", "passage", "text"), {"kind": "memory", "text": "I like tea", "topic": "drinks"}, {"text": "plain"}]
    source = open_source(given, kind="passage")
    assert source.id == ""
    first, second, third = read(source)
    assert first is given[0]
    assert (second.kind, second.fields["topic"], second.trust) == ("memory", "drinks", "user")
    assert third.kind == "passage"
    assert [record.key for record in read(source)] == ["k", second.key, third.key]
    assert read(open_source({"kind": "passage", "text": "plain"}))[0].key == third.key
    assert open_source(source) is source


def test_as_record_names_what_is_wrong() -> None:
    full = as_record(
        {
            "key": 7,
            "kind": "passage",
            "text": "t",
            "fields": {"page": 3},
            "valid_from": "2026-01-01",
            "supersedes": "old",
            "trust": "trusted",
        }
    )
    assert (full.key, full.fields, full.supersedes, full.trust) == ("7", {"page": 3}, ("old",), "trusted")
    assert full.valid_from == 1767225600.0
    for value, says in (
        ({"text": "t"}, "no kind"),
        ({"kind": "passage"}, "nothing to keep"),
        ({"kind": "passage", "text": 3}, "strings"),
        ({"kind": "passage", "text": "t", "key": ""}, "non-empty"),
        ({"kind": "passage", "text": "t", "fields": [1]}, "mapping"),
        ({"kind": "passage", "text": "t", "trust": "high"}, "untrusted, user, trusted"),
        ({"kind": "pasage", "text": "t"}, "Did you mean 'passage'"),
        ("text", "no record"),
    ):
        with pytest.raises(BowerbirdError, match=says):
            as_record(value, None, "item 3")


def test_a_chunker_can_be_chosen(tmp_path: Path) -> None:
    fill(tmp_path, {"a.txt": "one two three four five six"})
    assert [record.text for record in read(File(tmp_path / "a.txt", chunker=Fixed(words=2, overlap=0)))] == [
        "one two",
        "three four",
        "five six",
    ]
