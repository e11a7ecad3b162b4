"""Training groups: a query, the candidates that were or could have been given for it, and what each was worth. Plain values and JSON lines.

A query is on one side of a split only: the split follows from a hash of the query, whatever kind or source a group is of. It
knows nothing of where groups come from or what is trained from them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from bowerbird.errors import InvalidInput, UnknownName

__all__ = ["PARTS", "Alike", "Candidate", "Group", "Part", "alike", "part", "query_hash", "read", "write"]

Part = Literal["train", "dev", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
_SHARES: tuple[tuple[float, Part], ...] = ((0.7, "train"), (0.8, "dev"), (1.0, "test"))  # upper ends
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Candidate:
    """One record that was or could have been given. `text` is what the record's kind gives to encoders.

    `label`: how far it is known to help, by people or by a task's judgements (> 0 helps, 0 unknown, < 0 known not to). `raw`: a
    reward as it was measured; `reward`: what training uses of it, after smoothing. Both None where nobody scored it. `shown`: its
    place in the context (0 = first), None where it was not shown. `scores`: what every stage gave it.
    """

    key: str
    text: str
    label: float = 0.0
    raw: float | None = None
    reward: float | None = None
    shown: int | None = None
    scores: Mapping[str, float] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class Group:
    """A query with its candidates; keys are distinct.

    `source`: the dataset, or `ledger`; batches are homogeneous in (kind, source). `answers`: gold outputs, the canonical one
    first. `nothing`: the raw reward of the run without any candidate. `scope`: whose it is. `weight`: how much it counts.
    `about`: how rewards came to be (model, template, ...), and what else a reader may want to know.
    """

    query: str
    kind: str
    source: str
    candidates: tuple[Candidate, ...]
    answers: tuple[str, ...] = ()
    nothing: float | None = None
    scope: str = ""
    weight: float = 1.0
    about: Mapping[str, Any] = field(default_factory=lambda: _NONE)

    def __post_init__(self) -> None:
        if len({candidate.key for candidate in self.candidates}) != len(self.candidates):
            raise InvalidInput(f"Group {self.query!r:.80} names a candidate twice: keys are distinct.")
        if not math.isfinite(self.weight) or (self.nothing is not None and not math.isfinite(self.nothing)):
            raise InvalidInput(f"Query {self.query!r:.80}: nothing={self.nothing} and weight={self.weight} must be finite numbers.")
        for candidate in self.candidates:
            numbers = {"label": candidate.label, "raw": candidate.raw, "reward": candidate.reward}
            for name, value in numbers.items():
                if value is not None and not math.isfinite(value):
                    raise InvalidInput(f"Candidate {candidate.key!r} of query {self.query!r:.80}: {name} is {value}, no finite number.")

    @property
    def id(self) -> str:
        """Of the query alone; see `query_hash`."""
        return query_hash(self.query)

    @property
    def wants(self) -> tuple[str, str, tuple[str, ...]]:
        """Kind, source and gold outputs: what it has in common with the queries that the same candidates help."""
        return self.kind, self.source, self.answers

    @property
    def positives(self) -> tuple[Candidate, ...]:
        """Candidates known to help, best label first."""
        return tuple(sorted((c for c in self.candidates if c.label > 0), key=lambda c: (-c.label, c.key)))

    @property
    def rewarded(self) -> bool:
        """Whether every candidate has a reward, and they differ."""
        rewards = [candidate.reward for candidate in self.candidates]
        return len(rewards) > 1 and None not in rewards and len(set(rewards)) > 1


Alike = Mapping[tuple[str, str, tuple[str, ...]], Mapping[str, None]]
"""`Group.wants` -> the texts, in order, that are known to help a query of that kind, source and gold outputs."""


def alike(groups: Iterable[Group]) -> Alike:
    """What helps queries that want the same output: a label is on hundreds of examples, of which a single group names a few, and none
    of the others is a negative of it. Groups without gold outputs have no entry."""
    found: dict[tuple[str, str, tuple[str, ...]], dict[str, None]] = {}
    for group in groups:
        if group.answers:
            found.setdefault(group.wants, {}).update(dict.fromkeys(candidate.text for candidate in group.positives))
    return found


def query_hash(query: str) -> str:
    """32 hex digits (BLAKE2b) of the query, blind to case and spacing."""
    return hashlib.blake2b(" ".join(query.casefold().split()).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def part(query: str, seed: int = 0) -> Part:
    """The side a query is on: 70 % train, 10 % dev, 20 % test, by its hash; another seed draws another split."""
    digest = hashlib.blake2b(f"{seed}\x00{query_hash(query)}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    return next(name for end, name in _SHARES if place < end)


def write(path: Path, groups: Iterable[Group]) -> int:
    """Write groups as JSON lines, whole or not at all; how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh, count = path.with_name(path.name + ".part"), 0
    with fresh.open("w", encoding="utf-8") as file:
        for group in groups:
            file.write(json.dumps(_as_json(group), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")
            count += 1
    fresh.replace(path)
    return count


def read(path: Path) -> Iterator[Group]:
    """Groups of a file of JSON lines. A line that is none raises `InvalidInput` with its number."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield _from_json(json.loads(line))
            except (ValueError, TypeError, KeyError, UnknownName) as error:
                raise InvalidInput(f"{path}, line {number}, is no training group: {error}") from error


def _as_json(group: Group) -> dict[str, Any]:
    """Without the defaults: most candidates have few numbers."""
    candidates = [{**_given(asdict(candidate), Candidate)} for candidate in _plain(group.candidates)]
    whole = {name: getattr(group, name) for name in ("query", "kind", "source", "answers", "nothing", "scope", "weight")}
    return {**_given(whole, Group), "candidates": candidates, **({"about": dict(group.about)} if group.about else {})}


def _plain(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    for candidate in candidates:
        yield Candidate(
            candidate.key, candidate.text, candidate.label, candidate.raw, candidate.reward, candidate.shown, dict(candidate.scores)
        )


def _given(values: Mapping[str, Any], of: type) -> dict[str, Any]:
    defaults = {name: field.default for name, field in of.__dataclass_fields__.items()}  # type: ignore[attr-defined]
    return {name: value for name, value in values.items() if value != defaults[name] and value != {}}


def _from_json(value: Mapping[str, Any]) -> Group:
    given = dict(value)
    candidates = tuple(Candidate(**candidate) for candidate in given.pop("candidates"))
    return Group(**{**given, "candidates": candidates, "answers": tuple(given.get("answers", ()))})
