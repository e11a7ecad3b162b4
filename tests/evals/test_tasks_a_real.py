"""Tasks of passages, memories and tools over the real data: published counts, gold that is there, splits apart."""

import dataclasses
import itertools
import math
import re
import urllib.error
from collections import defaultdict

import numpy as np
import pytest

from bowerbird.encoders.bm25 import BM25Encoder
from bowerbird.evals import measure
from bowerbird.evals.task import DataAltered, DataMissing
from bowerbird.evals.task import get as load
from bowerbird.evals.tasks import TABLE, locomo, realtalk
from bowerbird.evals.tasks._dialogue import evidence
from bowerbird.evals.tasks.apibench import TASK as APIBENCH
from bowerbird.kinds import checked, kind

# name -> (records, cases by split, cases without gold); the sums over splits are the published counts
COUNTS = {
    "scifact": (5183, {"test": 300, "train": 809}, 0),
    "cranfield": (1400, {"test": 225}, 0),
    "cacm": (3204, {"test": 52}, 0),
    "hotpotqa": (4937, {"test": 183, "dev": 35, "train": 132}, 0),
    "nq": (2600, {"test": 765, "dev": 280, "train": 1610}, 0),
    "xquad_en": (240, {"test": 536, "dev": 105, "train": 549}, 0),
    "xquad_de": (240, {"test": 536, "dev": 105, "train": 549}, 0),
    "xquad_es": (240, {"test": 536, "dev": 105, "train": 549}, 0),
    "xquad_zh": (240, {"test": 536, "dev": 105, "train": 549}, 0),
    "xquad_cross": (240, {"test": 1608, "dev": 315, "train": 1647}, 0),
    "inscit": (996, {"test": 258, "dev": 43, "train": 201}, 17),
    "cast2019": (0, {"test": 479, "train": 23}, 502),
    "locomo": (4035, {"test": 459, "dev": 105, "train": 875}, 4),
    "realtalk": (5755, {"test": 231, "dev": 73, "train": 213}, 11),
    "bfcl_memory": (323, {"test": 155}, 1),
    "books": (1766, {"test": 807, "train": 941}, 1748),
    "wikitext": (1668, {"test": 775, "dev": 54, "train": 306}, 1135),
    "metatool": (199, {"test": 4296, "dev": 2077, "train": 14666}, 0),
    "stabletoolbench": (2220, {"test": 296, "dev": 48, "train": 236}, 0),
    "apibench": (1726, {"test": 1097, "train": 837}, 0),
    "bfcl_tools": (799, {"test": 530, "dev": 108, "train": 420}, 0),
    "api_bank": (101, {"test": 406}, 0),
    "toolalpaca": (1426, {"test": 214}, 0),
}


@pytest.mark.parametrize("name", COUNTS)
def test_metadata(name):
    task = load(name)
    assert TABLE[name].startswith("bowerbird.evals.tasks.")
    assert task.name == name
    assert kind(task.kind)
    assert all((task.about, task.licence, task.citation, task.protocols, task.measures, task.splits[0] == "test"))
    assert [measure.get(one).name for one in task.measures] == list(task.measures)
    for source, revision in zip(task.source.split(", "), task.revision.split(", "), strict=True):
        assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", source)
        assert re.fullmatch(r"[0-9a-f]{40}", revision)
    assert task.files
    for file in task.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert re.fullmatch(r"(knowledge|memory|tools)/[^\\]+", file.path)
        assert not (file.url and file.path.endswith(".gz"))  # what lies here compressed is plain at its source
        assert not file.url or re.fullmatch(r"https://raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/[0-9a-f]{40}/\S+", file.url)


@pytest.mark.parametrize("name", COUNTS)
def test_counts_gold_and_splits(name, data):
    task = load(name)
    held = task.data(data)
    keys = defaultdict(set)
    for record in task.records(held):
        checked(record, record.scope)
        assert record.key not in keys[record.scope], f"{record.key} is there twice"
        keys[record.scope].add(record.key)
    cases = {split: list(task.cases(held, split)) for split in task.splits}
    every = [case for of in cases.values() for case in of]
    records, splits, without_gold = COUNTS[name]
    assert (sum(map(len, keys.values())), {split: len(of) for split, of in cases.items()}) == (records, splits)
    assert sum(not case.gold for case in every) == without_gold
    assert len({case.id for case in every}) == len(every)
    for case in every:
        assert case.query.strip()
        assert "rank" in task.protocols or (case.answers and all(case.answers))
        for key, grade in case.gold.items():
            assert grade > 0
            assert any(key in keys[scope] for scope in case.scope.visible()), f"{key} of {case.id} is no record"


