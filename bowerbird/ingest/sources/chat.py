"""Chat transcripts (OpenAI message lists) to memories, one a message or one an exchange.

Read: a list of messages, an object with `messages` (and `id`, `session`, `time`), a list of such objects, or JSON Lines of
either. Keys are `conversation/turn`, where turn counts the messages of the conversation from 1, so that a transcript that
has grown only adds. What is said by system and tool, and messages without text, is no memory and only counts as a turn.
A name stands for the role where a message has one, since that is what a prompt shows. It does not know which messages matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from bowerbird.errors import BowerbirdError, InvalidInput, UnknownName
from bowerbird.ingest.source import Failure, as_record
from bowerbird.ingest.sources.jsonl import json_rows, load_json
from bowerbird.ingest.sources.rows import Row
from bowerbird.kinds import checked_fields, kind
from bowerbird.types import Record, when

__all__ = ["Chat"]

_IDS = ("id", "conversation_id", "conversation", "chat_id", "thread_id")
_SESSIONS = ("session", "session_id")
_TIMES = ("time", "timestamp", "created_at", "create_time", "date")
_SILENT = ("system", "developer", "tool", "function")  # roles whose words nobody in the conversation said
_TARGETS = {"role": ("role",), "content": ("content",), "name": ("name",), "time": _TIMES, "session": _SESSIONS, "conversation": _IDS}


class Chat:
    """`per`: one memory a "message" or an "exchange" (what one side said and the answer to it).

    `mapping` names other columns for role, content, name, time, session and conversation.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, *, kind: str | None = None, mapping: Mapping[str, str] | None = None, per: Literal["message", "exchange"] = "message"
    ) -> None:
        if per not in ("message", "exchange"):
            raise UnknownName("chat unit", per, ("message", "exchange"))
        for target in mapping or {}:
            if target not in _TARGETS:
                raise UnknownName("mapping target", target, _TARGETS)
        self._kind, self._per = kind or "memory", per
        self._columns = {target: ((mapping or {}).get(target), *usual) for target, usual in _TARGETS.items()}

    def read(self, path: Path, name: str) -> Iterator[Record | Failure]:
        """The memories of the transcript. Raises `InvalidInput` for what is no JSON."""
        if path.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")):
            yield from self._all(json_rows(path), name)
        else:
            yield from self.records(load_json(path), name)

    def records(self, value: Any, name: str) -> Iterator[Record | Failure]:
        """The memories of a list of messages, of a conversation, or of a list of conversations."""
        if isinstance(value, Mapping):
            listed = next((value[part] for part in ("conversations", "chats", "data") if isinstance(value.get(part), list)), None)
            value = [value] if listed is None else listed
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            raise InvalidInput(f"{name}: a transcript is a list of messages or conversations; got {type(value).__name__} {value!r:.80}.")
        yield from self._all(
            (
                Row(f"message {number}", item)
                if isinstance(item, Mapping)
                else Failure(f"message {number}", f"is {type(item).__name__} {item!r:.60}, not an object with role and content.")
                for number, item in enumerate(value, 1)
            ),
            name,
        )

    def _all(self, rows: Iterable[Row | Failure], name: str) -> Iterator[Record | Failure]:
        """Messages that stand alone are grouped by the conversation they name; memory: one waiting message a conversation."""
        turns: dict[str, int] = {}
        waiting: dict[str, Record] = {}
        conversations = 0
        for row in rows:
            if isinstance(row, Failure):
                yield row
                continue
            messages = row.cells.get("messages")
            if not isinstance(messages, list):
                conversation = self._name(row.cells, self._first(row.cells, "session") or name)
                yield from self._message(row, row.cells, conversation, turns, waiting)
                continue
            conversations += 1
            conversation = self._name(
                row.cells, name if conversations == 1 and conversations == len(turns) + 1 else f"{name}#{conversations}"
            )
            place = row.place.replace("message", "conversation")
            if conversation in turns:
                yield Failure(place, f"has the id {conversation!r} of an earlier conversation, which is kept.")
                continue
            turns[conversation] = 0
            for number, message in enumerate(messages, 1):
                spot = f"{place}, message {number}"
                if isinstance(message, Mapping):
                    yield from self._message(Row(spot, message), row.cells, conversation, turns, waiting)
                else:
                    turns[conversation] += 1
                    yield Failure(spot, f"is {type(message).__name__} {message!r:.60}, not an object with role and content.")
            if conversation in waiting:
                yield waiting.pop(conversation)
        yield from waiting.values()

    def _message(
        self, row: Row, around: Mapping[str, Any], conversation: str, turns: dict[str, int], waiting: dict[str, Record]
    ) -> Iterator[Record | Failure]:
        turns[conversation] = turn = turns.get(conversation, 0) + 1
        try:
            memory = self._memory(row.cells, around, conversation, turn)
        except BowerbirdError as error:
            yield Failure(row.place, str(error))
            return
        if memory is None:
            return
        if self._per == "message":
            yield memory
            return
        first = waiting.pop(conversation, None)
        if first is None:
            waiting[conversation] = memory
        elif self._first(row.cells, "role") == "assistant":
            said = f"{first.fields['role']}: {first.text}\n{memory.fields['role']}: {memory.text}"
            together = {part: value for part, value in first.fields.items() if part != "role"}
            yield as_record({"key": first.key, "kind": self._kind, "text": said, "fields": together})
        else:
            yield first
            waiting[conversation] = memory

    def _memory(self, message: Mapping[str, Any], around: Mapping[str, Any], conversation: str, turn: int) -> Record | None:
        role = self._first(message, "role")
        if not isinstance(role, str) or not role:
            raise InvalidInput(f"has no role: a message needs a role and a content; it has {', '.join(map(str, message)) or 'nothing'}.")
        if role in _SILENT:
            return None
        text = _text(self._first(message, "content"))
        if not text.strip():
            return None
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise InvalidInput("holds half a surrogate pair, which UTF-8 cannot write.")
        time = self._first(message, "time")
        fields: dict[str, Any] = {
            "role": self._first(message, "name") or role,
            "turn": turn,
            "time": when(self._first(around, "time") if time is None else time, 0.0) or None,
            "session": self._first(message, "session") or self._first(around, "session"),
        }
        if fields["session"] is not None:
            fields["session"] = str(fields["session"])
        fields = checked_fields(kind(self._kind), fields)
        return as_record({"key": f"{conversation}/{turn}", "kind": self._kind, "text": text, "fields": fields})

    def _first(self, cells: Mapping[str, Any], target: str) -> Any:
        return next((cells[column] for column in self._columns[target] if column is not None and cells.get(column) is not None), None)

    def _name(self, cells: Mapping[str, Any], otherwise: str) -> str:
        # A message has an id of its own: only what names the conversation counts there.
        columns = self._columns["conversation"] if "messages" in cells else [c for c in self._columns["conversation"] if c != "id"]
        found = next((cells[column] for column in columns if column is not None and cells.get(column) not in (None, "")), otherwise)
        return str(found)


def _text(content: Any) -> str:
    """The text of a message's content, which may be a list of parts; pictures and sound are named, not kept."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise InvalidInput(f"has a content of type {type(content).__name__}: it is text or a list of parts.")
    said = []
    for part in content:
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, Mapping):
            sort = str(part.get("type", "part"))
            said.append(part["text"] if isinstance(part.get("text"), str) else f"[{sort.removeprefix('input_').removesuffix('_url')}]")
        else:
            raise InvalidInput(f"has a part {part!r:.60} in its content: parts are objects with a type.")
    return "\n".join(said)
