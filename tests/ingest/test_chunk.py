"""Chunkers: exact spans, full cover, order, bounded overlap, no slow input. Sentences and sizes."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput
from bowerbird.ingest.chunk import TABLE, Chunker
from bowerbird.ingest.chunk.fixed import Fixed
from bowerbird.ingest.chunk.sections import Sections
from bowerbird.ingest.document import Document, Draft, Section
from bowerbird.sentences import safe, sentences, size

PIECES = st.sampled_from(
    [*"abcdeXYZ 019.!?…,;:-*\"')(\n\n\n\t  \u3000\u2028\x0c。！検索éش؟🏽\u200d\u202e", "e\u0301", "👩‍👩‍👧", ". ", "\n\n"]
)
TEXTS = st.one_of(
    st.lists(PIECES, max_size=300).map("".join),
    st.lists(st.text(st.sampled_from("abc de"), min_size=1, max_size=30), max_size=40).map(". ".join),
    st.text(max_size=200),
)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A text with any sections and blocks that a format may give."""
    text = draw(TEXTS)
    cuts = sorted(set(draw(st.lists(st.integers(0, len(text)), max_size=5))) | {0, len(text)})
    sections = []
    for low, high in pairwise(cuts):
        sections.append(Section(low, high, draw(st.integers(low, high)), ("s", str(low))))
    edges = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    blocks = tuple((low, high) for low, high in zip(edges[::2], edges[1::2], strict=False) if low < high)
    return Document(text, "t", tuple(sections), blocks)


CHUNKERS = [Sections(), Sections(words=5, overlap=2, most=8), Sections(words=1, overlap=0, most=1), Fixed(), Fixed(words=3, overlap=1)]


@pytest.mark.parametrize("chunker", CHUNKERS, ids=repr)
@settings(max_examples=150, deadline=None)
@given(document=documents())
def test_every_chunker_covers_in_order_and_repeats_itself(chunker: Chunker, document: Document) -> None:
    text = document.text
    chunks = list(chunker.cut(document))
    covered = [False] * len(text)
    for chunk in chunks:
        assert 0 <= chunk.start <= chunk.fresh < chunk.end <= len(text)
        piece = text[chunk.start : chunk.end]
        assert piece == piece.strip()
        for at in range(chunk.start, chunk.end):
            covered[at] = True
    assert all(done or text[at].isspace() for at, done in enumerate(covered))
    for one, other in pairwise(chunks):
        assert one.fresh < other.fresh
        assert one.end <= other.fresh
        assert one.start < other.start
        assert other.fresh <= one.end or text[one.end : other.fresh].isspace()
    assert list(chunker.cut(document)) == chunks


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, words=st.integers(1, 12), overlap=st.integers(0, 5))
def test_sections_keeps_its_bounds(text: str, words: int, overlap: int) -> None:
    overlap = min(overlap, words - 1)
    chunker = Sections(words=words, overlap=overlap, most=2 * words)
    for chunk in chunker.cut(Document(text)):
        fresh = text[chunk.fresh : chunk.end]
        assert size(fresh) <= 2 * words or len(list(sentences(text, chunk.fresh, chunk.end))) > 1 or len(fresh) <= 2
        assert len(text[chunk.start : chunk.fresh].split()) <= overlap


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_a_chunk_cut_again_stays_one(text: str) -> None:
    chunker = Sections(words=12, overlap=0, most=24)
    for chunk in chunker.cut(Document(text)):
        piece = text[chunk.start : chunk.end]
        if size(piece) <= 12:
            assert len(list(chunker.cut(Document(piece)))) == 1


def test_no_sentence_is_cut_below_the_maximum() -> None:
    said = [f"Sentence number {n} says {' '.join(['something'] * (n % 23))} and ends." for n in range(300)]
    text = " ".join(said)
    chunks = list(Sections(words=50, overlap=10, most=100).cut(Document(text)))
    assert len(chunks) > 20
    for chunk in chunks:
        piece = text[chunk.start : chunk.end]
        assert piece.startswith("Sentence")
        assert piece.endswith("ends.")
        assert size(text[chunk.fresh : chunk.end]) <= 50


def test_paragraph_borders_are_preferred() -> None:
    text = "\n\n".join(" ".join(f"Paragraph {n} sentence {m} has exactly eight words." for m in range(3)) for n in range(20))
    chunks = list(Sections(words=60, overlap=0).cut(Document(text)))
    assert all(text[chunk.start :].startswith("Paragraph") and " sentence 0 " in text[chunk.start : chunk.start + 30] for chunk in chunks)


def test_an_edit_moves_few_borders() -> None:
    text = "\n\n".join(f"Passage {n} talks of {n * 7919 % 1013} things. " + f"It says {n * 31 % 97} more. " * (n % 11) for n in range(2000))
    chunker = Sections(words=100)
    before = {text[chunk.start : chunk.end] for chunk in chunker.cut(Document(text))}
    changed = "A new sentence at the very beginning of the text. " * 5 + text
    after = {changed[chunk.start : chunk.end] for chunk in chunker.cut(Document(changed))}
    assert len(before) > 150
    assert len(after - before) <= 5


def test_overlap_repeats_whole_sentences_within_a_section() -> None:
    text = " ".join(f"Sentence {n} here." for n in range(40))
    chunks = list(Sections(words=15, overlap=6).cut(Document(text)))
    for chunk in chunks[1:]:
        repeated = text[chunk.start : chunk.fresh]
        assert repeated.startswith("Sentence")
        assert repeated.count("here.") == 2


