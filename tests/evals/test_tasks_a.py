"""Tasks of passages, each on a miniature of its format, and what the task files share."""

import json

import pytest

from bowerbird.evals.task import Case
from bowerbird.evals.tasks import _chunks
from bowerbird.evals.tasks._dialogue import evidence
from bowerbird.evals.tasks._read import drawn
from bowerbird.evals.tasks._smart import entries
from bowerbird.types import Message, Record, Scope

SCOPE = Scope("eval")


def lines(*objects):
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)


def only(cases):
    """The cases of all splits, in the order of their ids."""
    return sorted((case for of in cases.values() for case in of), key=lambda case: case.id)


# --- what they share --------------------------------------------------------------------------------------------------


def test_drawn_depends_on_the_key_alone_and_keeps_the_shares():
    shares = {"test": 0.2, "dev": 0.1, "train": 0.7}
    found = [drawn(f"key {number}", shares) for number in range(5000)]
    assert found == [drawn(f"key {number}", shares) for number in range(5000)]
    for split, share in shares.items():
        assert found.count(split) / 5000 == pytest.approx(share, abs=0.02)
    assert drawn("anything", {"only": 0.0}) == "only"


TURNS = {f"D{session}:{turn}": None for session in (1, 2) for turn in (1, 2, 4)}


@pytest.mark.parametrize(
    ("entries", "gold", "absent"),
    [
        (["D1:1"], ["D1:1"], []),
        (["D1:1; D2:4", "D1:1"], ["D1:1", "D2:4"], []),
        (["D1:1. D2:1."], ["D1:1", "D2:1"], []),
        (["D01:02"], ["D1:2"], []),
        (["D:1:2", "D 2:1"], ["D1:2", "D2:1"], []),
        (["D1:2-D2:1"], ["D1:2", "D2:1", "D1:4"], []),
        (["D1:1-D1:3"], ["D1:1", "D1:2"], ["D1:3"]),
        (["D1:3", "D1:1"], ["D1:1"], ["D1:3"]),
        (["D", "D1;1", "", "D58"], [], ["D", "D1;1", "", "D58"]),
        ([], [], []),
    ],
)
def test_evidence_is_parsed_by_pattern(entries, gold, absent):
    assert evidence(entries, TURNS) == (dict.fromkeys(gold, 1.0), absent)


def test_smart_sections_open_once(tmp_path):
    path = tmp_path / "all"
    path.write_text(".I 7\n.T\na title\n.W\nfirst\n.W\nsecond\n.I 8\n.W\n\n", encoding="utf-8")
    assert list(entries(path, "TW")) == [("7", {"T": "a title", "W": "first\nsecond"}), ("8", {"W": ""})]


def test_chunks_keep_the_text_and_join_a_short_rest():
    text = "\n\n".join(f"w{number}" for number in range(2 * 128 + 63))
    assert [len(part.split()) for part in _chunks.chunks(text)] == [128, 191]
    assert [len(part.split()) for part in _chunks.chunks(text + "\n\nmore")] == [128, 128, 64]
    assert "\n\n".join(_chunks.chunks(text)) == text
    assert _chunks.chunks("  ") == []
    assert _chunks.chunks(" two words ") == ["two words"]


def test_a_chunk_is_asked_about_with_its_past_alone():
    parts = [f"part {place}" for place in range(12)]
    records, cases = list(_chunks.records("doc", parts)), list(_chunks.cases("doc", parts))
    assert cases[0] == Case("doc/9", "part 8", answers=("part 9",), scope=Scope("eval", "doc"), at=7.0, category="doc")
    for case in cases:
        seen = [record.text for record in records if record.starts <= case.at < record.ends]
        assert seen == parts[: parts.index(case.query)]
        assert len(seen) >= _chunks.PAST


# --- passages ---------------------------------------------------------------------------------------------------------


