"""The nouns: frozen values that flow through the house. They know nothing of stores, models or files.

Times are seconds since 1970 in UTC (float). `FOREVER` stands for "no end".
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, Literal

from bowerbird.errors import InvalidInput, ScopeMissing

__all__ = [
    "CORRECTION",
    "FOREVER",
    "TRUSTS",
    "Answer",
    "Block",
    "Citation",
    "Context",
    "Decision",
    "Hit",
    "LeftOut",
    "Message",
    "Outcome",
    "Record",
    "Scope",
    "Step",
    "Trust",
    "Turn",
    "replace",
    "when",
]

FOREVER = 253402300799.0  # 9999-12-31T23:59:59Z: a number every store can compare with
CORRECTION = "correction"  # the note of a verbal outcome that says what the right answer would have been

Trust = Literal["untrusted", "user", "trusted"]
TRUSTS: tuple[Trust, ...] = ("untrusted", "user", "trusted")

_PART = re.compile(r"[^\x00-\x1f/]{1,200}")
_EMPTY: Mapping[str, Any] = MappingProxyType({})


def when(value: float | int | str | datetime | date | None, default: float | None = None) -> float:
    """Seconds since 1970 UTC from a number, an ISO 8601 string, a date or a datetime (naive means UTC)."""
    if value is None:
        if default is None:
            raise InvalidInput("A time is needed here: give seconds since 1970, an ISO 8601 string or a datetime.")
        return default
    if isinstance(value, bool):
        raise InvalidInput(f"{value!r} is no time: give seconds since 1970, an ISO 8601 string or a datetime.")
    if isinstance(value, (int, float)):
        if value != value or abs(value) > FOREVER:
            raise InvalidInput(f"{value!r} is no time between the years 1 and 9999.")
        return float(value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise InvalidInput(f"{value!r} is no ISO 8601 time (for example 2026-05-01T12:00:00Z).") from error
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    raise InvalidInput(f"{type(value).__name__} {value!r} is no time: give seconds, an ISO 8601 string or a datetime.")


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a record belongs to, and on whose behalf a call is made: tenant / user / session, from wide to narrow.

    A caller sees records of its own scope and of the wider scopes that contain it: `acme/ann` sees `acme` and
    `acme/ann`, never `acme/bob` and never `acme/ann/s1`. A caller writes and deletes in exactly its own scope.
    """

    tenant: str
    user: str | None = None
    session: str | None = None

    def __post_init__(self) -> None:
        if not self.tenant:
            raise ScopeMissing("A scope needs at least a tenant, for example 'acme' or 'acme/ann'.")
        if self.session is not None and self.user is None:
            raise InvalidInput(f"Scope with session {self.session!r} but no user: a session belongs to a user.")
        for part in (self.tenant, self.user, self.session):
            if part is not None and not (isinstance(part, str) and _PART.fullmatch(part)):
                raise InvalidInput(f"{part!r} cannot be part of a scope: 1 to 200 characters, no '/' and no control characters.")

    @classmethod
    def parse(cls, value: Scope | str | None) -> Scope:
        """`'acme/ann/s1'` → Scope. None or an empty string raises `ScopeMissing`: no scope, no data."""
        if isinstance(value, Scope):
            return value
        if value is None or value == "":
            raise ScopeMissing(
                "This call carries no scope, so it gets no data. Open with bowerbird.open(path, scope='acme/ann') "
                "or pass scope='acme/ann' to the call (tenant, tenant/user or tenant/user/session)."
            )
        if not isinstance(value, str):
            raise InvalidInput(f"A scope is a string such as 'acme/ann', not {type(value).__name__} {value!r}.")
        parts = value.split("/")
        if len(parts) > 3:
            raise InvalidInput(f"Scope {value!r} has {len(parts)} parts; tenant/user/session is the most.")
        return cls(*parts)

    def __str__(self) -> str:
        return "/".join(part for part in (self.tenant, self.user, self.session) if part is not None)

    def visible(self) -> tuple[Scope, ...]:
        """The scopes whose records this caller may read, from wide to narrow."""
        return _visible(self)

    def sees(self, owner: Scope) -> bool:
        """Whether a caller of this scope may read a record that `owner` keeps."""
        return owner in self.visible()


