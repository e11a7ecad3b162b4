"""TALLRec, films: will a user like a film, given a few films that they liked and disliked.

One record of kind `user` for each case, in a scope of its own: with it the model knows the user, without it the title
alone. What a user likes is not split over records, so nothing is ranked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bowerbird.errors import InvalidInput
from bowerbird.evals import rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record, Scope

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "SAI990323/TALLRec", "c1db29ce6501bce32cc8c3e343c4eb14155beeb1"
_FORM = re.compile(r'User Preference: (.*)\nUser Unpreference: (.*)\nWhether the user will like the target movie "(.*)"\?', re.DOTALL)
_TITLE = re.compile(r'"([^"]+)"')
_SPLITS = ("test", "valid")


def _parsed(item: dict[str, Any]) -> tuple[list[str], list[str], str]:
    """Liked titles, disliked titles, the title that is asked about."""
    found = _FORM.fullmatch(item["input"].strip())
    if found is None:
        raise InvalidInput(f"A TALLRec prompt of another form than the known one: {item['input']!r:.200}")
    return _TITLE.findall(found[1]), _TITLE.findall(found[2]), found[3]


def _records(data: TaskData) -> Iterator[Record]:
    for split in _SPLITS:
        for row, item in enumerate(rows.json_value(data.path(f"{split}.json"))):
            liked, disliked, _ = _parsed(item)
            text = f"Liked these films: {'; '.join(liked) or 'none'}.\nDisliked these films: {'; '.join(disliked) or 'none'}."
            yield Record("profile", "user", text, {}, Scope("eval", f"{split}-{row}"))


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    for row, item in enumerate(rows.json_value(data.path(f"{split}.json"))):
        liked, disliked, title = _parsed(item)
        yield Case(
            f"{split}-{row}",
            f"Will the user like the film {title}?",
            {"profile": 1.0},
            (item["output"].strip().rstrip("."),),
            ("Yes", "No"),
            scope=Scope("eval", f"{split}-{row}"),
            category=f"{min(len(liked), 10)} liked" if len(liked) < 10 else "10 or more liked",
            facts={"liked": liked, "disliked": disliked, "title": title},
        )


TASK = Task(
    name="tallrec_movie",
    kind="user",
    about="Will a user like a film, given what they liked and disliked.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="Apache-2.0 (source repository); built from MovieLens-100k",
    citation="Bao et al., TALLRec: An Effective and Efficient Tuning Framework to Align LLM with Recommendation, RecSys 2023",
    protocols=("prefer",),
    measures=("AUC", "accuracy"),
    splits=_SPLITS,
    files=(
        File(
            "users/tallrec-movie/test.json",
            "474e02cde467c8c7001168a4a390a581217edcd8f4726c39aa88c9aa37c54d5e",
            rows.github(_REPOSITORY, _REVISION, "data/movie/test.json"),
        ),
        File(
            "users/tallrec-movie/valid.json",
            "d4aa0c005868aef9b8a85583db946662a2be9c2e0e09f810fe3a7ad31d89274f",
            rows.github(_REPOSITORY, _REVISION, "data/movie/valid.json"),
        ),
    ),
    records=_records,
    cases=_cases,
)
