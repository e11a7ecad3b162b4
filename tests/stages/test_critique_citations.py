"""`citations`: what the record does not bear out goes, the rest stays where it was."""

from __future__ import annotations

import csv
import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput
from bowerbird.stages.compose.budget import Budget
from bowerbird.stages.critique.citations import Citations
from bowerbird.stages.read.extractive import Extractive
from bowerbird.stages.read.llm import with_citations
from bowerbird.stages.words import best_window, share, words
from bowerbird.testing.encoders import HashEncoder
from bowerbird.testing.library import World, some_turns
from bowerbird.testing.llms import ScriptedLLM
from bowerbird.testing.stage_suite import StageSuite
from bowerbird.types import Answer, Hit, Record, Scope, Turn, replace

ANN = Scope("acme", "ann")
DATA = Path(os.environ.get("BOWERBIRD_DATA") or Path(__file__).parents[3] / "shared" / "data")
FIGS = Record("figs", "passage", "The hen sleeps. Bowerbirds eat 12 figs a day. They sing.", scope=ANN, version=2)
BLUE = Record("blue", "passage", "Satin bowerbirds collect blue things.", {"title": "Colours of 1999"}, scope=ANN, version=1)


def judged(text: str, *records: Record, encoder=None, **more) -> Turn:
    hits = tuple(Hit(r.id, 1.0 - i / 10, {"dense": 1.0 - i / 10}, r) for i, r in enumerate(records or (FIGS, BLUE)))
    asked = Budget(counter=ScriptedLLM(), secret=b"s")([Turn("What?", ANN, "t", hits=hits)])[0]
    return Citations(encoder=encoder, **more)([replace(asked, answer=with_citations(asked, text, "scripted"))])[0]


class TestCitations(StageSuite):
    def make_stage(self):
        return Citations(lexical=0.9)

    def turns(self):
        replies = ["Blue things [1]. My cat [2][9].", "Nothing.", "The satin bowerbird likes azure objects [1]. [3]"]
        composed = Budget(tokens=400).bind(World().part)(some_turns())
        read = [replace(turn, answer=with_citations(turn, replies[i % 3], None)) for i, turn in enumerate(composed)]
        return [*read[:-1], replace(read[-1], answer=None)]


def test_what_holds_stays_untouched():
    text = "Bowerbirds eat figs every day [1]. They collect blue things [2]."
    done = judged(text)
    assert done.answer.text == text
    assert [(one.mark, one.key) for one in done.answer.citations] == [("[1]", "figs"), ("[2]", "blue")]
    assert done.answer.dropped == ()
    assert FIGS.text[slice(*done.answer.citations[0].record_span)] == "Bowerbirds eat 12 figs a day."


def test_what_does_not_hold_goes_and_the_rest_moves():
    done = judged("Owls hunt mice at night [1]. They collect blue things [1][2]. Cats purr [8].")
    assert done.answer.text == "Owls hunt mice at night. They collect blue things [2]. Cats purr."
    (one,) = done.answer.citations
    assert done.answer.text[one.start : one.end] == "They collect blue things [2]."
    assert sorted(one.mark for one in done.answer.dropped) == ["[1]", "[1]", "[8]"]
    assert [done.answer.text[one.start : one.end] for one in done.answer.dropped if one.mark == "[8]"] == ["Cats purr."]
    assert done.trace[-1].info == {"citations": 1, "dropped": 3, "unknown_marks": 1}


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        ("Bowerbirds eat 12 figs a day [1].", True),
        ("Bowerbirds eat 13 figs a day [1].", False),
        ("Bowerbirds eat 1,200 figs a day [1].", False),
        ("Bowerbirds collect blue things since 1999 [2].", True),  # the title says the year
        ("Bowerbirds collect blue things since 2001 [2].", False),
        ("BOWERBIRDS ATE FIGS DAILY, 12 figs [1].", True),
    ],
)
def test_numbers_must_stand_in_the_record(claim, holds):
    assert bool(judged(claim).answer.citations) is holds


def test_only_what_was_shown_counts():
    text = "First part here. Second part speaks of tigers."
    one = Record("two", "passage", text, scope=ANN, version=1)
    hit = Hit(one.id, 1.0, {}, one, span=(0, 16))
    asked = Budget(counter=ScriptedLLM(), secret=b"s")([Turn("What?", ANN, "t", hits=(hit,))])[0]
    done = Citations()([replace(asked, answer=with_citations(asked, "It speaks of tigers [1].", None))])[0]
    assert done.answer.citations == ()


