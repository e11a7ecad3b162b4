"""Measures of the overlap of a longer text with its references: ROUGE-1, ROUGE-2, ROUGE-L, BLEU. Words are lower-cased and not stemmed.

ROUGE-L is by the longest common subsequence of the whole text, not sentence by sentence.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

from bowerbird.errors import InvalidInput
from bowerbird.evals.measure import Measure, Pool, Result, bare
from bowerbird.evals.task import Case

__all__ = ["bleu", "rouge_1", "rouge_2", "rouge_l"]

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_ORDER = 4


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))


def _balanced(shared: float, given: int, wanted: int) -> float:
    return 2 * shared / (given + wanted) if given and wanted else 0.0


def _rouge_n(given: list[str], wanted: list[str], n: int) -> float:
    got, gold = _grams(given, n), _grams(wanted, n)
    return _balanced((got & gold).total(), got.total(), gold.total())


def _subsequence(given: list[str], wanted: list[str]) -> int:
    """Length of the longest common subsequence, one row at a time."""
    row = [0] * (len(wanted) + 1)
    for word in given:
        diagonal = 0
        for place, other in enumerate(wanted, 1):
            diagonal, row[place] = row[place], diagonal + 1 if word == other else max(row[place], row[place - 1])
    return row[-1]


def _made(name: str, about: str, argument: str, compare: Callable[[list[str], list[str]], float]) -> Measure:
    bare(name, argument)

    def item(case: Case, result: Result, pool: Pool) -> float:
        if not case.answers:
            raise InvalidInput(f"Case {case.id!r} has no reference text, so {name} says nothing of it.")
        given = _words(result.output)
        return max(compare(given, _words(answer)) for answer in case.answers)

    return Measure(name, about, item)


def rouge_1(argument: str) -> Measure:
    """ROUGE-1, F-measure (Lin 2004)."""
    return _made("ROUGE-1", "overlap of words, F-measure", argument, lambda given, wanted: _rouge_n(given, wanted, 1))


def rouge_2(argument: str) -> Measure:
    """ROUGE-2, F-measure (Lin 2004)."""
    return _made("ROUGE-2", "overlap of pairs of words, F-measure", argument, lambda given, wanted: _rouge_n(given, wanted, 2))


def rouge_l(argument: str) -> Measure:
    """ROUGE-L, F-measure (Lin 2004)."""

    def compare(given: list[str], wanted: list[str]) -> float:
        return _balanced(_subsequence(given, wanted), len(given), len(wanted))

    return _made("ROUGE-L", "longest common subsequence of words, F-measure", argument, compare)


def bleu(argument: str) -> Measure:
    """BLEU of a single text, up to 4 words (Papineni et al. 2002), one added to the counts of 2 and more words (Lin and Och 2004).

    The mean over cases is not the BLEU of a corpus; a reference is taken alone and the best one counts.
    """

    def compare(given: list[str], wanted: list[str]) -> float:
        if not given or not wanted:
            return 0.0
        logs = 0.0
        for n in range(1, _ORDER + 1):
            got, extra = _grams(given, n), int(n > 1)
            shared = (got & _grams(wanted, n)).total() + extra
            if not shared:
                return 0.0
            logs += math.log(shared / (got.total() + extra)) / _ORDER
        return math.exp(logs + min(0.0, 1 - len(wanted) / len(given)))

    return _made("BLEU", "overlap of up to four words with a penalty for brevity, smoothed", argument, compare)
