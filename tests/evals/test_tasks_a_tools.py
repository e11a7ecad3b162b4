"""Tasks of memories and of tools, each on a miniature of its format."""

import json
from datetime import UTC, datetime

from bowerbird.evals.task import Case, Task
from bowerbird.evals.task import get as load
from bowerbird.types import Message, Record, Scope

SCOPE = Scope("eval")


def lines(*objects):
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)


def only(cases):
    """The cases of all splits, in the order of their ids."""
    return sorted((case for of in cases.values() for case in of), key=lambda case: case.id)


# --- memories ---------------------------------------------------------------------------------------------------------


def chat(task: Task, filled: str, content: object, empty: object) -> dict[str, str]:
    """All files of a task of conversations, one with `content` and the others with `empty`."""
    names = [file.path.rpartition("/")[2] for file in task.files]
    return {name: json.dumps(content if name == filled else empty) for name in names}


def test_locomo(mini):
    turns = [
        {"speaker": "Ann", "dia_id": "D1:1", "text": "I got a cat! ", "blip_caption": "a cat"},
        {"speaker": "Bob", "dia_id": "D1:2", "text": "Nice."},
    ]
    conversation = {
        "speaker_a": "Ann",
        "speaker_b": "Bob",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": turns,
        "session_2_date_time": "12:05 am on 9 May, 2023",
        "session_10_date_time": "1:14 pm on 25 May, 2023",
        "session_10": [{"speaker": "Bob", "dia_id": "D10:1", "text": "Hi"}],
    }
    qa = [
        {"question": "Which pet?", "answer": 1, "evidence": ["D1:1; D10:01"], "category": 1},
        {"question": "Which dog?", "adversarial_answer": "Rex", "evidence": ["D1:2", "D9:9"], "category": 5},
        {"question": "A dog?", "adversarial_answer": "Yes", "answer": "No", "evidence": ["D1:2"], "category": 5},
    ]
    content = {"sample_id": "conv-1", "conversation": conversation, "qa": qa}
    empty = {"sample_id": "x", "conversation": {}, "qa": []}
    records, cases = mini("locomo", chat(load("locomo"), "Chat_2_Jon_Gina.json", content, empty))
    scope, first, last = (
        Scope("eval", "conv-1"),
        datetime(2023, 5, 8, 13, 56, tzinfo=UTC).timestamp(),
        datetime(2023, 5, 25, 13, 14, tzinfo=UTC).timestamp(),
    )
    assert records == [
        Record(
            "D1:1",
            "memory",
            "I got a cat! [shares a picture: a cat]",
            {"role": "Ann", "time": first, "session": "session_1", "turn": 0},
            scope,
        ),
        Record("D1:2", "memory", "Nice.", {"role": "Bob", "time": first, "session": "session_1", "turn": 1}, scope),
        Record("D10:1", "memory", "Hi", {"role": "Bob", "time": last, "session": "session_10", "turn": 0}, scope),
    ]
    assert cases["test"] == cases["train"] == []
    pet, dog, yes = cases["dev"]
    assert pet == Case("conv-1/0", "Which pet?", {"D1:1": 1.0, "D10:1": 1.0}, ("1",), scope=scope, at=last, category="multi-hop")
    assert dog == Case(
        "conv-1/1",
        "Which dog?",
        {"D1:2": 1.0},
        ("No information available", "Not mentioned in the conversation"),
        scope=scope,
        at=last,
        category="adversarial",
        facts={"adversarial_answer": "Rex"},
    )
    assert (yes.answers, yes.facts) == (("No",), {"adversarial_answer": "Yes"})


def test_realtalk(mini):
    def message(turn: str, time: str) -> dict[str, object]:
        return {"clean_text": "Hey", "speaker": "Emi", "date_time": time, "img_file": [], "img_url": [], "dia_id": turn}

    content = {
        "name": {"speaker_1": "Emi", "speaker_2": "elise"},
        "session_1": [message("D1:1", "29.12.2023, 22:42:04"), message("D1:2", "30.12.2023, 00:00:00")],
        "events_session_1": {},
        "session_2": [message("D1:30", "31.12.2023, 00:00:01")],
        "qa": [{"question": "When?", "answer": "Friday", "evidence": ["D1:1-D1:2", "D7;7"], "category": 2}],
    }
    empty = {"session_1": [message("D1:1", "29.12.2023, 22:42:04")], "qa": []}
    records, cases = mini("realtalk", chat(load("realtalk"), "Chat_1_Emi_Elise.json", content, empty))
    scope, last = Scope("eval", "Chat_1_Emi_Elise"), datetime(2023, 12, 31, 0, 0, 1, tzinfo=UTC).timestamp()
    assert [record for record in records if record.scope == scope][2] == Record(
        "D1:30", "memory", "Hey", {"role": "Emi", "time": last, "session": "session_2", "turn": 0}, scope
    )
    assert len({record.scope for record in records}) == 7
    asked = Case("Chat_1_Emi_Elise/0", "When?", {"D1:1": 1.0, "D1:2": 1.0}, ("Friday",), scope=scope, at=last, category="temporal")
    assert only(cases) == cases["test"] == [asked]


