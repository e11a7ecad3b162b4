"""Text, Markdown, HTML, PDF, DOCX and source code: what is extracted, and that no content breaks a format."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput
from bowerbird.ingest.chunk.sections import Sections
from bowerbird.ingest.document import Document
from bowerbird.ingest.passages import DocumentFormat, passages
from bowerbird.ingest.sources.code import Code
from bowerbird.ingest.sources.docx import Docx
from bowerbird.ingest.sources.html import Html
from bowerbird.ingest.sources.markdown import Markdown
from bowerbird.ingest.sources.pdf import Pdf
from bowerbird.ingest.sources.text import Text
from bowerbird.types import Record

FORMATS: dict[str, DocumentFormat] = {
    ".txt": Text(),
    ".md": Markdown(),
    ".html": Html(),
    ".pdf": Pdf(),
    ".docx": Docx(),
    ".py": Code(),
    ".js": Code(),
}


def extract(suffix: str, content: str | bytes) -> Document:
    return FORMATS[suffix].extract(Path("file" + suffix), content.encode() if isinstance(content, str) else content)


def records(suffix: str, content: str | bytes, chunker: Sections | None = None) -> list[Record]:
    document = extract(suffix, content)
    made = list(passages(document, "file" + suffix, chunker or Sections()))
    for record in made:
        assert record.text == document.text[record.fields["start"] : record.fields["end"]]
    return made


def checked(document: Document) -> None:
    """What every document promises its chunker."""
    at = 0
    for part in document.parts:
        assert part.start == at
        assert part.start <= part.body <= part.end
        at = part.end
    assert at == len(document.text)
    at = 0
    for low, high in document.blocks:
        assert at <= low < high <= len(document.text)
        at = high


def read_or_refused(suffix: str, content: bytes) -> Document:
    """The document, or an empty one when the file is refused by name; any other exception is a bug."""
    refusal, document = f"file{suffix}", Document("")
    try:
        document = extract(suffix, content)
    except InvalidInput as error:
        refusal = str(error)
    assert f"file{suffix}" in refusal
    checked(document)
    return document


# --- text -------------------------------------------------------------------------------------------------------------

SAID = "Où est la forêt? Là-bas, où l'été dure. Ça coûte 5 francs à la gare, très tôt après le dîner."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"])
def test_encodings(encoding: str) -> None:
    assert extract(".txt", SAID.encode(encoding)).text == SAID


def test_utf16_of_either_order_and_other_scripts() -> None:
    import codecs

    for text in ("עברית מימין לשמאל ‮abc", "👩‍👩‍👧‍👦 emoji 🏽", "Русский текст. Ещё одно предложение.", "漢字かな交じり文。"):
        assert extract(".txt", text).text == text
        assert extract(".txt", codecs.BOM_UTF16_BE + text.encode("utf-16-be")).text == text
        assert records(".txt", text)[0].text == text
    russian = "Русский текст в старой кодировке. Ещё одно предложение, чтобы было что угадывать. " * 3
    assert extract(".txt", russian.encode("koi8-r")).text == russian


def test_line_ends_become_newlines() -> None:
    assert extract(".txt", b"a\r\nb\rc\nd").text == "a\nb\nc\nd"


# --- Markdown ---------------------------------------------------------------------------------------------------------

PAGE = """---
title: "The *Guide*"
tags: [a]
---
Preface.

# Guide

Intro text.

## Install `it` [here](http://x.y/z) {#anchor}

Run this:

```bash
# not a heading
pip install it


python -m it
```

| a | b |
|---|---|
| 1 | 2 |

> # quoted, no section

- item

    # in a list

