"""SNIPS (2017-06): seven intents spoken to a voice assistant; the pieces of a sentence are joined, its slots are left aside."""

from __future__ import annotations

from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "sonos/nlu-benchmark", "b86ac7f1577868c42158d0dec77db50956046696"
_INTENTS = ("AddToPlaylist", "BookRestaurant", "GetWeather", "PlayMusic", "RateBook", "SearchCreativeWork", "SearchScreeningEvent")
_HASHES = {
    "train_AddToPlaylist_full.json": "fee1b4645352e70ed8a40f1f87c3b53fc3bf75f8ebc82252a22b82c107e75b01",
    "train_BookRestaurant_full.json": "7677e82cd6e9a8191f0a4502568c786278c984900b4796d3628e46f1abf73ef4",
    "train_GetWeather_full.json": "86f414b2ad8a993134d85d16e25e5d337beae47cef993c0af2a5f440405c60f6",
    "train_PlayMusic_full.json": "901ddbe9781d1fdb8196e789c543f80df3d29ca6e237da64947905adcc0312e4",
    "train_RateBook_full.json": "bb43e4b74134300d5766f6b420d0357a63402987a225f6dc92c806c9c040ce04",
    "train_SearchCreativeWork_full.json": "87b3432de48c71c205aa5238b41d9e3f2d70bdfcd0bea2427544fb9e4bd5e5bb",
    "train_SearchScreeningEvent_full.json": "5447e9440c02e2fb08c3ae16b9f58a4d1332b4bc77fd34691402b02aa4399765",
    "validate_AddToPlaylist.json": "14cc9ee49ae477b1452632a6e835498cf4c32da397b16967c82abb3e50403e83",
    "validate_BookRestaurant.json": "4f7258ccc768b777b2eb8916532db9aa50dbd058ddf1ffb0dc59218963e7442a",
    "validate_GetWeather.json": "60c095e193655d6ca92be220fed3926ca25e18cd70c85664145efe25d80993af",
    "validate_PlayMusic.json": "922212775e26259d5bffeaf79b6048d070ca017d229df00b2cc9800f71c75d20",
    "validate_RateBook.json": "c1f8b4114da0bb5e8afd78a8062766e18b2eabb0e717539598db01b09d04619b",
    "validate_SearchCreativeWork.json": "8a5e830eddb185d3e4a9d27ded140a145d04766bdce0e58834676ede32d13e77",
    "validate_SearchScreeningEvent.json": "81e1445713e03c7c3e615353c5f3fee05f369fe9834100b9b9735900a96b9498",
}


def _part(data: TaskData, split: str) -> list[tuple[str, str]]:
    found = []
    for intent in _INTENTS:
        name = f"train_{intent}_full.json" if split == "train" else f"validate_{intent}.json"
        # One of the fourteen files is Latin-1; the others are UTF-8.
        held = rows.json_value(data.path(name), "latin-1" if name == "train_PlayMusic_full.json" else "utf-8")
        found += [("".join(piece["text"] for piece in row["data"]).strip(), labelled.words(intent)) for row in held[intent]]
    return found


def _records(data: TaskData) -> Iterator[Record]:
    return labelled.examples(_part(data, "train"), "snips")


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    return labelled.cases(_part(data, split), _part(data, "train"), [labelled.words(intent) for intent in _INTENTS], split)


TASK = Task(
    name="snips",
    kind="example",
    about="Which of seven intents a spoken request has.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="CC0 1.0",
    citation="Coucke et al., Snips Voice Platform, arXiv 1805.10190",
    protocols=("classify", "rank"),
    measures=("accuracy", "macro-F1", "P@10"),
    splits=("validation",),
    files=tuple(
        File(
            f"examples/snips/{name}",
            sha256,
            rows.github(_REPOSITORY, _REVISION, f"2017-06-custom-intent-engines/{name.split('_')[1].removesuffix('.json')}/{name}"),
        )
        for name, sha256 in _HASHES.items()
    ),
    records=_records,
    cases=_cases,
)