def test_bfcl_memory_finds_the_turn_of_a_source(mini):
    notes = "Monday: Team meeting. Finish the Q1 report before Friday. Call Jacob—he waits."
    talk = {"id": "t-0", "topic": "Work", "scenario": "notetaker", "question": [[{"role": "user", "content": notes}]]}
    told = {"id": "t-1", "topic": "Me", "scenario": "notetaker", "question": [[{"role": "user", "content": "I’m Michael, new here."}]]}
    sources = ["I'm Michael...", "Monday: Finish the Q1 report before Friday.", "Tuesday: Something else entirely, never said."]
    names = [f"memory_{number}-notetaker-{number}" for number in range(3)]
    asked = [[[{"role": "user", "content": f"Question {number}?"}]] for number in range(3)]
    files = {f"memory_prereq_conversation/memory_{name}.json": "" for name in ("customer", "finance", "healthcare", "student")}
    records, cases = mini(
        "bfcl_memory",
        files
        | {
            "memory_prereq_conversation/memory_notetaker.json": lines(talk, told),
            "bfcl-memory/BFCL_v4_memory.json": lines(
                *({"id": name, "question": question, "scenario": "notetaker"} for name, question in zip(names, asked, strict=True))
            ),
            "possible_answer/BFCL_v4_memory.json": lines(
                *({"id": name, "ground_truth": ["a", "b"], "source": source} for name, source in zip(names, sources, strict=True))
            ),
        },
    )
    scope = Scope("eval", "notetaker")
    assert records[1] == Record(
        "t-1:0", "memory", "I’m Michael, new here.", {"role": "user", "session": "t-1", "turn": 0, "topic": "Me"}, scope
    )
    assert [dict(case.gold) for case in cases["test"]] == [{"t-1:0": 1.0}, {"t-0:0": 1.0}, {}]
    assert cases["test"][0] == Case(
        names[0], "Question 0?", {"t-1:0": 1.0}, ("a", "b"), scope=scope, category="notetaker", facts={"source": sources[0]}
    )


def test_books_are_read_between_the_marks(mini):
    words = "\r\n".join(f"w{number}" for number in range(128 * 11))

    def book(title: str) -> str:
        head = f"\ufeffLicence\r\n\r\n*** START OF THIS PROJECT GUTENBERG EBOOK {title} ***\r\n\r\nProduced by A\r\nVolunteer\r\n\r\n"
        return f"{head}{title}\r\n\r\n{words}\r\n\r\n*** END OF THIS PROJECT GUTENBERG EBOOK {title} ***\r\n\r\nLicence"

    records, cases = mini("books", {"1661.txt": book("HOLMES"), "1342-0.txt": book("PRIDE")})
    assert records[0].key == "sherlock-holmes/0"
    assert records[0].text.startswith("HOLMES\n\nw0 w1 ")
    assert records[-1].text.endswith(" w1407")
    assert all(len(record.text.split()) == 128 for record in records[:10])
    assert [case.id for case in cases["train"]] == ["pride-and-prejudice/9", "pride-and-prejudice/10"]
    assert cases["test"][0].answers == (records[9].text,)


def test_wikitext_articles_are_documents(mini):
    article = "\n".join(f" {'word ' * 64}" for _ in range(22))
    content = f" \n = First = \n \n{article}\n = = Section = = \n Text .\n = <unk> / <unk> = \n \n Short .\n"
    records, cases = mini("wikitext", {"valid.txt": content})
    assert {record.scope for record in records} == {Scope("eval", "0 First"), Scope("eval", "1 <unk> - <unk>")}
    assert records[0].text.startswith("= First =\nword word")
    assert "= = Section = =" in records[-2].text
    assert records[-1].text == "= <unk> / <unk> =\nShort ."
    assert {case.category for case in only(cases)} == {"0 First"}


# --- tools ------------------------------------------------------------------------------------------------------------


