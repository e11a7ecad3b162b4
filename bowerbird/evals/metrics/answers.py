"""Measures of a short answer against the accepted ones; the best over those counts.

Texts are normalised as for SQuAD (Rajpurkar et al. 2016): lower case, without punctuation and the English articles. Chinese
and Japanese are taken by character. Articles of other languages stay, which costs German and Spanish answers a little F1.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Measure, Pool, Result, bare
from bowerbird.evals.task import Case

__all__ = ["contains", "em", "exact", "f1", "number", "token_f1", "tokens"]

_ARTICLES = frozenset(("a", "an", "the"))
_BY_CHARACTER = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f])")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def tokens(text: str) -> list[str]:
    """The words that count, in order."""
    kept = "".join(letter for letter in text.lower() if letter not in string.punctuation and unicodedata.category(letter)[0] != "P")
    return [word for word in _BY_CHARACTER.sub(r" \1 ", kept).split() if word not in _ARTICLES]


def token_f1(given: str, wanted: str) -> float:
    """Harmonic mean of precision and recall over shared words; 1 where both are empty."""
    got, gold = tokens(given), tokens(wanted)
    if not got or not gold:
        return float(got == gold)
    shared = sum((Counter(got) & Counter(gold)).values())
    return 2 * shared / (len(got) + len(gold))


def _best(name: str, about: str, argument: str, compare: Callable[[str, str], float]) -> Measure:
    bare(name, argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        if not case.answers:
            raise InvalidInput(f"Case {case.id!r} has no accepted answer, so {name} says nothing of it.")
        return max(compare(result.output, answer) for answer in case.answers)

    return Measure(name, about, item)


def em(argument: str) -> Measure:
    """Equal to an accepted answer after normalisation."""
    return _best("EM", "1 if the answer equals an accepted one after normalisation", argument, lambda a, b: float(tokens(a) == tokens(b)))


def f1(argument: str) -> Measure:
    """Overlap of words with the nearest accepted answer."""
    return _best("F1", "overlap of words with an accepted answer", argument, token_f1)


def contains(argument: str) -> Measure:
    """An accepted answer's words stand in the answer one after another (PopQA's accuracy, but by whole words)."""

    def compare(given: str, wanted: str) -> float:
        needle = " ".join(tokens(wanted))
        return float(bool(needle) and f" {needle} " in f" {' '.join(tokens(given))} ")

    return _best("contains", "1 if an accepted answer stands in the answer", argument, compare)


def exact(argument: str) -> Measure:
    """Equal up to white space, case and a closing semicolon: for code and SQL, where punctuation means something."""

    def plain(text: str) -> str:
        return " ".join(text.split()).rstrip("; ").lower()

    return _best(
        "exact", "1 if the text equals an accepted one up to white space and case", argument, lambda a, b: float(plain(a) == plain(b))
    )


def number(argument: str) -> Measure:
    """The last number of the answer equals the accepted one in value: 1,000 and 1000.0 are the same (GSM8K)."""

    def compare(given: str, wanted: str) -> float:
        found, gold = _NUMBER.findall(given), _NUMBER.findall(wanted)
        if not gold:
            raise InvalidInput(f"The accepted answer {wanted!r:.80} holds no number.")
        return float(bool(found) and Decimal(found[-1].replace(",", "")) == Decimal(gold[-1].replace(",", "")))

    return _best("number", "1 if the last number of the answer is the accepted one", argument, compare)