def test_sections_are_not_mixed_and_bare_headings_go_with_what_follows() -> None:
    draft = Draft()
    draft.heading(1, "Top")
    draft.heading(2, "First")
    draft.paragraph("one")
    draft.heading(2, "Second")
    draft.paragraph("two")
    draft.heading(2, "Last and bare")
    document = draft.document()
    chunks = [(document.text[chunk.start : chunk.end], chunk.section.path) for chunk in Sections().cut(document)]
    assert chunks == [
        ("Top\n\nFirst\n\none", ("Top", "First")),
        ("Second\n\ntwo", ("Top", "Second")),
        ("Last and bare", ("Top", "Last and bare")),
    ]


def test_a_block_stays_whole_and_a_huge_one_is_cut_at_lines() -> None:
    code = "\n".join(f"line_{n} = compute({n}, with_a_name) + {n}. Not a sentence" for n in range(30))
    prose = "Before it. " * 60
    text = prose + "\n\n" + code + "\n\nAfter it."
    start = len(prose) + 2
    document = Document(text, blocks=((start, start + len(code)),))
    assert any(code in text[chunk.start : chunk.end] for chunk in Sections(words=100, most=400).cut(document))
    pieces = [
        text[chunk.fresh : chunk.end]
        for chunk in Sections(words=20, overlap=0, most=40).cut(document)
        if "line_" in text[chunk.fresh : chunk.end]
    ]
    assert len(pieces) > 10
    assert all(line.startswith(("line_", "Before", "After")) or not line for piece in pieces for line in piece.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "x" * 5_000_000,
        "a word and another " * 260_000,
        "A sentence stands here. " * 200_000,
        "." * 5_000_000,
        '."' * 2_000_000,
        "a" + " " * 3_000_000 + "b",
        "\n" * 3_000_000,
        "\n\t \t" * 800_000 + "x",
        "1." * 1_000_000,
        "👩‍👩‍👧‍👦" * 200_000,
        "a" + "\u0301" * 2_000_000,
        "検索拡張" * 300_000,
    ],
    ids=[
        "one word",
        "no stop",
        "prose",
        "dots",
        "dots and quotes",
        "spaces",
        "newlines",
        "tabs",
        "numbers",
        "joined emoji",
        "marks",
        "ideographs",
    ],
)
@pytest.mark.parametrize("chunker", [Sections(), Fixed()], ids=["sections", "fixed"])
def test_five_megabytes_in_one_line_take_seconds_not_minutes(text: str, chunker: Chunker) -> None:
    started = time.process_time()
    longest = max((chunk.end - chunk.start for chunk in chunker.cut(Document(text))), default=0)
    assert time.process_time() - started < 10
    assert longest < 10_000 or text.isspace() or " " * 1000 in text


def test_hard_cuts_keep_joined_characters_together() -> None:
    family = "👩‍👩‍👧‍👦"
    text = family * 2000
    pieces = [text[chunk.start : chunk.end] for chunk in Sections(words=20, overlap=0, most=40).cut(Document(text))]
    assert len(pieces) > 10
    assert all(len(piece) % len(family) == 0 for piece in pieces)
    assert safe("e\u0301", 1, 0) == 1  # nothing left to give back


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four… Five", ["One.", "Two!", "Three?", "Four…", "Five"]),
        ("Dr. Who met Mr. Bean at 3 p.m. today. Then they left.", ["Dr. Who met Mr. Bean at 3 p.m. today.", "Then they left."]),
        ("See e.g. Fig. 3 and J. Smith et al. for more. Yes.", ["See e.g. Fig. 3 and J. Smith et al. for more.", "Yes."]),
        ("It costs 3.14 or v1.2.3 now. In 2019. Then", ["It costs 3.14 or v1.2.3 now.", "In 2019.", "Then"]),
        ("He said “Go.” She went.", ["He said “Go.”", "She went."]),
        ("今日は。元気？「はい。」そう！", ["今日は。", "元気？", "「はい。」", "そう！"]),
        ("كيف حالك؟ بخير.", ["كيف حالك؟", "بخير."]),
        (
            "A title\n\nA text that\nwraps over lines.\n- first\n- second\n1. third",
            ["A title", "A text that\nwraps over lines.", "- first", "- second", "1. third"],
        ),
        ("Wait... what?! Really.", ["Wait...", "what?!", "Really."]),
        ("  \n ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end, _ in sentences(text, 0, len(text))] == expected


def test_sizes_count_words_in_any_script() -> None:
    assert size("four words of text") == 4
    assert size("検索拡張生成です") == 4
    assert size("x" * 80) == 10
    assert size("") == 0


def test_settings_are_checked_and_printed() -> None:
    assert repr(Sections()) == "Sections(words=200, overlap=20, most=400)"
    for wrong in ({"words": 0}, {"words": 10, "overlap": 10}, {"words": 10, "most": 5}):
        with pytest.raises(InvalidInput, match="takes"):
            Sections(**wrong)
    with pytest.raises(InvalidInput, match="takes"):
        Fixed(words=2, overlap=2)


def test_the_table_names_classes_that_exist() -> None:
    import importlib

    for target in TABLE.values():
        module, _, name = target.partition(":")
        assert list(getattr(importlib.import_module(module), name)().cut(Document("A text.")))


def test_fixed_windows_repeat_their_overlap() -> None:
    text = " ".join(f"w{n}" for n in range(23))
    chunks = [text[chunk.start : chunk.end].split() for chunk in Fixed(words=10, overlap=4).cut(Document(text))]
    assert [len(chunk) for chunk in chunks] == [10, 10, 10, 5] or [len(chunk) for chunk in chunks] == [10, 10, 10]
    assert chunks[1][:4] == chunks[0][-4:]