Setext
------
Last words.
"""


def test_markdown_sections_titles_and_blocks() -> None:
    document = extract(".md", PAGE)
    checked(document)
    assert document.text == PAGE
    assert document.title == "The *Guide*"
    assert [part.path for part in document.parts] == [(), ("Guide",), ("Guide", "Install it here"), ("Guide", "Setext")]
    blocks = [PAGE[low:high] for low, high in document.blocks]
    assert blocks[0].startswith("---")
    assert any(block.startswith("```bash") and "python -m it" in block for block in blocks)
    assert any(block.startswith("| a | b |") for block in blocks)
    made = records(".md", PAGE)
    assert [record.key for record in made] == ["file.md#start", "file.md#guide", "file.md#guide/install-it-here", "file.md#guide/setext"]
    assert made[2].fields["heading"] == "Guide > Install it here"


def test_markdown_headings_do_not_repeat_the_title() -> None:
    made = records(".md", "# Guide\n\n## Use\n\ntext\n\n#\n\n## \n\nmore")
    assert [(record.fields["title"], record.fields.get("heading"), record.key) for record in made] == [("Guide", "Use", "file.md#use")]
    assert made[0].text.endswith("more")


@pytest.mark.parametrize(
    ("heading", "plain"),
    [
        ("`fs.write(fd, string[, position[, encoding]], callback)`", "fs.write(fd, string[, position[, encoding]], callback)"),
        ("*Very* __important__ and snake_case", "Very important and snake_case"),
        ("`_private_` [a link](x.md) {#id}", "_private_ a link"),
        ("Unclosed ` tick and [bracket", "Unclosed ` tick and [bracket"),
    ],
)
def test_markdown_headings_lose_their_markup(heading: str, plain: str) -> None:
    assert extract(".md", f"## {heading}\n\ntext").parts[0].path == (plain,)


def test_markdown_of_unkind_shapes() -> None:
    for text in (
        "#" * 100 + " x\ntext",
        ">" * 5000 + "x",
        "- " * 3000 + "x",
        "[" * 20000,
        "```\nnever closed\n# x",
        "---\nno end",
        "\n" * 1000 + "# x",
        "a\x0bb\x0c# c",
    ):
        checked(extract(".md", text))
    deep = "".join(f"{'#' * min(level, 6)} h{level}\n\ntext {level}\n\n" for level in range(1, 50))
    assert len(records(".md", deep)) == 49


# --- HTML -------------------------------------------------------------------------------------------------------------


def test_html_keeps_the_content_and_drops_the_frame() -> None:
    page = """<!doctype html><html><head><title> A  page </title><style>p{}</style></head><body>
    <nav>Menu Home</nav><header>Banner</header>
    <main><h1>Top</h1><p>Some <b>bold</b> text<br>and more.</p>loose words
    <h2>Sub <a href="#sub">¶</a></h2><ul><li>one</li><li>two <i>2</i></li></ul>
    <pre>def f():

    return 1</pre><table><tr><th>k</th><th>v</th></tr><tr><td>a</td><td>1</td></tr></table>
    <script>alert(1)</script></main><footer>Imprint</footer></body></html>"""
    document = extract(".html", page)
    checked(document)
    assert document.title == "A page"
    assert document.text == (
        "Top\n\nSome bold text and more.\n\nloose words\n\nSub\n\n- one\n- two 2\n\ndef f():\n\n    return 1\n\n| k | v |\n| a | 1 |"
    )
    assert [part.path for part in document.parts] == [("Top",), ("Top", "Sub")]
    assert [document.text[low:high][:5] for low, high in document.blocks] == ["def f", "| k |"]


def test_html_whose_main_holds_nothing_is_read_whole() -> None:
    assert extract(".html", "<main>x</main><p>" + "All the text stands outside. " * 20).text.count("outside") == 20


def test_html_in_its_stated_encoding() -> None:
    page = '<meta charset="iso-8859-2"><p>Zażółć gęślą jaźń'
    assert extract(".html", page.encode("iso-8859-2")).text == "Zażółć gęślą jaźń"


def test_broken_and_deep_html() -> None:
    assert extract(".html", "<p>one<p>two</b></i><div>three<table><td>four").text == "one\n\ntwo\n\nthree\n\n| four |"
    started = time.process_time()
    for page in (
        "<div>" * 4000 + "deep",
        "<b>" * 3000 + "x",
        "<" * 100_000,
        "<p>" * 50_000,
        "<table><tr><td>" * 300 + "x",
        "&" * 50_000,
    ):
        checked(extract(".html", page))
    assert time.process_time() - started < 10
    assert "deep" in extract(".html", "<div>" * 4000 + "deep").text
    with pytest.raises(InvalidInput, match="nests more than 5,000"):
        extract(".html", "<div>" * 1_000_000)


# --- PDF --------------------------------------------------------------------------------------------------------------


def pdf(pages: list[str]) -> bytes:
    """A PDF with a line of text on each page, written by hand."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode("latin-1") if text else b""
        kids.append(f"{len(objects) + 1} 0 R")
        font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
        page = f"/Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects) + 2} 0 R"
        objects.append(f"<< /Type /Page {page} /Resources << /Font << /F1 {font} >> >> >>".encode())
        objects.append(f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(pages)} >>".encode()
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    return out + head.encode() + f"startxref\n{len(out)}\n%%EOF\n".encode()


