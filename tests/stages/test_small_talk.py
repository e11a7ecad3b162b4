"""What the gate stops, and what it must never stop."""

from __future__ import annotations

import csv
import gzip
import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowerbird.spec import parse
from bowerbird.stages.gate.small_talk import SmallTalk
from bowerbird.types import Scope, Turn

DATA = Path(os.environ.get("BOWERBIRD_DATA") or Path(__file__).parents[2] / ".." / "shared" / "data")
ACME = Scope("acme")

SMALL_TALK = """
hi | Hello! | hey there | Hi everyone, good morning! | good evening | Howdy | HELLO | hiiii | heyyy :) | Hello 👋 | How are you?
Hi, how are you doing today? | How's it going? | What's up? | nice to meet you | Good morning, how are you?
thanks | Thank you! | Thanks a lot | thank you so much
Many thanks! | thx | ty | Thanks for your help! | thank you very much for the quick reply
I really appreciate it | much appreciated | That was very helpful, thank you
you're the best | Thanks 🙏 | thanks, that's all | cheers mate
bye | Goodbye! | good night | See you later | see you tomorrow | Have a nice day! | take care | Talk to you later | thanks, bye!
ok | okay, thanks | Got it | Got it, thanks! | I see | Makes sense. | Great!
Perfect, thank you | cool | sounds good | 👍 | 👍🏽👍🏽 | lol | hahaha
Hallo | Guten Morgen! | Grüß Gott | Wie geht's? | Danke
Vielen Dank! | Danke schön für die Hilfe | Dankeschön | Tschüss | Auf Wiedersehen!
Schönen Tag noch | bis morgen | Alles klar, danke | verstanden | Super, vielen Dank | Gute Nacht
Hola | ¡Buenos días! | ¿Qué tal? | ¿Cómo estás? | Gracias | Muchas gracias por tu ayuda | de nada | Adiós | ¡Hasta luego! | Nos vemos
vale | Entendido, gracias | muy bien | ¡Perfecto!
Bonjour | Salut ! | Ça va ? | Comment allez-vous ? | Merci | Merci beaucoup pour votre aide | Au revoir | À bientôt ! | Bonne journée
d'accord, merci | C'est parfait | j’ai compris
你好 | 您好！ | 早上好 | 谢谢 | 谢谢你！ | 非常感谢 | 再见 | 拜拜 | 好的，谢谢 | 明白了 | 知道了 | 你好，在吗？ | ok 谢谢 | 哈哈哈 | 晚安
"""
SPOKEN = [turn.strip() for line in SMALL_TALK.split("\n") for turn in line.split("|") if turn.strip()]

QUESTIONS = """
hi, how do I reset my password? | Hello, where is my card? | thanks, and what about Tuesday? | ok but why? | Good morning Vietnam plot
thank you letter template | how are you supposed to boil an egg | What is up with the server? | hey jude lyrics | hello world in rust
hello() | hi/lo algorithm | good night moon author | bye law | who sang hello goodbye | cheers episode 3 | what does ciao mean
See you later alligator meaning | the best | yes | no | sure | yes please | No, thanks | please | help | ? | ??? | ! | | 42 | ok 42 | why
continue | go on | more | and then? | and you | now | today | so | again | my friend | all | just this morning | fine print | the great
Danke, wie lange dauert der Versand? | Wie geht das? | Was heißt guten Morgen auf Spanisch? | Gut und Böse | für die | und dann | ja
gracias por nada significado | ¿cómo está el tiempo? | buenas prácticas de Python | hasta cuándo | sí | Merci, et pour demain ? | oui
comment ça marche | salut les copains film | 你好，怎么重置密码？ | 谢谢，那星期二呢？
好莱坞在哪里 | 早上好用英语怎么说 | 天气 | 是 | 什么
お元気ですか | Спасибо | merge conflict in main | bad credit | How is it? | is this useful | what is great | i see dead people
thanks for all the fish | thanks for the memories lyrics | have a nice day movie cast | how are things made | how are you today in french
"""
ASKED = [turn.strip() for line in QUESTIONS.split("\n") for turn in line.split("|")]


def stopped(texts: list[str]) -> list[str]:
    decisions = SmallTalk().decide([Turn(text, ACME) for text in texts])
    return [text for text, decision in zip(texts, decisions, strict=True) if not decision.retrieve]


def test_small_talk_is_caught():
    assert len(SPOKEN) >= 60
    assert [text for text in SPOKEN if text not in stopped(SPOKEN)] == []


@pytest.mark.parametrize("text", sorted(set(ASKED)))
def test_a_question_is_never_swallowed(text):
    assert stopped([text]) == []


@given(st.sampled_from(SPOKEN), st.sampled_from(["reset password", "Rechnung 17", "why is it red", "la factura", "天气怎么样"]))
def test_a_question_after_or_before_small_talk_retrieves(talk, question):
    assert stopped([f"{talk} {question}", f"{question} {talk}", f"{talk}, {question}?"]) == []


@given(st.sampled_from(SPOKEN), st.sampled_from(SPOKEN))
def test_small_talk_twice_is_small_talk(one, other):
    assert stopped([f"{one} {other}"])


def test_why_is_said_in_words():
    [decision] = SmallTalk().decide([Turn("Hi! Thanks, got it, see you", ACME)])
    assert decision.why == "small talk (greeting, thanks, farewell, acknowledgement): nothing to look up"
    [decision] = SmallTalk().decide([Turn("hi there, what time is it?", ACME)])
    assert decision == type(decision)(True, "more than small talk")


def test_records_asked_for_by_name_always_come():
    [decision] = SmallTalk().decide([Turn("thanks", ACME, keys=("note",))])
    assert decision.retrieve


def test_it_stops_the_pipeline():
    quiet, asking = parse("small_talk >> none")([Turn("thanks!", ACME), Turn("what?", ACME)])
    assert quiet.trace[1].info == {"hits": 0, "skipped": True}
    assert asking.trace[1].info == {"hits": 0}


@pytest.mark.parametrize(
    "text",
    ["thank you very much " * 400, "hi " * 40, "ha" * 60, "so " * 39 + "x", "very much so " * 9, "a" * 1_000_000, "👍" * 119, "好" * 119],
)
def test_long_and_repetitive_turns_are_quick(text):
    start = time.perf_counter()
    stopped([text])
    assert time.perf_counter() - start < 0.5


@given(st.text(max_size=80))
def test_any_text_gets_a_decision(text):
    assert SmallTalk().decide([Turn(text, ACME)])[0].why


def _questions(name: str) -> list[str]:
    if name == "nq":
        paths = sorted((DATA / "knowledge/nq-open").glob("*.jsonl"))
        lines = [line for path in paths for line in path.read_text(encoding="utf-8").split("\n")]
        return [json.loads(line)["question"] for line in lines if line]
    if name == "banking77":
        with (DATA / "examples/banking77/train.csv").open(encoding="utf-8", newline="") as file:
            return [row["text"] for row in csv.DictReader(file)]
    with gzip.open(DATA / "examples/clinc150/data_full.json.gz", "rt", encoding="utf-8") as file:
        parts = json.load(file)
    return [text for part in parts.values() for text, intent in part if intent not in ("greeting", "goodbye", "thank_you")]


@pytest.mark.parametrize("name", ["nq", "banking77", "clinc150"])
def test_at_most_one_real_question_in_a_thousand_is_stopped(name):
    if not DATA.is_dir():
        pytest.skip(f"no data sets at {DATA}: set BOWERBIRD_DATA")
    questions = _questions(name)
    assert len(questions) > 5_000
    assert len(stopped(questions)) <= 0.001 * len(questions)
