"""Last.fm (HetRec 2011): find a person's friends by what they listen to.

Four fifths of the people (by a hash of their number) are records of kind `user`; the others ask with their own profile,
and their friends among the records are gold. A friendship is one of taste only in part, so low numbers are expected.
Listening has no times here, so no recommendation of artists is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from bowerbird.evals import labelled, rows
from bowerbird.evals.task import Case, File, Task, TaskData
from bowerbird.types import Record

__all__ = ["TASK"]

_POOL = 0.8
_ARTISTS = 20  # the most played ones of a profile
_HEADER = ("userID", "artistID", "weight")


def _profiles(data: TaskData) -> dict[str, list[str]]:
    """User → names of the artists, most played first (ties by artist number)."""
    names = {row["id"]: row["name"] for row in rows.table_rows(data.path("artists.dat"), "\t", quoted=False)}
    played: defaultdict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for row in rows.table_rows(data.path("user_artists.dat"), "\t", header=_HEADER, quoted=False):
        if row["userID"] != "userID":  # the official file has the header line that some copies miss
            artist = row["artistID"].strip()  # a few cells of some copies are padded with blanks
            played[row["userID"]].append((-int(row["weight"]), int(artist), names[artist]))
    return {user: [name for _, _, name in sorted(found)] for user, found in played.items()}


def _text(artists: list[str]) -> str:
    return "Listens to " + ", ".join(artists[:_ARTISTS])


def _pooled(user: str) -> bool:
    return rows.share(f"lastfm user {user}") < _POOL


def _records(data: TaskData) -> Iterator[Record]:
    for user, artists in _profiles(data).items():
        if _pooled(user):
            yield Record(f"user-{user}", "user", _text(artists), {}, labelled.SCOPE)


def _cases(data: TaskData, split: str) -> Iterator[Case]:
    profiles = _profiles(data)
    friends: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for row in rows.table_rows(data.path("user_friends.dat"), "\t", quoted=False):
        if row["friendID"] in profiles and _pooled(row["friendID"]):
            friends[row["userID"]][f"user-{row['friendID']}"] = 1.0
    for user, artists in profiles.items():
        if not _pooled(user) and friends[user]:
            few = "1 to 3 friends" if len(friends[user]) < 4 else "4 or more friends"
            yield Case(f"user-{user}", _text(artists), friends[user], scope=labelled.SCOPE, category=few)


TASK = Task(
    name="lastfm",
    kind="user",
    about="A person's friends, found by what they listen to.",
    source="https://github.com/Fxhj0501/Posioning-Attack-on-Recommendation-System",
    revision="27d958d98ee9dcce389f105a0496754455b18f01",
    licence="not stated",
    citation="Cantador, Brusilovsky and Kuflik, HetRec workshop at RecSys 2011 (data of Last.fm)",
    protocols=("rank",),
    measures=("nDCG@10", "Recall@10", "Recall@50", "MRR@10"),
    splits=("queries",),
    files=(
        File("users/lastfm-hetrec2011/artists.dat", "c173881362c6b28551368fecb3c0be5a6a30a6cd859e1f5775413dfe46d48648"),
        File("users/lastfm-hetrec2011/user_artists.dat", "3e496861ec29aca30cc17d69e4b006b160af693e131cd09b48ab31c271fca04a"),
        File("users/lastfm-hetrec2011/user_friends.dat", "9a3a8f7fa5f5ec832335e5b58ed69a4cf27c6f6f6afcde62134810eea46445a7"),
    ),
    records=_records,
    cases=_cases,
    dropped=("people among the askers without a friend among the records",),
)