@functools.lru_cache(maxsize=4096)
def _visible(scope: Scope) -> tuple[Scope, ...]:
    """Kept, since every search asks several times and a scope checks its parts."""
    scopes = [Scope(scope.tenant)]
    if scope.user is not None:
        scopes.append(Scope(scope.tenant, scope.user))
    if scope.session is not None:
        scopes.append(scope)
    return tuple(scopes)


@dataclass(frozen=True, slots=True)
class Record:
    """One retrievable thing.

    `key` is the client's stable name for it inside `scope`; adding the same key again makes a new version.
    `supersedes` names keys of the same scope that this record replaces: they are hidden from then on and stay in the
    history. `version`, `created`, `source`, `superseded` (since when) and `superseded_by` (which key) are given by the
    catalog. A record is shown to a search at time t when starts <= t < ends.
    """

    key: str
    kind: str
    text: str
    fields: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    scope: Scope = Scope("local")
    version: int = 0
    created: float = 0.0
    valid_from: float = 0.0
    valid_to: float = FOREVER
    supersedes: tuple[str, ...] = ()
    trust: Trust = "untrusted"
    source: str | None = None
    superseded: float | None = None
    superseded_by: str | None = None

    @property
    def id(self) -> int:
        """63-bit number of (scope, key): the same in every store and after every rebuild."""
        return record_id(self.scope, self.key)

    @property
    def starts(self) -> float:
        """The moment from which it is shown: what replaces another record holds from when it was said, unless it says since when."""
        return self.created if self.supersedes and self.valid_from == 0.0 else self.valid_from

    @property
    def ends(self) -> float:
        """The moment from which it is hidden: the end of its validity, or when another record took its place."""
        return self.valid_to if self.superseded is None else min(self.valid_to, self.superseded)

    @property
    def hash(self) -> str:
        """Content hash (BLAKE2b, 32 hex digits) of everything the client gave; version, created and source are left out."""
        content = [self.kind, self.text, dict(self.fields), self.valid_from, self.valid_to, list(self.supersedes), self.trust]
        dumped = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.blake2b(dumped.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    @property
    def name(self) -> str:
        """`key@version`, the way a record is cited."""
        return f"{self.key}@{self.version}"


def record_id(scope: Scope, key: str) -> int:
    """63-bit BLAKE2b of scope and key, never 0."""
    digest = hashlib.blake2b(f"{scope}\x00{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1


@dataclass(frozen=True, slots=True)
class Hit:
    """A scored record. `scores` holds the score every stage gave, by stage name; `score` is the latest.

    Between retrieve and the first stage that reads text, `record` is None and only `id` is known: the catalog fills
    it in, and drops what the caller may not see. `span` is the part of the text that is shown (characters), None = all.
    """

    id: int
    score: float
    scores: Mapping[str, float] = field(default_factory=lambda: _EMPTY)
    record: Record | None = None
    span: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """What of the record is shown."""
        if self.record is None:
            raise InvalidInput(f"Hit {self.id} has not been looked up in the catalog yet.")
        return self.record.text if self.span is None else self.record.text[self.span[0] : self.span[1]]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as in OpenAI's chat format."""

    role: str
    content: str

    def as_dict(self) -> dict[str, str]:
        """The OpenAI form."""
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a gate says of a turn: retrieve or not, from which kinds (empty = leave as asked), and why, in words."""

    retrieve: bool
    why: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """One record as it stands in the context. `mark` is its citation mark, such as `[3]`; `why` says why it was chosen."""

    mark: str
    hit: Hit
    text: str
    tokens: int
    why: str
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A hit that did not get into the context, and why."""

    hit: Hit
    why: str
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """What goes to the model. `prefix` is byte-identical across the turns of a conversation; `body` is the retrieved block.

    `tokens` counts prefix and body by `tokenizer`; it never exceeds `budget`. `prefix_tokens_kept` is how many tokens
    at the start of the rendered messages equal those of the conversation's previous turn (None on a first turn).
    """

    prefix: str
    body: str
    blocks: tuple[Block, ...]
    left_out: tuple[LeftOut, ...]
    messages: tuple[Message, ...]
    tokens: int
    budget: int
    tokenizer: str
    prefix_tokens_kept: int | None = None

    @property
    def text(self) -> str:
        """The whole context as plain text."""
        return "\n\n".join(part for part in (self.prefix, self.body) if part)


@dataclass(frozen=True, slots=True)
class Citation:
    """A span of the answer (characters) tied to a span of a record. `support` in [0, 1] is how far the record bears it out."""

    mark: str
    start: int
    end: int
    key: str
    kind: str
    version: int
    record_span: tuple[int, int]
    support: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader wrote. `dropped` holds the citations that the record did not bear out; `abstained` = nothing relevant was found."""

    text: str
    citations: tuple[Citation, ...] = ()
    dropped: tuple[Citation, ...] = ()
    abstained: bool = False
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one stage did to one turn. `seconds` is the time of the whole batch divided by its turns; `info` is plain JSON."""

    stage: str
    role: str
    seconds: float
    info: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Turn:
    """The value that flows through a pipeline. Stages never change a turn: they return a new one.

    `kinds`: what may be retrieved (empty = every kind). `where`: conditions on fields, `{"lang": "en", "year": {"gte": 2020}}`.
    `at`: the moment whose valid records are wanted (None = now); `stale` shows superseded and expired ones as well.
    `keys` asks for these records by name. `budget` overrides the composer's (tokens). `conversation` names the exchange
    this turn belongs to; `previous` is that conversation's last context, which makes the composer sticky. `decision` is the last
    gate's word.
    """

    query: str
    scope: Scope
    id: str = ""
    kinds: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    at: float | None = None
    stale: bool = False
    keys: tuple[str, ...] = ()
    budget: int | None = None
    conversation: str = ""
    history: tuple[Message, ...] = ()
    previous: Context | None = None
    queries: tuple[str, ...] = ()
    decision: Decision | None = None
    hits: tuple[Hit, ...] = ()
    context: Context | None = None
    draft: str | None = None
    answer: Answer | None = None
    trace: tuple[Step, ...] = ()

    @property
    def asof(self) -> float | None:
        """The moment at which records must be valid; None = any."""
        if self.stale:
            return None
        return time.time() if self.at is None else self.at

    @property
    def retrieves(self) -> bool:
        """Whether retrieval is still wanted (no gate has said no)."""
        return self.decision is None or self.decision.retrieve

    @property
    def asked(self) -> tuple[str, ...]:
        """The queries to search with: the rewritten ones, or the query itself."""
        return self.queries or (self.query,)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a turn, or of single hits of it (`keys`; empty = the turn as a whole).

    source: llm, user, click, metric or simulated. protocol: likelihood, scalar, pairwise or verbal.
    value: a finite number for likelihood and scalar; for pairwise (preferred key, other key); for verbal a sentence, which is the
    right answer where `note` is `CORRECTION`.
    """

    turn: str
    source: Literal["llm", "user", "click", "metric", "simulated"]
    protocol: Literal["likelihood", "scalar", "pairwise", "verbal"]
    value: float | str | tuple[str, str]
    keys: tuple[str, ...] = ()
    note: str = ""
    model: str | None = None
    template: str | None = None


def as_messages(items: Sequence[Message | Mapping[str, Any]]) -> tuple[Message, ...]:
    """Messages from OpenAI dicts or `Message`s."""
    messages = []
    for item in items:
        if isinstance(item, Message):
            messages.append(item)
        elif isinstance(item, Mapping) and isinstance(item.get("role"), str) and isinstance(item.get("content"), str):
            messages.append(Message(item["role"], item["content"]))
        else:
            raise InvalidInput(f"A message needs a role and a text content, as in {{'role': 'user', 'content': 'Hi'}}; got {item!r}.")
    return tuple(messages)