def test_scifact(mini):
    records, cases = mini(
        "scifact",
        {
            "corpus.jsonl.gz": lines({"_id": "1", "title": "T", "text": "a"}, {"_id": "2", "title": "", "text": "b"}),
            "queries.jsonl": lines({"_id": "q1", "text": "x"}, {"_id": "q2", "text": "y"}, {"_id": "q3", "text": "z"}),
            "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq2\t1\t2\nq2\t2\t0\n",
            "qrels/train.tsv": "query-id\tcorpus-id\tscore\nq1\t2\t1\n",
        },
    )
    assert records == [Record("1", "passage", "a", {"title": "T"}, SCOPE), Record("2", "passage", "b", {}, SCOPE)]
    assert cases == {"test": [Case("q2", "y", {"1": 2.0}, scope=SCOPE)], "train": [Case("q1", "x", {"2": 1.0}, scope=SCOPE)]}


def test_cranfield_counts_queries_by_their_order(mini):
    records, cases = mini(
        "cranfield",
        {
            "cran.all.1400": ".I 1\n.T\na wing\nin air .\n.A\nann\n.B\nj.\n.W\na wing\nin air .\n  it flies .\n.I 2\n.T\n.A\n.B\n.W\n",
            "cran.qry": ".I 001\n.W\nwhat flies\n.I 004\n.W\nwhat\nfalls\n",
            "cranqrel": "2 1 1 \n2 2 -1\n1 1 4\n",
        },
    )
    assert records == [
        Record("1", "passage", "it flies .", {"title": "a wing in air .", "author": "ann"}, SCOPE),
        Record("2", "passage", "(no text)", {}, SCOPE),
    ]
    assert cases == {"test": [Case("1", "what flies", {"1": 1.0}, scope=SCOPE), Case("2", "what falls", {"1": 1.0}, scope=SCOPE)]}


def test_cacm_keeps_judged_queries(mini):
    records, cases = mini(
        "cacm",
        {
            "cacm.all.gz": ".I 1\n.T\nSorting\n.B\n1960\n.A\nLee, B.\nMay, C.\n.X\n1 5 1\n.I 2\n.T\nTrees\n.W\nOn trees\n.X\n2 5 2\n",
            "query.text": ".I 1\n.W\n how to\n sort\n.N\n someone\n.I 2\n.W\n trees\n",
            "qrels.text": "01 0001 0 0\n",
        },
    )
    assert records == [
        Record("1", "passage", "Sorting", {"title": "Sorting", "author": "Lee, B.; May, C."}, SCOPE),
        Record("2", "passage", "On trees", {"title": "Trees"}, SCOPE),
    ]
    assert cases == {"test": [Case("1", "how to sort", {"1": 1.0}, scope=SCOPE)]}


def test_hotpotqa(mini):
    row = {"_id": "h1", "question": "same?", "answer": "yes", "type": "comparison", "level": "hard", "gold_titles": ["A", "B"]}
    records, cases = mini(
        "hotpotqa",
        {"corpus.jsonl.gz": lines({"title": "A", "text": "a"}, {"title": "B", "text": "b"}), "questions.jsonl": lines(row)},
    )
    assert records == [Record(title, "passage", title.lower(), {"title": title}, SCOPE) for title in "AB"]
    assert only(cases) == [Case("h1", "same?", {"A": 1.0, "B": 1.0}, ("yes",), scope=SCOPE, category="comparison")]


def test_nq_pools_the_passages(mini):
    def row(question: str, text: str) -> dict[str, object]:
        return {"question": question, "answers": ["x", "y"], "ctxs": [{"title": "T", "text": text, "isgold": True}]}

    records, cases = mini("nq", {"nq-open-oracle.jsonl.gz": lines(row("a", "one"), row("b", "two"), row("c", "one"))})
    assert records == [Record("p0", "passage", "one", {"title": "T"}, SCOPE), Record("p1", "passage", "two", {"title": "T"}, SCOPE)]
    assert [(case.id, case.query, dict(case.gold), case.answers) for case in only(cases)] == [
        ("q0", "a", {"p0": 1.0}, ("x", "y")),
        ("q1", "b", {"p1": 1.0}, ("x", "y")),
        ("q2", "c", {"p0": 1.0}, ("x", "y")),
    ]
    assert any({"q0", "q2"} <= {case.id for case in of} for of in cases.values())  # one passage, one split