def test_pdf_pages() -> None:
    document = extract(".pdf", pdf(["First page text.", "", "Third page text."]))
    checked(document)
    made = records(".pdf", pdf(["First page text.", "", "Third page text."]))
    assert [(record.key, record.fields["page"], record.text) for record in made] == [
        ("file.pdf#p1", 1, "First page text."),
        ("file.pdf#p3", 3, "Third page text."),
    ]
    assert made[0].fields["title"] == "file.pdf"


def encrypted(password: str) -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(["Secret text."]))))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    writer.add_metadata({"/Title": "Named"})
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_pdf_that_is_encrypted_or_has_no_text() -> None:
    with pytest.raises(InvalidInput, match=r"file\.pdf.*encrypted.*qpdf"):
        extract(".pdf", encrypted("secret"))
    opened = extract(".pdf", encrypted(""))  # anybody may open it
    assert (opened.text, opened.title) == ("Secret text.", "Named")
    with pytest.raises(InvalidInput, match=r"encrypted in a way"):
        extract(".pdf", encrypted("").replace(b"/Standard", b"/Personal"))
    with pytest.raises(InvalidInput, match=r"2 pages and no text.*ocrmypdf"):
        extract(".pdf", pdf(["", ""]))


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 800), junk=st.binary(max_size=12), cut=st.integers(0, 900))
def test_damaged_pdf_is_read_or_refused(at: int, junk: bytes, cut: int) -> None:
    data = pdf(["Some text here.", "And there."])
    for broken in (data[:at] + junk + data[at + len(junk) :], data[:cut]):
        read_or_refused(".pdf", broken)


# --- DOCX -------------------------------------------------------------------------------------------------------------


def docx_bytes() -> bytes:
    import docx

    made = docx.Document()
    made.add_heading("The title", 0)
    made.add_heading("Part one", 1)
    made.add_paragraph("A paragraph.")
    made.add_paragraph("an item", style="List Bullet")
    table = made.add_table(rows=2, cols=2)
    for row, (left, right) in zip(table.rows, (("k", "v"), ("a", "1")), strict=True):
        row.cells[0].text, row.cells[1].text = left, right
    table.rows[1].cells[0].merge(table.rows[1].cells[1])
    made.add_heading("Part two", 1)
    made.add_paragraph("The end.")
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def test_docx_in_reading_order() -> None:
    document = extract(".docx", docx_bytes())
    checked(document)
    assert document.title == "The title"
    assert document.text == "The title\n\nPart one\n\nA paragraph.\n\n- an item\n\n| k | v |\n| a 1 |\n\nPart two\n\nThe end."
    assert document.parts[-1].path == ("Part two",)


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 36_000), junk=st.binary(min_size=1, max_size=40))
def test_damaged_docx_is_read_or_refused(at: int, junk: bytes) -> None:
    data = DOCX[: at % len(DOCX)] + junk + DOCX[at % len(DOCX) + len(junk) :]
    for broken in (data, DOCX[: at % len(DOCX)]):
        read_or_refused(".docx", broken)


DOCX = docx_bytes()


def test_a_docx_that_unpacks_to_gigabytes_is_refused() -> None:
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("word/document.xml", b" " * 20_000_000)
    with pytest.raises(InvalidInput, match=r"unpacks to 20,000,000 bytes"):
        Docx(limit=1_000_000).extract(Path("bomb.docx"), out.getvalue())


# --- code -------------------------------------------------------------------------------------------------------------

