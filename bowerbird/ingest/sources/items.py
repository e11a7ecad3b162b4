"""Items with what people did with them: a table of items, one of interactions (user, item[, rating, time]), one of users.

The interactions give each item `popularity` (number of interactions) and `rating` (their mean), and each user a
`history` (titles, oldest first, the last `HISTORY` of them). Any of the tables may be JSONL, JSON, CSV, TSV or Parquet.
It computes no recommendations.

Memory: the interactions are streamed; kept are two numbers and a title an item, and up to `HISTORY` entries a user.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.ingest.source import Failure, Unit, as_record
from bowerbird.ingest.sources.rows import SLOT, Row, filled
from bowerbird.ingest.sources.typed_rows import Table, any_rows
from bowerbird.kinds import checked_fields, kind
from bowerbird.types import Record, when

__all__ = ["HISTORY", "Items"]

HISTORY = 50

_COLUMNS = {
    "user": ("user", "user_id", "userId", "userID", "uid"),
    "item": ("item", "item_id", "itemId", "itemID", "iid", "movieId", "artistID", "asin"),
    "rating": ("rating", "score", "stars", "weight"),
    "time": ("time", "timestamp", "date"),
}
_ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab", ".parquet")


@dataclass
class _Done:
    """What the interactions say, gathered in one pass."""

    number: dict[str, int] = field(default_factory=dict)
    rated: dict[str, tuple[float, int]] = field(default_factory=dict)
    history: dict[str, list[tuple[float, int, str, float | None]]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


class Items:
    """`thing`: the table of items, or a folder with `items.*` and, where there are such, `interactions.*` and `users.*`.

    `mapping` names columns of the items; with `interactions.` or `users.` in front, columns of those tables, such as
    `{"key": "movie:{movieId}", "tags": "genres", "interactions.item": "movie:{movieId}"}`. Users without a table of their own are kept
    under `user:ID`, or as `{"users.key": "{user}"}` says.
    """

    def __init__(
        self,
        thing: str | Path,
        *,
        kind: str | None = None,
        mapping: Mapping[str, str | None] | None = None,
        interactions: str | Path | None = None,
        users: str | Path | None = None,
    ) -> None:
        path = Path(thing).expanduser()
        if path.is_dir():
            self._items = _table_in(path, "items") or _missing(path)
            self._interactions = Path(interactions) if interactions else _table_in(path, "interactions")
            self._users = Path(users) if users else _table_in(path, "users")
        else:
            self._items = path
            self._interactions = Path(interactions) if interactions else None
            self._users = Path(users) if users else None
        self.id = f"items:{path.resolve()}"
        mapping = mapping or {}
        self._settings = hashlib.blake2b(repr((kind, sorted(mapping.items()))).encode(), digest_size=6).hexdigest()
        self._columns = _part(mapping, "interactions.")
        for target in self._columns:
            if target not in _COLUMNS:
                raise UnknownName("mapping target", f"interactions.{target}", [f"interactions.{name}" for name in _COLUMNS])
        own = {target: column for target, column in mapping.items() if not target.startswith(("interactions.", "users."))}
        self._item_table = Table(kind=kind or "item", mapping=own)
        people = _part(mapping, "users.")
        self._user_key = None if self._users else people.get("key")
        self._user_table = Table(kind="user", mapping=people if self._users else None)

    def units(self) -> Iterator[Unit]:
        """The items and, where anything is known of them, the users. Both are read again when one of the tables has changed."""
        tables = [path for path in (self._items, self._interactions, self._users) if path is not None]
        stamp = " ".join((*(_stamp(path) for path in tables), self._settings))
        yield Unit(self._items.name, stamp, self._read_items)
        if self._interactions is not None or self._users is not None:
            yield Unit(self._users.name if self._users else "users", stamp, self._read_users)

    def _read_items(self) -> Iterator[Record | Failure]:
        done = self._done()
        yield from done.failures
        known: set[str] = set()
        for record in self._item_table.read(self._items, self._items.stem):
            if isinstance(record, Failure):
                yield record
                continue
            known.add(record.key)
            facts: dict[str, Any] = dict(record.fields)
            if self._interactions is not None:
                facts["popularity"] = float(done.number.get(record.key, 0))
            if record.key in done.rated:
                total, number = done.rated[record.key]
                facts["rating"] = round(total / number, 3)
            yield replace(record, fields=facts)
        lost = [item for item in done.number if item not in known]
        if lost:
            yield Failure(
                self._interactions.name if self._interactions else "interactions",
                f"names {len(lost)} items that {self._items.name} does not have, such as {lost[0]!r}.",
            )

    def _read_users(self) -> Iterator[Record | Failure]:
        done = self._done()
        wanted = {item for entries in done.history.values() for _, _, item, _ in entries}
        titles = {
            record.key: str(record.fields.get("title") or record.key)
            for record in self._item_table.read(self._items, self._items.stem)
            if isinstance(record, Record) and record.key in wanted
        }
        seen: set[str] = set()
        if self._users is not None:
            for record in self._user_table.read(self._users, self._users.stem):
                if isinstance(record, Failure):
                    yield record
                    continue
                seen.add(record.key)
                entries = done.history.get(record.key)
                if not entries:
                    yield record
                    continue
                told = [*(record.fields.get("history") or []), *_told(entries, titles)]
                yield replace(record, fields={**record.fields, "history": told[-HISTORY:]})
        key = self._key_of_user()
        for user, entries in done.history.items():
            if user not in seen:
                fields = checked_fields(kind("user"), {"history": _told(entries, titles)})
                yield as_record({"key": user if self._users else key(user), "kind": "user", "text": "", "fields": fields})

    def _key_of_user(self) -> Callable[[str], str]:
        form = self._user_key or "user:{user}"
        if "{user}" not in form:
            raise InvalidInput(
                f"users.key is {form!r}: without a table of users it is a template with {{user}} in it, such as 'user:{{user}}'."
            )
        return lambda user: form.replace("{user}", user)

    def _done(self) -> _Done:
        done, order = _Done(), count()
        if self._interactions is None:
            return done
        for row in any_rows(self._interactions):
            if isinstance(row, Failure):
                done.failures.append(Failure(f"{self._interactions.name} {row.name}", row.why))
                continue
            try:
                self._count(row, done, next(order))
            except UnknownName as error:
                raise InvalidInput(f"{self._interactions}: {error}") from error
            except (InvalidInput, ValueError) as error:
                done.failures.append(Failure(f"{self._interactions.name} {row.place}", str(error)))
        return done

    def _count(self, row: Row, done: _Done, order: int) -> None:
        user, item = self._cell(row, "user"), self._cell(row, "item")
        if user in (None, "") or item in (None, ""):
            raise InvalidInput("has no user or no item.")
        given, at = self._cell(row, "rating"), self._cell(row, "time")
        rating = None if given in (None, "") else float(given)
        moment = 0.0
        if at not in (None, ""):
            at = at.strip() if isinstance(at, str) else at
            moment = when(float(at) if isinstance(at, str) and at.replace(".", "", 1).isdigit() else at)
        user, item = str(user), str(item)
        done.number[item] = done.number.get(item, 0) + 1
        if rating is not None:
            if rating != rating or rating in (float("inf"), float("-inf")):
                raise InvalidInput(f"has the rating {given!r}, which is no finite number.")
            total, number = done.rated.get(item, (0.0, 0))
            done.rated[item] = (total + rating, number + 1)
        entries = done.history.setdefault(user, [])
        push = heapq.heappush if len(entries) < HISTORY else heapq.heappushpop
        push(entries, (moment, order, item, rating))

    def _cell(self, row: Row, target: str) -> Any:
        column = self._columns.get(target)
        if column is not None:
            if column not in row.cells and SLOT.search(column):
                return filled(column, row.cells)
            if column not in row.cells:
                raise UnknownName("column", column, row.cells)
            return row.cells[column]
        found = next((name for name in _COLUMNS[target] if name in row.cells), None)
        if found is None and target in ("user", "item"):
            raise UnknownName(f"{target} column; say which with a mapping {{'interactions.{target}': 'COLUMN'}}; column", target, row.cells)
        return None if found is None else row.cells[found]


def _told(entries: list[tuple[float, int, str, float | None]], titles: Mapping[str, str]) -> list[str]:
    return [
        titles.get(item, item) + ("" if rating is None else f" (rated {rating:g})")
        for _, _, item, rating in sorted(entries, key=lambda e: e[:2])
    ]


def _part(mapping: Mapping[str, str | None], front: str) -> dict[str, str | None]:
    return {target.removeprefix(front): column for target, column in mapping.items() if target.startswith(front)}


def _table_in(folder: Path, stem: str) -> Path | None:
    found = [
        folder / f"{stem}{ending}{packed}"
        for ending in _ENDINGS
        for packed in ("", ".gz")
        if (folder / f"{stem}{ending}{packed}").is_file()
    ]
    if len(found) > 1:
        raise InvalidInput(f"{folder} has {' and '.join(path.name for path in found)}: which one is meant? Give the path itself.")
    return found[0] if found else None


def _missing(folder: Path) -> Path:
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:10])
    raise InvalidInput(
        f"{folder} has no table of items (items{', items'.join(_ENDINGS)}). It has {there or 'nothing'}. Give the path of the table."
    )


def _stamp(path: Path) -> str:
    facts = path.stat()
    return f"{path.name}:{facts.st_size}:{facts.st_mtime_ns}"
