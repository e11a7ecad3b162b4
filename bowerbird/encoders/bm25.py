"""BM25 as a sparse encoder: records get saturated, length-normalised term weights, queries get term counts.

The inverse document frequency belongs to the store, which knows how many records hold a term; this file knows only one
text at a time. Terms are words, the parts of identifiers, and characters with character pairs where words have no spaces.
"""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

from bowerbird.encoders.text import checked
from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.ports import Sparse

__all__ = ["BM25Encoder"]

# Letters, digits and underscores, with the marks that belong to letters (accents, Arabic and Hebrew points, Indic vowels);
# dots and apostrophes inside a word hold it together, as in os.path.join and don't.
_MARKED = r"[\w\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff]+"
_WORD = re.compile(rf"{_MARKED}(?:[.'’]{_MARKED})*")
_ASCII_WORD = re.compile(r"[A-Za-z0-9_]+(?:[.'][A-Za-z0-9_]+)*")  # the same for ASCII text, twice as fast
# Scripts without spaces between words, and Hangul, whose particles cling to words: searched by characters and pairs.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff"
    r"\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ACCENTS = re.compile(r"[\u0300-\u036f]")

_STOP_WORDS = (
    "a about after all also am an and any are as at be because been before being both but by can could did do does doing "
    "during each for from had has have having he her here hers him his how i if in into is it its itself just me more most "
    "my no nor not of off on once only or other our ours out over own same she should so some such than that the their "
    "theirs them then there these they this those through to too under until up very was we were what when where which "
    "while who whom why will with would you your yours"
)
_STOP = frozenset(_STOP_WORDS.split())
_CLITICS = frozenset(("s", "t", "d", "m", "ll", "re", "ve"))  # after an apostrophe; elsewhere, as in "vitamin D", they are words
_LONGEST = 64  # characters of a word; a longer one (base64, a hash) is kept whole, without stemming
_CACHED = 200_000  # words whose terms are remembered, about 40 MB when full
_VERSION = 1  # part of the id: raise it when a change here changes vectors


