"""PrefEval: does an assistant follow a preference that its user stated earlier, before much other talk.

Task kind `user`, records of kind `memory`: each of the 699 users has a scope of its own with what they said, and all see
the same 24 filler conversations, turn by turn. Split `explicit`: the preference is one sentence. Split `choice`: it shows
in what the user picked from four options; gold is the picking message. The question has four options, one of which
honours the preference; their order is drawn by a hash of the user (the files list the right one first).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_FOLDER = "users/prefeval"
_FORMS = {"explicit": "explicit_preference", "choice": "implicit_preference/choice-based"}
_SAID = (("query", "user"), ("assistant_options", "assistant"), ("user_selection", "user"), ("assistant_acknowledgment", "assistant"))
_HASHES = {
    "filtered_inter_turns.json": "02feaf670dd07ef39e7f382331fa90f25194d21567e7ac31ecf486f71f534177",
    "explicit_preference/education_learning_styles.json": "fb27ac51b643e55bae4eddf5c390676798871afc6355c33b4e37e0cc65e9c598",
    "explicit_preference/entertain_music_book.json": "5a3ba8a47ba6a0b7b6601840e88871a24ce3a7cdd22213d9ca1a6e6709cca7b4",
    "explicit_preference/entertain_shows.json": "c8bcfe51b8e6bdbb4d53e67bf6ccbd82dad3a84b7ed3c58bd0e7290aadb28935",
    "explicit_preference/entertain_sports.json": "a4f0ea9de29ec93974c4af451965c1c09d6e4939c61700bf357cd33549ab3991",
    "explicit_preference/lifestyle_beauty.json": "1b0332992a3a09e27c87e76d8c5f7227bcbad22e33ae931e6edc3560201f4e9a",
    "explicit_preference/lifestyle_dietary.json": "05ad1b4fdfb91b8a628a6eecc256d6118775b8860c8a5444a02ad2e3b1fd4880",
    "explicit_preference/lifestyle_health.json": "262d223b592a2def1937870605de051e3ba252821837d1df66c24116d6436594",
    "explicit_preference/professional_work_location_style.json": "520eafd5e876d04784b40d5c1631dde783c85e2c8b32a65b18fa64e8ea5923c2",
    "explicit_preference/shop_fashion.json": "6b6bd4799b87207888320467caef6a84b0e2d9c568982c073e7460f50477f883",
    "explicit_preference/shop_home.json": "6ba88e7ff7e3d2022187cdaaa9a344fdead5ae221c3f93d5d147928647973602",
    "explicit_preference/shop_technology.json": "346ed91e69ecf5b7a741e20876f00bb20fbeff9cf1ed9d7318e7174845865653",
    "explicit_preference/travel_activities.json": "021cd1b1dc500f32bbdd46273f4dc1fdb9c3300e847e407d621ea27cd14ff081",
    "explicit_preference/travel_hotel.json": "743c975a6de64ea06c8538d1043457c691d9bdfbe668ec737f55a50f0ce558f7",
    "explicit_preference/travel_transportation.json": "3496a8986fb240e97ae9e3c5d9fefbfd86b80433313ee2ee6c0b4def4b34a138",
    "implicit_preference/choice-based/education_learning_styles.json": "cdc856b918c679c3090f12f52742905db878fed05839c0eff87cf586b2b7ea2f",
    "implicit_preference/choice-based/entertain_music_book.json": "68361e3a360f6b2e8f0527fdb98dd1d8814421fa9a45dad49767121da4f9a74c",
    "implicit_preference/choice-based/entertain_shows.json": "00a604a7a841eac822a6e4bf0f861a6fc82e7ad0915d09cbbfff0216f11cba2b",
    "implicit_preference/choice-based/entertain_sports.json": "c7c3ba3522bb1e22a11408d2f049fa637aca00aa8924d7172d7691cc0d74b299",
    "implicit_preference/choice-based/lifestyle_beauty.json": "e51980935ebb1806f8577239d9a314081edc733cda9b8741723f53657e1ac0c8",
    "implicit_preference/choice-based/lifestyle_dietary.json": "9d4cc71e1e2d99c3755b9b435054dced973a11ca9de5668dbcc4a0dbed1bce3a",
    "implicit_preference/choice-based/lifestyle_health.json": "9ebc21071470f21e6dce8258337741b19a44cb5c40375237b5e8fee35c9a8789",
    "implicit_preference/choice-based/professional_work_location_style.json": (
        "340dbb1f4e6b6e176e493df22a9f8157b73ea612fd39a934df45543fc0b6984d"
    ),
    "implicit_preference/choice-based/shop_fashion.json": "6900618a2da89302e8f83aac1197fbfc3dd2db41f0b357760987002727965aed",
    "implicit_preference/choice-based/shop_home.json": "c6c8cdf64f39d3742871b5b3ecde1a256e69e876158da40ffbc796598d83f519",
    "implicit_preference/choice-based/shop_technology.json": "6944b6416e1fdbbaca7fe0e2b2cb10d88cd994568e968e0367e34631a47ff106",
    "implicit_preference/choice-based/travel_activities.json": "24973fd7875bbc88109b09f6cd91ba89cddb5da87b6e024fdd067e38b93cc76a",
    "implicit_preference/choice-based/travel_hotel.json": "679e5f4b54e5646f2757bf0053b0150ff4ac86544f9d099cf8c774abc043cb66",
    "implicit_preference/choice-based/travel_transportation.json": "53ae6dd9bdf8cfcbc89edf23fb9a2fecd8604a8af61b6a91027dfe7311f7074e",
    "mcq_options/education_learning_styles.json": "36c1f9d9121c88ae8d5534e13a7eca43b8659367f76816d34d6dc89b203b3ba0",
    "mcq_options/entertain_music_book.json": "3aad8ca57fc3596bf4765bff4f31e53b90e83ab9df1b769777ad130077a6e0c4",
    "mcq_options/entertain_shows.json": "1d1365624dd4379a4c194bfd12bfd7329e6b26715c3eef89b41673e956b10287",
    "mcq_options/entertain_sports.json": "1357603248b8b60b2358f8ee3bbfeaab907ac2de7706739ccbe85a2957c9fbab",
    "mcq_options/lifestyle_beauty.json": "51f7ec952061df585f510c222e51c29ad80b96540404b984fb55085ec38a81d0",
    "mcq_options/lifestyle_dietary.json": "d3201163475aae5dd49021190838d81952913b86d1b7dd45a06a90ad7c49fb4c",
    "mcq_options/lifestyle_health.json": "8c4162e63abb8daaced2bdd3547797401189f45ad537b387f53f8b9d9ee28be6",
    "mcq_options/professional_work_location_style.json": "938a6c2c7a8a035e3ec4239a24e42d17a40d7b6bd5c221ae4f5fb050da52a197",
    "mcq_options/shop_fashion.json": "b3576f8387e85e7792007fa39152ea9dcb5bede2d370d9d92514a78b2b78d27b",
    "mcq_options/shop_home.json": "081cba1d648168f427d165e30d68e338aa026a0bf340aa1a65c3f21e36a36777",
    "mcq_options/shop_technology.json": "473c8959ed218c3e1d40ed47b4e0b95f202e5302b7948772868b1aa10088d970",
    "mcq_options/travel_activities.json": "4403e3761eccee1a55135b4aad924b68557696c198dfcba18807ddda27d2da04",
    "mcq_options/travel_hotel.json": "ce5cb3bb4003dcb1f720c12a31a519ea070440cbea46e670dc44b22763d1b56b",
    "mcq_options/travel_transportation.json": "d836ada6b28f42c3f1394a49308dedbeeb1f587cd1721c93998cd6a545d7772f",
}
_TOPICS = tuple(name.rpartition("/")[2].removesuffix(".json") for name in _HASHES if name.startswith("mcq_options/"))


def _rows(data: TaskData, form: str, topic: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rows.json_value(data.path(f"{_FOLDER}/{form}/{topic}.json"))
    return found


def _scope(form: str, topic: str, row: int) -> Scope:
    return Scope("eval", f"{form}-{topic}-{row}")


def _records(data: TaskData) -> Iterator[Record]:
    for number, talk in enumerate(rows.json_value(data.path("filtered_inter_turns.json"))):
        for turn, message in enumerate(talk["conversation"]):
            if message["content"].strip():
                fields = {"role": message["role"], "session": f"filler-{number}", "turn": turn}
                yield Record(f"filler-{number}-{turn}", "memory", message["content"], fields, labelled.SCOPE)
    for topic in _TOPICS:
        for row, item in enumerate(_rows(data, _FORMS["explicit"], topic)):
            yield Record("preference", "memory", item["preference"], {"role": "user", "topic": topic}, _scope("explicit", topic, row))
        for row, item in enumerate(_rows(data, _FORMS["choice"], topic)):
            for turn, (part, role) in enumerate(_SAID):
                fields = {"role": role, "topic": topic, "session": "choice", "turn": turn}
                yield Record(part, "memory", item["conversation"][part], fields, _scope("choice", topic, row))


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for topic in _TOPICS:
        stated = _rows(data, _FORMS[split], topic)
        for row, (item, asked) in enumerate(zip(stated, _rows(data, "mcq_options", topic), strict=True)):
            name = f"{split}-{topic}-{row}"
            options = asked["classification_task_options"]
            yield Case(
                name,
                asked["question"],
                {"preference" if split == "explicit" else "user_selection": 1.0},
                (options[0],),
                tuple(sorted(options, key=lambda option: rows.share(f"{topic}-{row} {option}"))),
                scope=_scope(split, topic, row),
                category=topic,
                facts={"preference": item["preference"]},
            )


TASK = Task(
    name="prefeval",
    kind="user",
    about="Which of four proposals honours a preference that the user stated earlier.",
    source="https://github.com/amazon-science/PrefEval",
    revision="50795054b5ff5f418d2b768a331d71e480f93331",
    licence="CC BY-NC 4.0",
    citation="Zhao et al., Do LLMs Recognize Your Preferences? Evaluating Personalized Preference Following in LLMs, ICLR 2025",
    protocols=("classify", "rank"),
    measures=("accuracy", "Recall@5", "MRR@10"),
    splits=tuple(_FORMS),
    files=tuple(File(f"{_FOLDER}/{name}", sha256) for name, sha256 in _HASHES.items()),
    records=_records,
    cases=_cases,
    dropped=("the persona-driven form: nothing marks which of its turns states the preference", "6 of 20 topics are not in this copy"),
)
