"""XQuAD: the same paragraphs of Wikipedia and the same questions, translated by people: one task a language, and one across.

Splits are drawn by article, so an article and its translations are on one side. `xquad_cross` asks in German, Spanish and
Chinese over the English paragraphs; its answers are the English ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from bowerbird.evals.rows import github, json_value
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.evals.tasks._read import drawn
from bowerbird.types import Record, Scope

__all__ = ["CROSS", "DE", "EN", "ES", "ZH"]

_SOURCE = "deepmind/xquad", "60cac411649156efb6aab9dd4c9cde787a2c0345"
_SCOPE = Scope("eval")
_SHARES = {"test": 0.5, "dev": 0.1, "train": 0.4}
_SHA256 = {
    "de": "990b5d746746ed65ed4702ea5f35f99ffa4e2f1c390c07d003642acd937916f9",
    "en": "e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29",
    "es": "dcbae93ec3a9f4b9e78fd834a171d6f96c1a875e10e15b7530b7e4ef4971e37e",
    "zh": "691d0b3359bc6b8faa8de931dfdfe21d50a65861ae348e32a0d1a0190b0c8835",
}
_NAMES = {"de": "German", "en": "English", "es": "Spanish", "zh": "Chinese"}


def _paragraphs(data: TaskData, language: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(key, title, paragraph). Titles are the English ones in every language, so keys are the same as well."""
    for article in json_value(data.path(f"xquad.{language}.json"))["data"]:
        for place, paragraph in enumerate(article["paragraphs"]):
            yield f"{article['title']}/{place}", article["title"], paragraph


def _records(language: str, data: TaskData) -> Iterator[Record]:
    for key, title, paragraph in _paragraphs(data, language):
        yield Record(key, "passage", paragraph["context"], {"title": title.replace("_", " "), "lang": language}, _SCOPE)


def _cases(asked: tuple[str, ...], answered: str, data: TaskData, split: str) -> Iterator[Case]:
    answers = {
        question["id"]: tuple(dict.fromkeys(answer["text"] for answer in question["answers"]))
        for _, _, paragraph in _paragraphs(data, answered)
        for question in paragraph["qas"]
    }
    for language in asked:
        for key, title, paragraph in _paragraphs(data, language):
            if drawn(title, _SHARES) != split:
                continue
            for question in paragraph["qas"]:
                name = f"{language}-{question['id']}"
                yield Case(name, question["question"], {key: 1.0}, answers[question["id"]], scope=_SCOPE, category=language)


def _task(name: str, about: str, asked: tuple[str, ...], kept: str) -> Task:
    return Task(
        name=name,
        kind="passage",
        about=about,
        source="https://github.com/" + _SOURCE[0],
        revision=_SOURCE[1],
        licence="CC BY-SA 4.0",
        citation="Artetxe, Ruder and Yogatama, On the cross-lingual transferability of monolingual representations, ACL 2020",
        protocols=("rank", "answer"),
        measures=("nDCG@10", "MRR@10", "Recall@10", "EM", "F1"),
        splits=("test", "dev", "train"),
        files=tuple(
            File(f"knowledge/xquad/xquad.{language}.json", _SHA256[language], github(*_SOURCE, f"xquad.{language}.json"))
            for language in dict.fromkeys((kept, *asked))
        ),
        records=partial(_records, kept),
        cases=partial(_cases, asked, kept),
    )


def _single(language: str) -> Task:
    about = f"240 paragraphs and 1,190 questions in {_NAMES[language]}; splits by the hash of the article"
    return _task(f"xquad_{language}", about, (language,), language)


EN, DE, ES, ZH = (_single(language) for language in ("en", "de", "es", "zh"))
CROSS = _task(
    "xquad_cross", "the questions of XQuAD in German, Spanish and Chinese over its 240 English paragraphs", ("de", "es", "zh"), "en"
)