def test_an_encoder_saves_what_words_alone_would_drop():
    claim = "Bowerbirdses eats figgs [1]."
    assert judged(claim).answer.citations == ()
    done = judged(claim, encoder=HashEncoder(256), dense=0.3)
    (one,) = done.answer.citations
    assert 0.3 <= one.support <= 1
    assert FIGS.text[slice(*one.record_span)] == "Bowerbirds eat 12 figs a day."
    assert judged("Figgs, 99 of them [1].", encoder=HashEncoder(256), dense=0.0).answer.citations == ()


def test_marks_in_quoted_records_are_not_the_readers():
    listing = Record("code", "passage", "Take item x[0] or y[2] of the list.", scope=ANN, version=1)
    asked = Budget(counter=ScriptedLLM(), secret=b"s")([Turn("list item", ANN, "t", hits=(Hit(listing.id, 1.0, {}, listing),))])
    done = Citations()(Extractive()(asked))[0]
    assert done.answer.text == "Take item x[0] or y[2] of the list. [1]"
    assert len(done.answer.citations) == 1


def test_answers_without_marks_and_abstentions_pass():
    for answer in (Answer(""), Answer("Nothing relevant.", abstained=True), Answer("No marks at all.")):
        asked = Turn("What?", ANN, "t", answer=answer)
        assert Citations()([asked])[0].answer == answer


@pytest.mark.parametrize("given_settings", [{"lexical": -0.1}, {"dense": 1.5}, {"lexical": float("nan")}])
def test_settings(given_settings):
    with pytest.raises(InvalidInput):
        Citations(**given_settings)


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "stems", "numbers"),
    [
        ("The birds were singing", {"bird", "sing"}, set()),
        ("1,000.50 and ٣ and １２", set(), {"1000.50", "3", "12"}),
        ("Who are you?", {"who", "are", "you"}, set()),
        ("日本語", {"日本", "本語"}, set()),
        ("", set(), set()),
    ],
)
def test_words(text, stems, numbers):
    assert (words(text).stems, words(text).numbers) == (stems, numbers)


@given(st.text(st.sampled_from("aAbxyz 's't ',.0129\n_-")))
def test_words_of_ascii_text_are_those_it_has_beside_other_text(text):
    alone, beside = words(f"{text} singing"), words(f"{text} singing 日本")
    assert (beside.stems, beside.numbers) == (alone.stems | {"日本"}, alone.numbers)


@given(st.text(max_size=200), st.text(max_size=200))
def test_share_is_a_share(claim, text):
    found = share(words(claim), words(text))
    assert 0 <= found <= 1
    assert share(words(claim), words(claim)) == (1.0 if words(claim) else 0.0)
    window = best_window(words(claim), text, 0, len(text))
    assert 0 <= window.start <= window.end <= len(text)
    assert window.share <= found + 1e-9 or not text


# --- agreement with people --------------------------------------------------------------------------------------------


def _auc(labels: list[bool], scores: list[float]) -> float:
    yes = [score for label, score in zip(labels, scores, strict=True) if label]
    no = [score for label, score in zip(labels, scores, strict=True) if not label]
    return sum((a > b) + 0.5 * (a == b) for a in yes for b in no) / (len(yes) * len(no))


def test_shares_agree_with_people_on_begin():
    path = DATA / "citations" / "begin" / "begin_dev_wow.tsv"
    if not path.is_file():
        pytest.skip(f"{path} is not there: set BOWERBIRD_DATA")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    labels = [row["begin_label"].strip() == "Fully attributable" for row in rows]
    scores = [best_window(words(row["response"]), row["knowledge"], 0, len(row["knowledge"])).share for row in rows]
    assert len(rows) == 430
    assert _auc(labels, scores) > 0.9


def test_shares_agree_with_people_on_wice():
    path = DATA / "citations" / "wice" / "dev.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not there: set BOWERBIRD_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["label"] != "partially_supported"]
    scores = []
    for row in rows:
        claim = words(row["claim"])
        scores.append(
            max((share(claim, words(f"{a} {b}")) for a, b in zip(row["evidence"], row["evidence"][1:], strict=False)), default=0.0)
        )
    assert len(rows) == 158
    assert _auc([row["label"] == "supported" for row in rows], scores) > 0.75
