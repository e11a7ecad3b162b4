from __future__ import annotations

import gzip
import json
import math
import os
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.encoders.bm25 import BM25Encoder, _number
from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.testing.encoder_suite import SparseEncoderSuite

DATA = Path(os.environ.get("BOWERBIRD_DATA", Path(__file__).parents[3] / "shared" / "data"))


class TestBM25Encoder(SparseEncoderSuite):
    @pytest.fixture
    def encoder(self):
        return BM25Encoder()


def terms(text, language="english"):
    return set(BM25Encoder(language=language).encode_queries([text])[0].indices.tolist())


def shares(query, text, language="english"):
    return len(terms(query, language) & terms(text, language))


def test_weights_follow_the_formula():
    encoder = BM25Encoder(k1=1.5, b=0.5, avgdl=10, language="none")
    sparse = encoder.encode_keys(["cat cat bird bower"])[0]
    weights = dict(zip(sparse.indices.tolist(), sparse.values.tolist(), strict=True))
    norm = 1.5 * (1 - 0.5 + 0.5 * 4 / 10)
    assert weights[_number("cat")] == pytest.approx(2 * 2.5 / (2 + norm), abs=1e-6)
    assert weights[_number("bird")] == pytest.approx(1 * 2.5 / (1 + norm), abs=1e-6)
    assert len(weights) == 3


def test_queries_are_counts():
    sparse = BM25Encoder(language="none").encode_queries(["cat cat bird"])[0]
    assert dict(zip(sparse.indices.tolist(), sparse.values.tolist(), strict=True)) == {_number("cat"): 2, _number("bird"): 1}


def test_term_numbers_are_pinned():
    """Stored vectors outlive the process and the release."""
    assert _number("cat") == PINNED_CAT


PINNED_CAT = 1787499195


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("running", "He runs"),
        ("CAT", "cat"),
        ("cafe naive", "café naïve"),
        ("fine", "ﬁne"),
        ("caf\u00e9", "cafe\u0301"),
        ("Straße", "STRASSE"),
        ("don't", "don’t panic, don"),
        ("bird's", "bird"),
        ("homme", "l'homme"),
        ("vitamin D", "d"),
        ("user name", "get_user_name(id)"),
        ("first name", "getFirstName"),
        ("http server", "HTTPServer"),
        ("path join", "os.path.join"),
        ("os.path.join", "call os.path.join here"),
        ("get_user_name", "`get_user_name`"),
        ("庭", "園丁鳥の庭"),
        ("園丁", "園丁鳥の庭"),
        ("ภาษา", "ภาษาไทย"),
        ("한국", "한국어를"),
        ("GPT模型", "这个GPT模型很好"),
        ("हिन्दी", "हिन्दी भाषा"),
        ("طائر", "طائر أزرق"),
    ],
)
def test_finds(query, text):
    assert shares(query, text) > 0


@pytest.mark.parametrize(
    ("query", "text"), [("the of and", "the of and"), ("RNA", "mRNA"), ("14", "3.14"), ("...", "..."), ("cat", "category"), ("d", "he'd")]
)
def test_does_not_find(query, text):
    assert shares(query, text) == 0


def test_an_identifier_counts_more_than_its_parts():
    assert shares("get_user_name", "get_user_name") > shares("get_user_name", "get the user name")


def test_japanese_pairs_beat_scattered_characters():
    assert shares("園丁鳥", "園丁鳥") > shares("園丁鳥", "鳥と園の丁")


def test_other_languages():
    assert shares("Häuser", "das Haus", "german") == shares("Häusern", "Häuser", "german") == 1
    assert shares("die Katze", "die Kater", "german") == 1  # no German stop words: the store's IDF sees to them
    with pytest.raises(UnknownName, match="Did you mean 'english'"):
        BM25Encoder(language="englisch")


@pytest.mark.parametrize("settings", [{"k1": -1}, {"b": 1.1}, {"avgdl": 0}, {"k1": math.nan}])
def test_wrong_settings(settings):
    with pytest.raises(InvalidInput, match="BM25 needs"):
        BM25Encoder(**settings)


def test_id_holds_every_setting():
    ids = {
        encoder.id
        for encoder in (BM25Encoder(), BM25Encoder(k1=0.9), BM25Encoder(b=0.4), BM25Encoder(avgdl=200), BM25Encoder(language="none"))
    }
    assert len(ids) == 5
    assert BM25Encoder().id == "bm25-english-k1=1.2-b=0.75-avgdl=100-v1"


def test_the_word_cache_is_bounded(monkeypatch):
    monkeypatch.setattr("bowerbird.encoders.bm25._CACHED", 10)
    encoder = BM25Encoder()
    first = encoder.encode_keys([f"word{i}" for i in range(100)])
    assert len(encoder._terms) <= 10
    assert np.array_equal(first[0].indices, encoder.encode_keys(["word0"])[0].indices)


@given(st.lists(st.text(alphabet="ab_.' éA1鳥", max_size=30), max_size=5))
def test_order_of_words_and_case_of_memory_do_not_matter(texts):
    """A fresh encoder and a used one agree, and counts add up over concatenation."""
    used = BM25Encoder()
    used.encode_keys(["a b A.b éA 鳥鳥"])
    for old, new in zip(used.encode_queries(texts), BM25Encoder().encode_queries(texts), strict=True):
        assert np.array_equal(old.indices, new.indices)
        assert np.array_equal(old.values, new.values)
    whole = used.encode_queries([" \n ".join(texts)])[0]
    total: Counter[int] = Counter()
    for sparse in used.encode_queries(texts):
        total.update(dict(zip(sparse.indices.tolist(), sparse.values.tolist(), strict=True)))
    assert dict(zip(whole.indices.tolist(), whole.values.tolist(), strict=True)) == dict(total)


def test_scifact_ndcg():
    """nDCG@10 on the test split of BEIR's SciFact; BEIR's own BM25 has 0.665 there (arXiv 2104.08663, table 2)."""
    folder = DATA / "knowledge" / "scifact" / "beir"
    if not folder.is_dir():
        pytest.skip(f"SciFact is not in {folder}; set BOWERBIRD_DATA")
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in file]
    queries = {row["_id"]: row["text"] for row in map(json.loads, (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines())}
    relevant: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (folder / "qrels" / "test.tsv").read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        relevant[query][document] = int(grade)

    encoder = BM25Encoder()
    holders: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for place, sparse in enumerate(encoder.encode_keys([f"{d['title']} {d['text']}" for d in documents])):
        for term, weight in zip(sparse.indices.tolist(), sparse.values.tolist(), strict=True):
            holders[term].append((place, weight))
    total = 0.0
    for query, grades in relevant.items():
        sparse = encoder.encode_queries([queries[query]])[0]
        scores: dict[int, float] = defaultdict(float)
        for term, weight in zip(sparse.indices.tolist(), sparse.values.tolist(), strict=True):
            found = holders.get(term, [])
            idf = math.log(1 + (len(documents) - len(found) + 0.5) / (len(found) + 0.5))
            for place, key_weight in found:
                scores[place] += weight * key_weight * idf
        best = sorted(scores, key=lambda place: (-scores[place], place))[:10]
        total += _dcg([grades.get(documents[place]["_id"], 0) for place in best]) / _dcg(sorted(grades.values(), reverse=True)[:10])
    assert total / len(relevant) > 0.68


def _dcg(grades):
    return sum(grade / math.log2(place + 2) for place, grade in enumerate(grades))