@pytest.mark.parametrize("name", ["hotpotqa", "nq", "xquad_cross", "metatool", "stabletoolbench", "bfcl_tools", "locomo", "realtalk"])
def test_no_query_is_on_two_sides(name, data):
    task = load(name)
    held = task.data(data)
    asked = {split: {(case.scope, " ".join(case.query.casefold().split())) for case in task.cases(held, split)} for split in task.splits}
    for one, other in itertools.combinations(asked.values(), 2):
        assert not one & other


def test_what_is_dropped_is_counted(data):
    held = locomo.TASK.data(data)
    absent = []
    for names in locomo._SPLITS.values():
        for _, chat in locomo._chats(held, names):
            turns = dict.fromkeys(turn["dia_id"] for _, _, told in locomo._sessions(chat["conversation"]) for turn in told)
            absent += [missing for row in chat["qa"] if (missing := evidence(row["evidence"], turns)[1])]
    assert sorted(itertools.chain(*absent)) == ["D", "D10:19", "D4:36"]
    assert locomo.TASK.dropped[0].startswith(f"3 entries of evidence, of {len(absent)} questions")
    held = realtalk.TASK.data(data)
    absent = []
    for name in itertools.chain(*realtalk._SPLITS.values()):
        chat = realtalk.json_value(held.path(f"{name}.json"))
        turns = dict.fromkeys(message["dia_id"] for _, messages in realtalk._sessions(chat) for message in messages)
        absent += [missing for row in chat["qa"] if (missing := evidence(row["evidence"], turns)[1])]
    assert realtalk.TASK.dropped[0].startswith(f"{sum(map(len, absent))} entries of evidence, of {len(absent)} questions")


def test_every_apibench_request_was_written_from_one_document(data):
    cases = list(APIBENCH.cases(APIBENCH.data(data), "test"))
    assert sum(len(case.gold) == 1 for case in cases) == len(cases) - 1


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


@pytest.mark.usefixtures("offline")
def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataMissing, match=r"'cranfield' needs knowledge/cranfield/cran\.all\.1400, .*BOWERBIRD_DATA.*github\.com/cky008"):
        load("cranfield").data(tmp_path)
    with pytest.raises(DataMissing, match="and 259 more"):
        load("api_bank").data(tmp_path)


def test_an_altered_file_is_named_with_both_hashes(tmp_path):
    task = load("wikitext")
    (file,) = task.files
    path = tmp_path / file.path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"other")
    with pytest.raises(DataAltered, match=rf"wikitext-2/valid\.txt is not the file .*SHA-256 d9298a10[0-9a-f]*, expected {file.sha256}"):
        task.data(tmp_path)
    same = dataclasses.replace(file, sha256="d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa")
    assert dataclasses.replace(task, files=(same,)).data(tmp_path).path("valid.txt") == path


@pytest.mark.parametrize(("name", "least"), [("cranfield", 0.353), ("cacm", 0.441), ("hotpotqa", 0.752)])
def test_bm25_does_at_least_what_a_plain_one_does(name, least, data):
    """nDCG@10 of a plain BM25 over all queries, as measured apart from this library; within 0.04 above."""
    task = load(name)
    held = task.data(data)
    records, cases = list(task.records(held)), [case for split in task.splits for case in task.cases(held, split)]
    encoder = BM25Encoder()
    posted = defaultdict(list)
    for place, weights in enumerate(encoder.encode_keys([kind(record.kind).encode(record) for record in records])):
        for term, weight in zip(weights.indices.tolist(), weights.values.tolist(), strict=True):
            posted[term].append((place, weight))
    gains = []
    for case, query in zip(cases, encoder.encode_queries([case.query for case in cases]), strict=True):
        scores = np.zeros(len(records))
        for term, count in zip(query.indices.tolist(), query.values.tolist(), strict=True):
            rarity = math.log(1 + (len(records) - len(posted[term]) + 0.5) / (len(posted[term]) + 0.5))
            for place, weight in posted[term]:
                scores[place] += count * weight * rarity
        found = [records[place].key in case.gold for place in np.argsort(-scores, kind="stable")[:10]]
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(10, len(case.gold))))
        gains.append(sum(hit / math.log2(rank + 2) for rank, hit in enumerate(found)) / ideal)
    assert least <= np.mean(gains) <= least + 0.04
