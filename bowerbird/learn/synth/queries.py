"""Queries that a language model writes for records, shown a few real ones. What it writes is data to be filtered, never trusted."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bowerbird.kinds import kind
from bowerbird.learn.groups import Candidate, Group, query_hash
from bowerbird.learn.trainer import Progress, TooLittle
from bowerbird.ports import LLM, Prompt
from bowerbird.types import Record

__all__ = ["LEAST", "Shown", "shown", "with_usages", "written"]

LEAST = 8
"""Pairs of a record and a query for it that the model must be able to see."""
_NAMES: Mapping[str, tuple[str, str]] = {  # what a record and a query for it are called in the prompt
    "passage": ("Text", "Question"),
    "memory": ("Note", "Question"),
    "tool": ("Tool", "Request"),
    "example": ("Solved before", "Similar input"),
    "item": ("Item", "Wish"),
    "user": ("Person", "Question"),
    "model": ("Model", "Task"),
}
_IN_PROMPT = 4  # pairs a prompt, the same for a batch of records
_RECORD = 600  # characters of a record that the model reads
_LEAST_WORDS, _MOST_WORDS = 3, 60
_BATCH = 16  # records whose prompts go to the model together


@dataclass(frozen=True, slots=True)
class Shown:
    """A record's text and a query that it serves."""

    text: str
    query: str


def shown(groups: Sequence[Group], name: str) -> list[Shown]:
    """Pairs of a kind that groups hold: each query with the record that helps it best."""
    return [Shown(group.positives[0].text, group.query) for group in groups if group.kind == name and group.positives]


def written(
    records: Sequence[Record],
    pairs: Sequence[Shown],
    llm: LLM,
    *,
    each: int = 1,
    temperature: float = 0.7,
    max_tokens: int = 40,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Group]:
    """Up to `each` queries a record, as groups of source `synth` with that record as the one that helps.

    Promptagator (Dai et al., arXiv 2209.11755, section 3.1): from 8 examples on, the model sees a few pairs and then the record
    alone. Differs: 4 pairs a prompt, since short ones suit small models, drawn anew for every 16 records, so that no one pair colours
    all and a model that shares what prompts begin with reads them once.
    For tools it is the usage query of Tool2Vec (arXiv 2409.02141). Dropped: what is shorter than 3 words or longer than 60, copies
    of the record or of a pair, and doubles. Raises `TooLittle` under 8 pairs. Cost: `each` completions a record.
    """
    if len(pairs) < LEAST:
        raise TooLittle(f"Writing queries needs at least {LEAST} pairs of a query and the record that helps it; there are {len(pairs)}.")
    known = {query_hash(pair.query) for pair in pairs}
    groups: list[Group] = []
    for turn in range(each):
        for start in range(0, len(records), _BATCH):
            batch = records[start : start + _BATCH]
            some = _drawn(pairs, f"{seed}/{turn}/{batch[0].id}")
            prompts = [Prompt(text=_prompt(record, some)) for record in batch]
            said = llm.complete(prompts, max_tokens=max_tokens, temperature=temperature, stop=("\n",), seed=seed + turn)
            for record, completion in zip(batch, said, strict=True):
                query = _cleaned(completion.text, record)
                if query is None or query_hash(query) in known:
                    continue
                known.add(query_hash(query))
                candidate = Candidate(record.key, kind(record.kind).encode(record), 1.0)
                about = {"model": llm.name, "temperature": temperature, "seed": seed + turn}
                groups.append(Group(query, record.kind, "synth", (candidate,), scope=str(record.scope), about=about))
            if progress:
                progress("writing queries", turn * len(records) + start + len(batch), each * len(records))
    return groups


def with_usages(records: Sequence[Record], groups: Sequence[Group], most: int = 5) -> list[Record]:
    """The records with the queries that were written for them in their field `usages`, which a tool's text for encoders includes.

    After Tool2Vec (arXiv 2409.02141, section 3.1): a tool is found by what people would ask of it. Differs: the queries stand in
    the text rather than being averaged as vectors, so that words find them too.
    """
    usages: dict[str, list[str]] = {}
    for group in groups:
        for candidate in group.positives:
            usages.setdefault(candidate.key, []).append(group.query)
    done = []
    for record in records:
        given = [*(record.fields.get("usages") or []), *usages.get(record.key, [])][:most]
        fields = {**record.fields, "usages": given} if given else record.fields
        done.append(
            Record(
                record.key,
                record.kind,
                record.text,
                fields,
                record.scope,
                valid_from=record.valid_from,
                valid_to=record.valid_to,
                supersedes=record.supersedes,
                trust=record.trust,
            )
        )
    return done


def _drawn(pairs: Sequence[Shown], draw: str) -> list[Shown]:
    """A few of the pairs, drawn by the hash of `draw` and of their queries."""

    def place(pair: Shown) -> bytes:
        return hashlib.blake2b(f"{draw}\x00{pair.query}".encode("utf-8", "surrogatepass"), digest_size=8).digest()

    return sorted(pairs, key=place)[:_IN_PROMPT]


def _prompt(record: Record, pairs: Sequence[Shown]) -> str:
    thing, asked = _NAMES.get(record.kind, ("Text", "Question"))
    blocks = [f"{thing}: {_line(pair.text)}\n{asked}: {_line(pair.query)}" for pair in pairs]
    return "\n\n".join([*blocks, f"{thing}: {_line(kind(record.kind).encode(record))}\n{asked}:"])


def _line(text: str) -> str:
    return " ".join(text.split())[:_RECORD]


def _cleaned(said: str, record: Record) -> str | None:
    """The query, or None where it is none."""
    query = " ".join(said.split()).strip("\"'“”‘’ ")
    words = re.findall(r"\w+", query)
    copied = query.casefold() in _line(kind(record.kind).encode(record)).casefold()
    return None if copied or not _LEAST_WORDS <= len(words) <= _MOST_WORDS else query