LINES = "\n".join(f"        step_{n} = {n}" for n in range(60))
MODULE = f'''"""What the module does."""
import os

LIMIT = 3


# about the function
@decorated
def first(a: int, *, b: str = "x") -> int:
    """First thing."""
    return a


class Large:
    """A large class."""

    size = 1

    # about the method
    @property
    def one(self):
{LINES}

    async def two(self):
        class Inner: pass
        return 2


class Small:
    def only(self): pass
AFTER = 1
'''


def test_python_by_its_definitions() -> None:
    document = extract(".py", MODULE)
    checked(document)
    parts = {part.path: document.text[part.start : part.end] for part in document.parts}
    assert list(parts) == [(), ("first",), ("Large",), ("Large", "one"), ("Large", "two"), ("Small",)] or set(parts) == {
        (), ("first",), ("Large",), ("Large", "one"), ("Large", "two"), ("Small",)
    }  # fmt: skip
    assert parts["first",].strip().startswith("# about the function\n@decorated\ndef first")
    assert "size = 1" in parts["Large",]
    assert parts["Large", "one"].strip().startswith("# about the method\n    @property")
    assert "class Inner" in parts["Large", "two"]
    made = records(".py", MODULE)
    assert made[1].key == "file.py#first"
    assert made[1].fields["lang"] == "python"
    assert {record.fields.get("heading") for record in made} == {None, "first", "Large", "Large > one", "Large > two", "Small"}


@pytest.mark.parametrize(
    "code",
    [
        "def broken(:\n  pass\n\n\nx = 1\n",
        "x = '\\d'\n",
        "(" * 300,
        "# only a comment",
        "x=1;y=2",
        "\ndef f(): pass\nf()",
        "if 1:\n\tdef f():\n\t\tpass\n",
    ],
)
def test_python_of_any_sort(code: str) -> None:
    checked(extract(".py", code))
    assert "".join(record.text for record in records(".py", code)).replace(" ", "").replace("\n", "").replace("\t", "") == "".join(
        code.split()
    )


def test_other_languages_break_at_blank_lines() -> None:
    code = "\n\n".join(f"function f{n}(a) {{\n  // does {n}\n  const x = {n};\n\n  return x * {n};\n}}" for n in range(60))
    made = records(".js", code, Sections(words=60, overlap=0))
    assert len(made) > 5
    assert all(record.text.startswith("function") for record in made)
    assert made[0].fields["lang"] == "javascript"


def test_an_empty_code_file_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_bytes(b"")
    assert list(Code().read(tmp_path / "__init__.py", "__init__.py")) == []


# --- any content ------------------------------------------------------------------------------------------------------

FIRST = ["# ", "## ", "\n", "\n\n", "```", "---\n", "| a |\n|--|\n", "<p>", "</div>", "<pre>", "<!--", "def f():\n ", "class A:\n", "    "]
MARKS = st.sampled_from([*FIRST, "title: x\n", "text. ", "\r\n", "\t", "é", "\u202e", "👩‍👧", "&amp;", "1. ", "- "])


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html", ".py", ".js"])
@settings(max_examples=80, deadline=None)
@given(content=st.one_of(st.lists(MARKS, max_size=40).map(lambda parts: "".join(parts).encode()), st.binary(max_size=200)))
def test_any_content_is_read_or_refused(suffix: str, content: bytes) -> None:
    document = read_or_refused(suffix, content)
    made = list(passages(document, "n", Sections(words=4, overlap=1, most=8)))
    assert [record.text for record in made] == [document.text[record.fields["start"] : record.fields["end"]] for record in made]
    assert len({record.key for record in made}) == len(made)
    inside = [False] * len(document.text)
    for record in made:
        for at in range(record.fields["start"], record.fields["end"]):
            inside[at] = True
    assert all(done or document.text[at].isspace() for at, done in enumerate(inside))


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html", ".js", ".py"])
def test_a_line_of_five_megabytes(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / ("long" + suffix)
    path.write_bytes(b"word and another " * 300_000)
    started = time.process_time()
    assert sum(1 for _ in FORMATS[suffix].read(path, "long")) > 1000
    assert time.process_time() - started < 15