class BM25Encoder:
    """Okapi BM25 (Robertson and Zaragoza 2009, section 3.2) split between encoder and store.

    A record's weight of a term that occurs tf times is tf (k1 + 1) / (tf + k1 (1 - b + b len / avgdl)), len its number
    of terms; a query's weight is how often the term is asked. Differences: `avgdl` is a constant instead of the mean
    over the records, so that adding a record changes no other record's vector (in one store short tools and memories lie
    beside long passages; see docs/encoders.md for how little the constant matters); terms are 32-bit hashes, and two
    that collide count as one.

    `language` is a Snowball stemmer ("english", "german", ...), or "none" for no stemming. English also drops stop
    words and accents. 0.1 to 0.2 ms a passage of 200 words on one core.
    """

    def __init__(self, k1: float = 1.2, b: float = 0.75, avgdl: float = 100.0, language: str = "english") -> None:
        if not (k1 >= 0 and 0 <= b <= 1 and avgdl > 0):
            raise InvalidInput(f"BM25 needs k1 >= 0, 0 <= b <= 1 and avgdl > 0; got k1={k1}, b={b}, avgdl={avgdl}.")
        import Stemmer  # C extension; only needed once somebody builds one

        if language != "none" and language not in Stemmer.algorithms():
            raise UnknownName("language", language, [*Stemmer.algorithms(), "none"])
        self._k1, self._b, self._avgdl, self._language = float(k1), float(b), float(avgdl), language
        # Words are remembered here, so the stemmer's own cache would keep them twice. It must not be shared by threads.
        self._stemmer = None if language == "none" else Stemmer.Stemmer(language, 0)
        self._stemming = threading.Lock()
        self._stop = _STOP if language == "english" else frozenset[str]()
        self._terms: dict[str, tuple[int, ...]] = {}

    @property
    def id(self) -> str:
        """Holds every setting that changes a vector."""
        return f"bm25-{self._language}-k1={self._k1:g}-b={self._b:g}-avgdl={self._avgdl:g}-v{_VERSION}"

    def encode_keys(self, texts: Sequence[str]) -> list[Sparse]:
        """One vector a record. A text without terms gets an empty one."""
        made = []
        for text in checked(texts):
            indices, counts = self._counts(text)
            length = self._k1 * (1 - self._b + self._b * counts.sum() / self._avgdl)
            made.append(Sparse(indices, (counts * (self._k1 + 1) / (counts + length)).astype(np.float32)))
        return made

    def encode_queries(self, texts: Sequence[str]) -> list[Sparse]:
        """One vector a query: how often each term is asked."""
        made = []
        for text in checked(texts):
            indices, counts = self._counts(text)
            made.append(Sparse(indices, counts.astype(np.float32)))
        return made

    def _counts(self, text: str) -> tuple[np.ndarray[tuple[int], np.dtype[np.uint32]], np.ndarray[tuple[int], np.dtype[np.float64]]]:
        if text.isascii():
            words = Counter(_ASCII_WORD.findall(text))
        else:
            words = Counter(_WORD.findall(unicodedata.normalize("NFKC", text)))
        known = self._terms
        counts: dict[int, int] = {}
        for word, count in words.items():
            terms = known.get(word)
            if terms is None:
                terms = self._learn(word)
            for term in terms:
                counts[term] = counts.get(term, 0) + count
        indices = np.fromiter(counts.keys(), np.uint32, len(counts))
        values = np.fromiter(counts.values(), np.float64, len(counts))
        order = np.argsort(indices)
        return indices[order], values[order]

    def _learn(self, word: str) -> tuple[int, ...]:
        """Term numbers of a word as it stands in the text."""
        terms = tuple(_number(term) for term in self._split(word))
        if len(word) <= _LONGEST:
            if len(self._terms) >= _CACHED:
                self._terms = {}  # a new dict: another thread may be reading the old one
            self._terms[word] = terms
        return terms

    def _split(self, word: str) -> list[str]:
        """The terms of a word: itself, the parts of an identifier, characters and pairs of an unspaced script."""
        if len(word) > _LONGEST and not _UNSPACED.search(word):
            return [word.casefold()]
        terms: list[str] = []
        start = 0
        for run in _UNSPACED.finditer(word):
            terms += self._identifier(word[start : run.start()])
            chars = run.group()
            terms += chars
            terms += (chars[i : i + 2] for i in range(len(chars) - 1))
            start = run.end()
        return terms + self._identifier(word[start:])

    def _identifier(self, word: str) -> list[str]:
        """`getUser.first_name` → getuser.first_name, get, user, first, name (stemmed); a plain word → its stem."""
        terms: list[str] = []
        for place, whole in enumerate(re.split("['’]", word)):
            if place and whole.casefold() in _CLITICS:
                continue
            whole = whole.strip("_.")
            parts = [part for dotted in re.split(r"[._]+", whole) for part in _camel(dotted)]
            if len(parts) > 1:
                terms.append(whole.casefold())
                if whole.replace(".", "").isdecimal():
                    continue  # 3.14 is one number
            terms += (self._stem(part) for part in (part.casefold() for part in parts) if part and part not in self._stop)
        return terms

    def _stem(self, word: str) -> str:
        if self._language == "english" and not word.isascii():
            word = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", word)))
        if self._stemmer is None:
            return word
        with self._stemming:
            return str(self._stemmer.stemWord(word))


def _camel(word: str) -> list[str]:
    """Parts of a CamelCase word; one with a part of a single letter (mRNA, iPhone) is a word."""
    parts = _CAMEL.split(word)
    return parts if all(len(part) > 1 for part in parts) else [word]


def _number(term: str) -> int:
    """32 bits of BLAKE2b: the same in every process, unlike `hash`."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "big")
