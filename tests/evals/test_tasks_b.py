"""The second half of the tasks: each format in miniature, and the counts of the real data where they are."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bowerbird.errors import InvalidInput
from bowerbird.evals import labelled, measure, rows
from bowerbird.evals.task import Case, Task, TaskData, get
from bowerbird.kinds import checked
from bowerbird.types import Record

# Records, and cases by split.
COUNTS: dict[str, tuple[int, dict[str, int]]] = {
    "clinc150": (15_100, {"test": 5500, "val": 3100}),
    "banking77": (10_003, {"test": 3080}),
    "trec": (5452, {"test": 500}),
    "sst2": (6920, {"test": 1821, "dev": 872}),
    "snips": (13_784, {"validation": 700}),
    "ag_news": (5773, {"queries": 1827}),
    "gsm8k": (7473, {"test": 1319}),
    "geoquery": (549, {"test": 279, "dev": 49}),
    "geoquery_by_query": (536, {"test": 182, "dev": 159}),
    "prefeval": (4127, {"explicit": 699, "choice": 699}),
    "tallrec_movie": (2000, {"test": 1000, "valid": 1000}),
    "lastfm": (1506, {"queries": 378}),
    "movielens": (9742, {"test": 28, "newcomers": 87}),
    "amazon_games": (16_859, {"test": 40_430, "tune": 10_116}),
    "routellm_mmlu": (2, {"test": 5388, "train": 5397, "all": 10_785}),
    "routellm_gsm8k": (2, {"test": 339, "train": 321, "all": 660}),
    "routellm_mtbench": (2, {"test": 42, "train": 38, "all": 80}),
    "routerbench": (11, {"test": 1139, "train": 1073, "all": 2212}),
    "routerdc": (7, {"test": 3726, "train": 3872, "all": 7598}),
    "wice": (0, {"dev": 349}),
    "begin": (0, {"dev": 1229}),
    "expertqa": (0, {"rand_val": 741}),
    "alce_human": (0, {"human": 800}),
    "pandalm": (0, {"test": 999}),
    "llmbar": (0, {"test": 419}),
}

GPT, MIX = "gpt-4-1106-preview", "mistralai/Mixtral-8x7B-Instruct-v0.1"


def small(tmp_path: Path, name: str, contents: Mapping[str, str], encoding: str = "utf-8") -> tuple[Task, TaskData]:
    """The task over these files, by the end of their path."""
    task = get(name)
    for end, text in contents.items():
        (file,) = [file for file in task.files if file.path.endswith(f"/{end}")]
        path = tmp_path / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        content = text.encode(encoding)
        path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return task, TaskData(tmp_path, task.files)


def read(tmp_path: Path, name: str, contents: Mapping[str, str], split: str | None = None) -> tuple[list[Record], list[Case]]:
    task, data = small(tmp_path, name, contents)
    return list(task.records(data)), list(task.cases(data, split or ("all" if "all" in task.splits else task.splits[0])))


def lines(*items: Any) -> str:
    return "\n".join(json.dumps(item) for item in items) + "\n"


def test_rows(tmp_path: Path) -> None:
    table = tmp_path / "t.csv.gz"
    table.write_bytes(gzip.compress(b'a,b\n1,"two\nlines, and a comma"\n'))
    assert list(rows.table_rows(table)) == [{"a": "1", "b": "two\nlines, and a comma"}]
    (tmp_path / "bad.csv").write_text("a,b\n1\n")
    with pytest.raises(InvalidInput, match="line 2: 1 cells for the 2 columns a, b"):
        list(rows.table_rows(tmp_path / "bad.csv"))
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n\n{"a"\n')
    with pytest.raises(InvalidInput, match="line 3 is no JSON"):
        list(rows.json_lines(tmp_path / "bad.jsonl"))
    shares = [rows.share(f"key {number}") for number in range(4000)]
    assert rows.share("key 0") == shares[0]
    assert sum(share < 0.2 for share in shares) / 4000 == pytest.approx(0.2, abs=0.02)


def test_words_of_labels() -> None:
    assert labelled.words("card_arrival") == "card arrival"
    assert labelled.words("SearchScreeningEvent") == "search screening event"
    assert labelled.words("HUM") == "hum"


def test_clinc150(tmp_path: Path) -> None:
    held = {"train": [["hi there", "greeting"], ["book it", "book_hotel"]], "oos_train": [["why", "oos"]]}
    held |= {"test": [["hello", "greeting"]], "oos_test": [["what is it", "oos"]]}
    records, cases = read(tmp_path, "clinc150", {"data_full.json.gz": json.dumps(held)})
    assert [(r.key, r.text, r.fields["output"]) for r in records][1:] == [
        ("train-1", "book it", "book hotel"),
        ("train-2", "why", "out of scope"),
    ]
    assert [(c.query, c.answers, dict(c.gold)) for c in cases] == [
        ("hello", ("greeting",), {"train-0": 1.0}),
        ("what is it", ("out of scope",), {"train-2": 1.0}),
    ]
    assert cases[0].choices == ("book hotel", "greeting", "out of scope")


def test_banking77(tmp_path: Path) -> None:
    files = {"train.csv": "text,category\nWhere is it?,card_arrival\n", "test.csv": 'text,category\n"My card, where?",card_arrival\n'}
    records, (case,) = read(tmp_path, "banking77", files | {"categories.json": '["card_arrival", "exchange_rate"]'})
    assert (records[0].fields["label"], case.query, case.choices) == ("card arrival", "My card, where?", ("card arrival", "exchange rate"))


def test_trec_is_latin_1(tmp_path: Path) -> None:
    task, data = small(
        tmp_path, "trec", {"TREC.train": "HUM:ind Who was Dvořák ?\n".replace("ř", "r"), "TREC.test": "NUM:dist How far ?\n"}, "latin-1"
    )
    assert next(iter(task.records(data))).text == "Who was Dvorák ?"
    (case,) = task.cases(data, "test")
    assert (case.answers, case.facts, case.gold) == (("number",), {"fine": "NUM:dist"}, {})


def test_sst2(tmp_path: Path) -> None:
    records, (case,) = read(tmp_path, "sst2", {"stsa.binary.train": "1 a fine film .\n0 dull .\n", "stsa.binary.test": "0 no , no .\n"})
    assert [r.fields["label"] for r in records] == ["positive", "negative"]
    assert (case.query, case.answers, dict(case.gold)) == ("no , no .", ("negative",), {"train-1": 1.0})


def test_snips_joins_the_pieces(tmp_path: Path) -> None:
    task = get("snips")
    files = {}
    for file in task.files:
        intent = file.path.split("_")[1].removesuffix(".json")
        files[file.path.rpartition("/")[2]] = json.dumps({intent: [{"data": [{"text": "do "}, {"text": intent, "entity": "x"}]}]})
    records, cases = read(tmp_path, "snips", files)
    assert (len(records), len(cases)) == (7, 7)
    assert (records[3].text, records[3].fields["output"]) == ("do PlayMusic", "play music")


def test_ag_news_splits_by_text(tmp_path: Path) -> None:
    table = "".join(f'"{n % 4 + 1}","Title {n}","Text\\with breaks {n}"\n' for n in range(200))
    records, cases = read(tmp_path, "ag_news", {"test.csv": table})
    assert len(records) + len(cases) == 200
    assert 25 < len(cases) < 75
    assert not {r.text for r in records} & {c.query for c in cases}
    assert records[0].text.startswith("Title")
    assert "Text with breaks" in records[0].text


def test_gsm8k(tmp_path: Path) -> None:
    train, test = {"question": "1 + 1?", "answer": "It is 2.\n#### 2"}, {"question": "999 + 1?", "answer": "Sum.\n#### 1,000"}
    (record,), (case,) = read(tmp_path, "gsm8k", {"train.jsonl.gz": lines(train), "test.jsonl": lines(test)})
    assert (record.fields["output"], record.fields["label"], case.answers) == ("It is 2.\n#### 2", "2", ("1000",))


def test_geoquery_by_question_and_by_query(tmp_path: Path) -> None:
    def sentence(text: str, split: str, state: str) -> dict[str, Any]:
        return {"text": text, "question-split": split, "variables": {"state_name0": state}}

    variables = [{"name": "state_name0", "example": "ohio", "location": "both", "type": "state"}]
    first = {"sql": ['SELECT "state_name0" ;', "SELECT 1"], "query-split": "train", "variables": variables}
    second = {"sql": ["SELECT 2"], "query-split": "test", "variables": []}
    held = [
        first | {"sentences": [sentence("where is state_name0", "train", "utah"), sentence("find state_name0", "test", "iowa")]},
        second | {"sentences": [{"text": "how many", "question-split": "train", "variables": {}}]},
    ]
    records, (case,) = read(tmp_path, "geoquery", {"geography.json": json.dumps(held)})
    assert [(r.text, r.fields["output"]) for r in records] == [("where is utah", 'SELECT "utah" ;'), ("how many", "SELECT 2")]
    assert (case.query, case.answers, case.gold) == ("find iowa", ('SELECT "iowa" ;', "SELECT 1"), {"train-0": 1.0})
    records, (case,) = read(tmp_path, "geoquery_by_query", {"geography.json": json.dumps(held)})
    assert ([r.text for r in records], case.query, case.gold) == (["where is utah", "find iowa"], "how many", {})


def test_prefeval(tmp_path: Path) -> None:
    topic = "travel_hotel.json"
    files = {file.path.removeprefix("users/prefeval/"): "[]" for file in get("prefeval").files}
    pair = {"preference": "No bars.", "question": "A hotel?", "explanation": "quiet"}
    talk = {"query": "Hotels?", "assistant_options": "X or Y", "user_selection": "X, it is quiet", "assistant_acknowledgment": "Fine"}
    files["filtered_inter_turns.json"] = json.dumps(
        [{"conversation": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": " "}]}]
    )
    files[f"explicit_preference/{topic}"] = json.dumps([pair])
    files[f"implicit_preference/choice-based/{topic}"] = json.dumps([pair | {"conversation": talk}])
    files[f"mcq_options/{topic}"] = json.dumps(
        [{"question": "A hotel?", "preference": "x", "classification_task_options": ["r", "s", "t", "u"]}]
    )
    records, (case,) = read(tmp_path, "prefeval", files)
    assert [r.key for r in records] == ["filler-0-0", "preference", *talk]
    assert (case.answers, sorted(case.choices), case.query) == (("r",), ["r", "s", "t", "u"], "A hotel?")
    seen = [r.key for r in records if case.scope.sees(r.scope)]
    assert seen == ["filler-0-0", "preference"]
    _, (case,) = read(tmp_path, "prefeval", files, "choice")
    assert [r.key for r in records if case.scope.sees(r.scope)] == ["filler-0-0", *talk]
    assert case.gold == {"user_selection": 1.0}


def test_tallrec_movie(tmp_path: Path) -> None:
    asked = 'User Preference: "A, The (1990)", "B (1991)"\nUser Unpreference: \nWhether the user will like the target movie "C (1992)"?'
    held = json.dumps([{"instruction": "?", "input": asked, "output": "Yes."}])
    records, (case,) = read(tmp_path, "tallrec_movie", {"test.json": held, "valid.json": "[]"})
    assert records[0].text == "Liked these films: A, The (1990); B (1991).\nDisliked these films: none."
    assert (case.answers, case.choices, case.facts["title"]) == (("Yes",), ("Yes", "No"), "C (1992)")
    with pytest.raises(InvalidInput, match="another form"):
        read(tmp_path, "tallrec_movie", {"test.json": json.dumps([{"input": "?", "output": "No."}]), "valid.json": "[]"})


def test_lastfm_keeps_askers_out_of_the_pool(tmp_path: Path) -> None:
    people = range(2, 42)
    files = {
        "artists.dat": "id\tname\turl\tpictureURL\r\n" + '1\tA "B\tu\tp\r\n2\tC\tu\tp\r\n',
        "user_artists.dat": "".join(f"{n}\t1 \t{n}\r\n{n}\t2\t30\r\n" for n in people),
        "user_friends.dat": "userID\tfriendID\r\n" + "".join(f"{a}\t{b}\r\n" for a in people for b in people if a != b),
    }
    records, cases = read(tmp_path, "lastfm", files)
    pool, askers = {r.key for r in records}, {c.id for c in cases}
    assert len(pool) + len(askers) == 40
    assert not pool & askers
    assert all(set(case.gold) == pool for case in cases)
    assert {r.key: r.text for r in records}["user-3"] == 'Listens to C, A "B'


def test_movielens_counts_before_the_cut_only(tmp_path: Path) -> None:
    films = "movieId,title,genres\n1,A (1990),Drama|War\n2,B (1991),(no genres listed)\n3,C,Drama\n"
    rated = [("7", "1", 5.0, 10), ("8", "1", 3.0, 11), ("8", "3", 4.5, 12), ("7", "3", 2.0, 13), ("6", "1", 4.0, 14), ("6", "2", 1.0, 15)]
    rated += [("5", "1", 4.0, 16), ("5", "2", 3.0, 17), ("8", "2", 4.0, 18), ("9", "1", 4.0, 19), ("9", "2", 5.0, 20)]
    table = "userId,movieId,rating,timestamp\n" + "".join(f"{u},{m},{s},{t}\n" for u, m, s, t in rated)
    records, (case,) = read(tmp_path, "movielens", {"movies.csv": films, "ratings.csv": table})
    # 11 ratings, the cut is the ninth's moment, 18
    assert [(r.fields["title"], r.fields["tags"], r.fields["popularity"]) for r in records] == [
        ("A (1990)", ["Drama", "War"], 4.0),
        ("B (1991)", [], 2.0),
        ("C", ["Drama"], 2.0),
    ]
    assert (case.id, case.gold, case.at, case.facts) == (
        "user-8",
        {"film-2": 1.0},
        18.0,
        {"seen": ["film-1", "film-3"], "liked": ["film-3"]},
    )
    assert case.query == "Films I liked: C. What should I watch next?"
    _, (case,) = read(tmp_path, "movielens", {"movies.csv": films, "ratings.csv": table}, "newcomers")
    assert (case.id, case.gold, case.at, case.facts["seen"]) == ("user-9", {"film-2": 1.0}, 20.0, ["film-1"])


def test_amazon_games(tmp_path: Path) -> None:
    files = {
        "Games-6k.item": 'item_id:token\ttitle:token_seq\n0\tA 5" game\n1\tB\n2\tC\n',
        "Games-6k.valid.inter": "user_id:token\titem_id_list:token_seq\titem_id:token\n" + "".join(f"{n}\t0 1\t2\n" for n in range(40)),
    }
    records, test = read(tmp_path, "amazon_games", files)
    _, tune = read(tmp_path, "amazon_games", files, "tune")
    assert [(r.text, r.fields["popularity"]) for r in records] == [('A 5" game', 40.0), ("B", 40.0), ("C", 0.0)]
    assert len(test) + len(tune) == 40
    assert (test[0].query, test[0].gold, test[0].facts) == (
        'I bought: A 5" game; B. What next?',
        {"game-2": 1.0},
        {"seen": ["game-0", "game-1"]},
    )


def test_routellm(tmp_path: Path) -> None:
    table = f"prompt,{MIX},{GPT}\nWhat?,False,True\n"
    files = {file.path.rpartition("/")[2]: f"prompt,{MIX},{GPT}\n" for file in get("routellm_mmlu").files} | {"mmlu_anatomy.csv": table}
    records, (case,) = read(tmp_path, "routellm_mmlu", files)
    assert [(r.key, r.fields["price_in"]) for r in records] == [(GPT, 10.0), (MIX, 0.24)]
    assert (case.category, case.gold, case.facts["scores"]) == ("anatomy", {GPT: 1.0}, {GPT: 1.0, MIX: 0.0})
    table = f"prompt,{MIX},{GPT},{MIX}_response,{GPT}_response\nFour,True,True,eighteen,four\n"
    _, (case,) = read(tmp_path, "routellm_gsm8k", {"gsm8k_responses.csv": table})
    assert case.facts["costs"] == pytest.approx({GPT: (1 * 10 + 1 * 30) / 1e6, MIX: (1 * 0.24 + 2 * 0.24) / 1e6})
    marks = [
        {"question_id": "1", "model": m, "turn": t, "score": s, "user_prompt": "p" * 40}
        for m, t, s in ((GPT, 1, 9), (GPT, 2, 10), (MIX, 1, 4), (MIX, 2, 7))
    ]
    question = {"question_id": 1, "category": "math", "turns": ["One?", "Two?"]}
    _, (case,) = read(tmp_path, "routellm_mtbench", {"judgements.jsonl": lines(*marks), "question.jsonl": lines(question)})
    assert (case.query, case.facts["scores"], case.category) == ("One?", {GPT: 9.5, MIX: 5.5}, "math")
    parts = [[c.id for s in ("train", "test") for c in task.cases(data, s)] for task, data in [small(tmp_path, "routellm_mmlu", files)]]
    assert parts == [["anatomy-0"]]


def test_routerbench_joins_rows_of_a_sample(tmp_path: Path) -> None:
    task = get("routerbench")
    models = [record.key for record in task.records(TaskData(tmp_path, task.files))]
    head = ["sample_id", "prompt", "eval_name", *models, *(f"{model}|total_cost" for model in models)]

    def row(sample: str, scores: list[str]) -> str:
        return ",".join([sample, "\"['Why?', 'Say it.']\"", "arc", *scores, *("0.5" if score else "0.1" for score in scores)]) + "\n"

    table = ",".join(head) + "\n" + row("one", ["1.0"] + [""] * 10) + row("one", ["", *["0.0"] * 10]) + row("two", ["1.0"] + [""] * 10)
    files = {file.path.rpartition("/")[2]: ",".join(head) + "\n" for file in task.files} | {"arc_challenge_train.csv.gz": table}
    _, (case,) = read(tmp_path, "routerbench", files)
    assert (case.id, case.query, case.gold) == ("one", "Why?\nSay it.", {models[0]: 1.0})
    assert set(case.facts["costs"].values()) == {0.5}


def test_routerdc(tmp_path: Path) -> None:
    task = get("routerdc")
    models = [record.key for record in task.records(TaskData(tmp_path, task.files))]
    files = {file.path.rpartition("/")[2]: "[]" for file in task.files}
    files["gsm8k-train.json"] = json.dumps([{"question": "Q", "scores": {model: place / 10 for place, model in enumerate(models)}}])
    _, (case,) = read(tmp_path, "routerdc", files)
    assert (case.id, case.category, case.gold, case.facts["costs"]) == ("gsm8k-0", "gsm8k", {models[-1]: 1.0}, {})


def test_judged_answers(tmp_path: Path) -> None:
    item = {"claim": "C", "label": "partially_supported", "evidence": ["s"], "supporting_sentences": [[0]], "meta": {"id": "dev1"}}
    _, (case,) = read(tmp_path, "wice", {"dev.jsonl.gz": lines(item)})
    assert (case.id, case.answers, case.facts["evidence"]) == ("dev1", ("partially supported",), ["s"])
    head = "model_name\tdata_source\tknowledge\tmessage\tresponse\tbegin_label\r\n"
    files = {f"begin_dev_{short}.tsv": head for short in ("wow", "tc", "cmu")}
    files["begin_dev_tc.tsv"] += "t5\ttc\tfacts\thello\tI see\tGeneric\r\n"
    _, (case,) = read(tmp_path, "begin", files)
    assert (case.category, case.answers, case.facts["evidence"]) == ("topicalchat", ("generic",), ["facts"])
    claims = [
        {"claim_string": f"c{n}", "evidence": ["e"], "support": support} for n, support in enumerate(("Complete", "Missing", "N/A", None))
    ]
    item = {"question": "Q", "metadata": {"field": "Law"}, "answers": {"gpt4": {"claims": claims}}}
    _, (case,) = read(tmp_path, "expertqa", {"rand_val.jsonl.gz": lines(item)})
    assert (case.query, case.answers, case.category) == ("c0", ("complete",), "Law")
    answer = {"question": "Q", "output": "A", "utility_score": 4, "automatic_correctness_scores": [1]}
    held = {"asqa": {"system": {"7": answer, "overall_results": {"length": 3}}}}
    _, (case,) = read(tmp_path, "alce_human", {"human_eval_utility_completed.json": json.dumps(held)})
    assert (case.answers, case.facts["human"], case.category) == (("4",), 4, "asqa")


def test_preferences(tmp_path: Path) -> None:
    item = {"instruction": "I", "input": "", "response1": "a", "response2": "b", "annotator1": 2, "annotator2": 0, "annotator3": 2}
    _, (case,) = read(tmp_path, "pandalm", {"testset-v1.json": json.dumps([item])})
    assert (case.query, case.answers, case.category, case.facts["certainty"]) == ("I", ("second",), "2 of 3 agree", 2 / 3)
    files = {file.path.removeprefix("feedback/llmbar/"): "[]" for file in get("llmbar").files}
    files["Adversarial/Manual/dataset.json"] = json.dumps([{"input": "I", "output_1": "a", "output_2": "b", "label": 1}])
    _, (case,) = read(tmp_path, "llmbar", files)
    assert (case.id, case.answers, case.facts["answers"]) == ("Adversarial-Manual-0", ("first",), ["a", "b"])


@pytest.mark.parametrize("name", COUNTS)
def test_metadata(name: str) -> None:
    task = get(name)
    assert task.name == name
    assert re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", task.source)
    assert re.fullmatch(r"[0-9a-f]{40}", task.revision)
    assert all((task.about, task.licence, task.citation, task.protocols, task.splits))
    assert [measure.get(one).name for one in task.measures] == list(task.measures)
    assert len({file.path for file in task.files}) == len(task.files) > 0
    for file in task.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert not file.url or file.url.startswith(
            f"https://raw.githubusercontent.com/{task.source.removeprefix('https://github.com/')}/{task.revision}/"
        )


@pytest.mark.parametrize("name", COUNTS)
def test_real_data(data: Path, name: str) -> None:
    task = get(name)
    held = task.data(data)
    keys: dict[Any, set[str]] = {}
    count = 0
    for count, record in enumerate(task.records(held), 1):
        if count % 50 == 1:
            checked(record, record.scope)
        assert record.key not in keys.setdefault(record.scope, set())
        keys[record.scope].add(record.key)
    assert count == COUNTS[name][0]
    sizes, golds = {}, set()
    for split in task.splits:
        names = set()
        for case in task.cases(held, split):
            names.add(case.id)
            assert case.query.strip()
            assert not case.choices or (case.answers[0] in case.choices and len(set(case.choices)) == len(case.choices))
            if id(case.gold) not in golds:  # gold is shared by the cases of a label
                golds.add(id(case.gold))
                known = set().union(*(keys.get(scope, set()) for scope in case.scope.visible())) if len(case.gold) > 20 else None
                for key in case.gold:
                    assert key in known if known is not None else any(key in keys.get(scope, ()) for scope in case.scope.visible())
        sizes[split] = len(names)
    assert sizes == COUNTS[name][1]


def test_classes_of_real_data(data: Path) -> None:
    def labels(name: str) -> Counter[str]:
        task = get(name)
        return Counter(case.answers[0] for case in task.cases(task.data(data), task.splits[0]))

    assert labels("sst2") == {"negative": 912, "positive": 909}
    assert labels("clinc150")["out of scope"] == 1000
    assert len(labels("clinc150")) == 151
    assert set(labels("banking77").values()) == {40}
    assert labels("wice") == {"partially supported": 191, "supported": 115, "not supported": 43}
    assert labels("tallrec_movie") == {"Yes": 528, "No": 472}
    assert labels("pandalm") == {"second": 472, "first": 422, "tie": 105}
    assert labels("llmbar").total() == 419
    assert labels("expertqa") == {"complete": 534, "incomplete": 160, "partial": 47}


def test_routerbench_asks_without_the_solved_examples(data: Path) -> None:
    task = get("routerbench")
    asked = [case.query for case in task.cases(task.data(data), "all")]
    assert len(set(asked)) == len(asked) == 2212
    assert max(map(len, asked)) < 1100
    assert Counter(query[:60] for query in asked).most_common(1)[0][1] <= 2