def test_xquad_one_language_and_across(mini):
    def article(context: str, question: str, answer: str) -> str:
        qas = [{"id": "1", "question": question, "answers": [{"text": answer, "answer_start": 0}]}]
        return json.dumps({"data": [{"title": "Big_Game", "paragraphs": [{"context": context, "qas": qas}]}]})

    texts = {
        "xquad.en.json": article("Two won.", "Who won?", "Two"),
        "xquad.de.json": article("Zwei gewannen.", "Wer gewann?", "Zwei"),
        "xquad.es.json": article("Dos ganaron.", "¿Quién ganó?", "Dos"),
        "xquad.zh.json": article("两队赢了。", "谁赢了？", "两队"),
    }
    records, cases = mini("xquad_de", {"xquad.de.json": texts["xquad.de.json"]})
    assert records == [Record("Big_Game/0", "passage", "Zwei gewannen.", {"title": "Big Game", "lang": "de"}, SCOPE)]
    assert only(cases) == [Case("de-1", "Wer gewann?", {"Big_Game/0": 1.0}, ("Zwei",), scope=SCOPE, category="de")]
    records, cases = mini("xquad_cross", texts)
    assert [record.text for record in records] == ["Two won."]
    assert [(case.query, case.answers, case.category) for case in only(cases)] == [
        ("Wer gewann?", ("Two",), "de"),
        ("¿Quién ganó?", ("Two",), "es"),
        ("谁赢了？", ("Two",), "zh"),
    ]


def test_inscit(mini):
    passage = {"passage_id": "Cheese:1", "passage_text": "It is dairy.", "passage_titles": ["Cheese", "Kinds"]}
    untitled = {"passage_id": "Milk:0", "passage_text": "White.", "passage_titles": []}
    labels = [
        {"responseType": "directAnswer", "response": "Dairy.", "evidence": [passage]},
        {"responseType": "clarification", "response": "Which?", "evidence": [passage, untitled]},
    ]
    turn = {"context": ["Hi?", "Hello.", "What is it?"], "prevEvidence": [], "labels": labels}
    records, cases = mini("inscit", {"dev.json.gz": json.dumps({"food": {"seedArticle": {}, "turns": [turn]}})})
    assert records == [
        Record("Cheese:1", "passage", "It is dairy.", {"title": "Cheese", "heading": "Kinds"}, SCOPE),
        Record("Milk:0", "passage", "White.", {"title": "Milk"}, SCOPE),
    ]
    assert only(cases) == [
        Case(
            "food/0",
            "What is it?",
            {"Cheese:1": 1.0, "Milk:0": 1.0},
            ("Dairy.", "Which?"),
            history=(Message("user", "Hi?"), Message("assistant", "Hello.")),
            scope=SCOPE,
            category="directAnswer",
            facts={"response_types": ["directAnswer", "clarification"]},
        )
    ]


def test_cast2019(mini):
    def topic(number: int) -> str:
        turns = [{"number": 1, "raw_utterance": "What is it?"}, {"number": 2, "raw_utterance": 'Is it "old"? '}]
        return json.dumps([{"number": number, "title": "age", "description": "", "turn": turns}])

    records, cases = mini(
        "cast2019",
        {
            "evaluation_topics_v1.0.json": topic(31),
            "evaluation_topics_annotated_resolved_v1.0.tsv": '31_1\tWhat is Troy?\n31_2\tIs Troy "old"?\n',
            "train_topics_v1.0.json": topic(1),
            "train_topic_sample_annotated_resolved_v1.0.tsv": '1_2\tIs Rome "old"?\n',
        },
    )
    assert records == []
    asked = Case("1_2", 'Is it "old"?', answers=('Is Rome "old"?',), history=(Message("user", "What is it?"),), facts={"topic": "age"})
    assert cases["train"] == [asked]
    assert [(case.id, case.answers) for case in cases["test"]] == [("31_1", ("What is Troy?",)), ("31_2", ('Is Troy "old"?',))]
