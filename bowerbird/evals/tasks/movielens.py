"""MovieLens latest small: the films that a person will like next, among all films, on one time cut.

The cut is the moment by which 80 % of all ratings were given; popularity is counted before it. Split `test`: people who
rated on both sides of it; their history ends at the cut, gold is what they rated 4 or more after it. Most people rated
within a day or two, so these are only 28 of 610, and their intervals are wide. Split `newcomers`: people who came after
the cut; the first half of what they rated (by time) is their history, gold what they liked of the other half. Every film
is ranked (no sampled candidates); the rated ones of a history are in `facts["seen"]` and are to be left out of a ranking.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_REPOSITORY, _REVISION = "allegrastrippoli/recommender", "98f355f3a1cd744bdaf76947f31f6d8db291e1d0"
_BEFORE = 0.8
_LIKED = 4.0
_SHOWN = 10  # the last liked films that the query names
_YEAR = re.compile(r"\((\d{4})\)\s*$")


class _Rating(NamedTuple):
    at: int
    user: str
    film: str
    stars: float


def _ratings(data: TaskData) -> tuple[list[_Rating], int]:
    """All ratings by time (ties by user and film), and the cut: what was rated before it is the train part."""
    table = rows.table_rows(data.path("ratings.csv"))
    found = sorted(_Rating(int(row["timestamp"]), row["userId"], row["movieId"], float(row["rating"])) for row in table)
    return found, found[int(len(found) * _BEFORE)].at


def _films(data: TaskData) -> dict[str, tuple[str, list[str]]]:
    found = {}
    for row in rows.table_rows(data.path("movies.csv")):
        genres = [] if row["genres"] == "(no genres listed)" else row["genres"].split("|")
        found[row["movieId"]] = (row["title"].strip(), genres)
    return found


def _records(data: TaskData) -> Iterator[Record]:
    ratings, cut = _ratings(data)
    counts = Counter(rating.film for rating in ratings if rating.at < cut)
    for film, (title, genres) in _films(data).items():
        year = _YEAR.search(title)
        fields = {"title": title, "tags": genres, "popularity": float(counts[film])}
        yield Record(f"film-{film}", "item", f"Film of {year[1]}" if year else "Film", fields, labelled.SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    ratings, cut = _ratings(data)
    films = _films(data)
    by_user: defaultdict[str, list[_Rating]] = defaultdict(list)
    for rating in ratings:
        by_user[rating.user].append(rating)
    for user, rated in by_user.items():
        came = sum(rating.at < cut for rating in rated)
        if (came == 0) is not (split == "newcomers"):
            continue
        history, later = (rated[:came], rated[came:]) if came else (rated[: len(rated) // 2], rated[len(rated) // 2 :])
        liked = [rating.film for rating in history if rating.stars >= _LIKED]
        gold = {f"film-{rating.film}": 1.0 for rating in later if rating.stars >= _LIKED}
        if not liked or not gold:
            continue
        yield Case(
            f"user-{user}",
            "Films I liked: " + "; ".join(films[film][0] for film in liked[-_SHOWN:]) + ". What should I watch next?",
            gold,
            scope=labelled.SCOPE,
            at=float(later[0].at),
            category="short history" if len(liked) < 20 else "long history",
            facts={"seen": [f"film-{rating.film}" for rating in history], "liked": [f"film-{film}" for film in liked]},
        )


TASK = Task(
    name="movielens",
    kind="item",
    about="The films that a person will like after a moment in time, among all films.",
    source=f"https://github.com/{_REPOSITORY}",
    revision=_REVISION,
    licence="MovieLens (README.txt of the data): research use, redistribution under the same terms, no commercial use",
    citation="Harper and Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5(4), 2015",
    protocols=("recommend",),
    measures=("nDCG@10", "Recall@10", "Hit@10", "coverage@10", "ARP@10", "popularity@10"),
    splits=("test", "newcomers"),
    files=(
        File(
            "items/ml-latest-small/movies.csv",
            "5a5f32dd9bb3797b8e728a1b98958789d2b13f294a69fdfbc5727f8a9611aa07",
            rows.github(_REPOSITORY, _REVISION, "ml-latest-small/movies.csv"),
        ),
        File(
            "items/ml-latest-small/ratings.csv",
            "9c781c435003d7789173bd5860c8870ef8891cc1d21f313c8176e3b12b9540ad",
            rows.github(_REPOSITORY, _REVISION, "ml-latest-small/ratings.csv"),
        ),
    ),
    records=_records,
    cases=_cases,
    dropped=("people without a liked film in their history, or without one after it",),
)
