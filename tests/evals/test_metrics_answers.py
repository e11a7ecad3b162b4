"""Measures of answers and texts: SQuAD's rules, ROUGE and BLEU, each against cases worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.errors import InvalidInput
from bowerbird.evals import measure
from bowerbird.evals.measure import Result
from bowerbird.evals.metrics.answers import token_f1, tokens
from bowerbird.evals.task import Case


def value(name: str, output: str, *answers: str) -> float:
    return measure.get(name).value([Case("q", "?", answers=answers)], [Result("q", output=output)])


def test_normalisation() -> None:
    assert tokens("The  Eiffel-Tower, (Paris)!") == ["eiffeltower", "paris"]
    assert tokens("一个人 and 2 cats。") == ["一", "个", "人", "and", "2", "cats"]
    assert tokens("¿Qué?") == ["qué"]


def test_em_and_f1_of_squad() -> None:
    assert value("EM", "the Paris.", "paris") == 1.0
    assert value("EM", "in Paris", "Paris") == 0.0
    # 2 shared words, 3 given and 2 wanted: P = 2/3, R = 1, F1 = 0.8
    assert value("F1", "Barack Hussein Obama", "Barack Obama") == pytest.approx(0.8)
    assert value("F1", "the cat sat", "a dog") == 0.0
    assert value("F1", "Obama", "Bush", "Barack Obama") == pytest.approx(2 / 3)
    # shared words count as often as both have them: "new new" against "new york"
    assert value("F1", "new new", "new york") == pytest.approx(0.5)
    assert value("F1", "", "something") == 0.0
    assert value("F1", "北京大学", "北京") == pytest.approx(2 / 3)


def test_contains_takes_whole_words() -> None:
    assert value("contains", "It was built in Paris, France", "paris france") == 1.0
    assert value("contains", "a catalogue", "cat") == 0.0
    assert value("contains", "anything", "!") == 0.0


def test_number_and_exact() -> None:
    assert value("number", "so 3 + 4 makes $1,007.00 in all", "1007") == 1.0
    assert value("number", "1007 of 12", "1007") == 0.0
    assert value("number", "no idea", "7") == 0.0
    assert value("number", "It is -5.", "-5") == 1.0
    assert value("exact", "SELECT  a\nFROM b WHERE c < 3 ;", "select a from b where c < 3;") == 1.0
    assert value("exact", "SELECT a FROM b WHERE c > 3", "SELECT a FROM b WHERE c < 3") == 0.0


def test_rouge_by_hand() -> None:
    given_text, wanted = "the cat sat on the mat", "the cat is on the mat"
    assert value("ROUGE-1", given_text, wanted) == pytest.approx(5 / 6)
    # pairs: "the cat", "on the", "the mat" of 5
    assert value("ROUGE-2", given_text, wanted) == pytest.approx(3 / 5)
    # longest common subsequence: the cat on the mat
    assert value("ROUGE-L", given_text, wanted) == pytest.approx(5 / 6)
    # Lin (2004), section 3.1: "police killed the gunman" / "police kill the gunman" 3 of 4, "the gunman kill police" 2 of 4
    assert value("ROUGE-L", "police kill the gunman", "police killed the gunman") == pytest.approx(0.75)
    assert value("ROUGE-L", "the gunman kill police", "police killed the gunman") == pytest.approx(0.5)
    # unequal lengths: 2 shared of 2 given and 4 wanted
    assert value("ROUGE-1", "red fox", "the quick red fox") == pytest.approx(2 * 1.0 * 0.5 / 1.5)
    assert value("ROUGE-2", "red", "red fox") == 0.0
    assert value("ROUGE-L", "", "red fox") == 0.0


def test_bleu_by_hand() -> None:
    assert value("BLEU", "the cat sat on the mat", "the cat sat on the mat") == pytest.approx(1.0)
    # n = 1: 5/6; n = 2: (3 + 1)/(5 + 1); n = 3: (1 + 1)/(4 + 1); n = 4: (0 + 1)/(3 + 1); equal length, so no penalty
    expected = math.exp((math.log(5 / 6) + math.log(4 / 6) + math.log(2 / 5) + math.log(1 / 4)) / 4)
    assert value("BLEU", "the cat sat on the mat", "the cat is on the mat") == pytest.approx(expected)
    # half as long: penalty exp(1 - 2)
    assert value("BLEU", "the cat", "the cat sat on") == pytest.approx(math.exp(-1))
    assert value("BLEU", "dogs", "cats") == 0.0


@given(st.text("ab ,.", max_size=12), st.text("ab ,.", max_size=12))
def test_overlaps_are_symmetric_and_bounded(a: str, b: str) -> None:
    assert token_f1(a, b) == token_f1(b, a)
    assert 0.0 <= token_f1(a, b) <= 1.0
    for name in ("ROUGE-1", "ROUGE-2", "ROUGE-L"):
        assert value(name, a, b) == pytest.approx(value(name, b, a))
        assert value(name, a, b) <= 1.0
    assert value("ROUGE-L", a, b) <= value("ROUGE-1", a, b) + 1e-12


def test_a_case_without_answers_has_no_value() -> None:
    for name in ("EM", "F1", "contains", "number", "exact", "ROUGE-L", "BLEU", "accuracy"):
        with pytest.raises(InvalidInput, match="'q' has no"):
            value(name, "x")
    with pytest.raises(InvalidInput, match="holds no number"):
        value("number", "3", "three")