def test_metatool_joins_the_rows_of_a_query(mini):
    records, cases = mini(
        "metatool",
        {
            "all_clean_data.csv.gz": 'Query,Tool\n"Play a song, please",Music\nplay A  song,Radio\n"PLAY a  song, please",Radio\n',
            "multi_tool_query_golden.json": json.dumps([{"query": "News and music", "tool": ["News", "Music"]}]),
            "plugin_des.json": json.dumps({"Music": "Plays.", "Radio": "Tunes.", "News": "Tells."}),
        },
    )
    assert records[0] == Record("Music", "tool", "Plays.", {"name": "Music"}, SCOPE)
    assert only(cases) == [
        Case("q0", "Play a song, please", {"Music": 1.0, "Radio": 1.0}, scope=SCOPE, category="single"),
        Case("q1", "play A  song", {"Radio": 1.0}, scope=SCOPE, category="single"),
        Case("q2", "News and music", {"News": 1.0, "Music": 1.0}, scope=SCOPE, category="two"),
    ]


def test_stabletoolbench(mini):
    def api(name: str, about: str | None) -> dict[str, object]:
        required = [{"name": "q", "type": "STRING", "description": "what", "default": "x"}]
        shape = {"required_parameters": required, "optional_parameters": [], "method": "GET", "template_response": {}}
        return {"category_name": "Data", "tool_name": "Tube", "api_name": name, "api_description": about, **shape}

    row = {
        "query_id": 5,
        "query": "Find it ",
        "api_list": [api("Search", "Finds"), api("List", None)],
        "relevant APIs": [["Tube", "Search"]],
    }
    later = {"query_id": 6, "query": "Again", "api_list": [api("Search", "Seeks")], "relevant APIs": [["Tube", "Search"]] * 2}
    files = {"G1_instruction.json": json.dumps([row]), "G1_tool.json": json.dumps([later]), "G1_category.json": "[]"}
    records, cases = mini("stabletoolbench", files | {"G2_instruction.json": "[]"})
    schema = {"type": "object", "properties": {"q": {"type": "string", "description": "what"}}, "required": ["q"]}
    fields = {"name": "Search", "server": "Tube", "method": "GET", "parameters": schema}
    assert records == [
        Record("Tube :: Search", "tool", "Tube (Data): Finds", fields, SCOPE),
        Record("Tube :: List", "tool", "Tube (Data)", fields | {"name": "List"}, SCOPE),
    ]
    assert only(cases) == [
        Case("5", "Find it", {"Tube :: Search": 1.0}, scope=SCOPE, category="G1_instruction"),
        Case("6", "Again", {"Tube :: Search": 1.0}, scope=SCOPE, category="G1_tool"),
    ]


def test_apibench_gold_is_the_document_it_was_written_from(mini):
    def document(name: str, call: str) -> dict[str, object]:
        about = {"domain": "Vision", "functionality": "Detect", "description": f"Sees {name}"}
        return about | {"api_name": name, "api_call": call}

    a, b, c = document("a", "load('m')"), document("b", "load('m')"), document("c", "load('c')")

    def row(code: str, call: str, of: dict[str, object]) -> dict[str, object]:
        return {"code": code, "api_call": call, "provider": "P", "api_data": of}

    hub = lines(row("###Instruction: Find b.\n###Output: x", "load('m')", b), row("###Instruction: Say c", "c.load()", c))
    records, cases = mini(
        "apibench",
        {
            "huggingface_api.jsonl": lines(a, b, c),
            "tensorflowhub_api.jsonl": "",
            "torchhub_api.jsonl": lines(document("t", "hub.load('t')")),
            "huggingface_eval.json.gz": hub,
            "torchhub_eval.json": "",
            "torchhub_train.json": lines(
                row("{'Instruction': \"Get t.\", 'Output': {'domain'", "hub.load('t')", document("t", "hub.load('t')"))
            ),
        },
    )
    assert records[1] == Record("huggingface/1", "tool", "Vision, Detect. Sees b\nload('m')", {"name": "b", "server": "huggingface"}, SCOPE)
    assert [(case.query, dict(case.gold)) for case in cases["test"]] == [
        ("Find b.", {"huggingface/1": 1.0}),
        ("Say c", {"huggingface/2": 1.0}),
    ]
    assert cases["train"] == [
        Case("torchhub-train-0", "Get t.", {"torchhub/0": 1.0}, scope=SCOPE, category="torchhub", facts={"api_call": "hub.load('t')"})
    ]


def test_bfcl_tools_merges_functions_of_one_name(mini):
    def function(name: str, about: str, kind: str) -> dict[str, object]:
        return {"name": name, "description": about, "parameters": {"type": "dict", "properties": {"x": {"type": kind}}}}

    area, other, far = function("area", "Computes.", "float"), function("area", "Finds.", "int"), function("far", "Goes.", "int")
    asked = [[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Area? "}]]
    files = {f"bfcl/BFCL_v4_{part}.json": "" for part in ("multiple", "parallel_multiple", "live_simple")}
    files |= {f"possible_answer/BFCL_v4_{part}.json": "" for part in ("multiple", "parallel_multiple", "live_simple")}
    files["bfcl/BFCL_v4_simple_python.json"] = lines(
        {"id": "s0", "question": asked, "function": [area, far]}, {"id": "s1", "question": asked, "function": [other]}
    )
    calls = [{"area": {"x": [1]}}]
    files["possible_answer/BFCL_v4_simple_python.json"] = lines({"id": "s0", "ground_truth": calls}, {"id": "s1", "ground_truth": calls})
    records, cases = mini("bfcl_tools", files)
    assert records == [
        Record("area", "tool", "Computes.\nFinds.", {"name": "area", "parameters": area["parameters"]}, SCOPE),
        Record("far", "tool", "Goes.", {"name": "far", "parameters": far["parameters"]}, SCOPE),
    ]
    assert only(cases)[0] == Case(
        "s0",
        "Area?",
        {"area": 1.0},
        history=(Message("system", "Be brief."),),
        scope=SCOPE,
        category="simple_python",
        facts={"functions": [area, far], "calls": calls},
    )


def test_api_bank_turns_that_need_a_call(mini):
    info = "description = \"Sets an alarm.\"\ninput_parameters = {\n 'at': {'type': 'str'}\n}\noutput_parameters = {'status'}"
    table = "\ufeffid,类名,input_parameters,api_info\n" + f'1,AddAlarm,(at: str),"{info.replace(chr(34), chr(34) * 2)}"\n2,Bare,(x),.\n'
    search = {"role": "API", "api_name": "ToolSearcher", "param_dict": {"keywords": "alarm"}, "result": {}}
    call = {"role": "API", "api_name": "AddAlarm", "param_dict": {"at": "7"}, "result": {}}
    talk = [{"role": "User", "text": "Hi"}, {"role": "AI", "text": "Yes?"}, {"role": "User", "text": "Wake me at 7"}, search, call]
    level = "level-2-toolsearcher"
    files = {"all_apis.csv": table}
    named = next(file.path.rpartition("/")[2] for file in load("api_bank").files if level in file.path)
    records, cases = mini("api_bank", files | {f"{level}/{named}": lines(*talk, {"role": "AI", "text": "Done"})})
    schema = {"type": "object", "properties": {"at": {"type": "str"}}}
    assert records == [
        Record(
            "AddAlarm",
            "tool",
            "Sets an alarm.",
            {"name": "AddAlarm", "signature": "(at: str)", "parameters": schema, "returns": ["status"]},
            SCOPE,
        ),
        Record("Bare", "tool", "", {"name": "Bare", "signature": "(x)", "parameters": schema | {"properties": {}}, "returns": None}, SCOPE),
    ]
    assert cases["test"] == [
        Case(
            f"level-2/{named.removesuffix('.jsonl')}/2",
            "Wake me at 7",
            {"AddAlarm": 1.0},
            history=(Message("user", "Hi"), Message("assistant", "Yes?")),
            scope=SCOPE,
            category="level-2",
            facts={"calls": [{"name": "AddAlarm", "arguments": {"at": "7"}}], "keywords": ["alarm"]},
        )
    ]


def test_toolalpaca(mini):
    def api(name: str) -> dict[str, object]:
        calls = [[{"Action": "get", "Action_Input": "{}"}]]
        about = {"Name": name, "Description": "New", "Category": "Fun", "Instructions": ["Do it"], "Golden_Answers": calls}
        return about | {"Function_Description": {"get": "Gets.", "components": "..."}}

    public = [{"API": name, "Description": about, "Category": "Fun"} for name, about in (("Cats", "Pics"), ("Dogs", "A"), ("Dogs", "B"))]
    files = {"eval_real.json": json.dumps([api("Cats")]), "eval_simulated.json": json.dumps([api("Extra")])}
    records, cases = mini("toolalpaca", files | {"public_apis.json": json.dumps({"count": 3, "entries": public})})
    assert [(record.key, record.text) for record in records] == [
        ("Cats", "Pics (Fun)"),
        ("Dogs", "A (Fun)"),
        ("Dogs#2", "B (Fun)"),
        ("Extra", "New (Fun)"),
    ]
    facts = {"functions": {"get": "Gets."}, "calls": [{"Action": "get", "Action_Input": "{}"}]}
    assert cases["test"] == [
        Case("real/Cats/0", "Do it", {"Cats": 1.0}, scope=SCOPE, category="real", facts=facts),
        Case("simulated/Extra/0", "Do it", {"Extra": 1.0}, scope=SCOPE, category="simulated", facts=facts),
    ]
