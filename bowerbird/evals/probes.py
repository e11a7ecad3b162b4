"""Questions that no model can know the answer of: made-up facts, what contradicts them, and what merely looks like them.

All of it follows from a seed, in English, without a file. It knows nothing of pipelines.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bowerbird.types import Record

__all__ = ["Probe", "echo", "far", "near", "probes", "says"]

_HEADS = tuple(consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeio")
_TAILS = ("bor", "dal", "dan", "fen", "gar", "kin", "lan", "len", "mar", "nor", "pel", "rin", "sel", "stad", "tan", "vik", "wen", "wick")
_THINGS = ("archive", "harbour", "museum", "clinic", "station", "library", "theatre", "orchard", "foundry", "observatory")
_RELATIONS = {  # how a question asks, and how a text may say it without the question's word
    "director": "the {place} is led by {value}",
    "patron": "{value} pays for all that the {place} does",
    "emblem": "{value} is shown on the flag of the {place}",
    "motto": "over the door of the {place} stands {value}",
    "nickname": "people around here call the {place} {value}",
    "supplier": "the {place} buys what it needs from {value}",
    "architect": "it was {value} who drew the plans of the {place}",
    "password": "whoever wants to enter the {place} has to say {value}",
    "mascot": "{value} dances at every feast of the {place}",
    "sponsor": "the money of the {place} comes from {value}",
}
_SUBJECTS = ("The weather", "A letter", "The market", "An old map", "The ferry", "A short film", "The bakery", "The choir", "A bridge")
_VERBS = ("was late", "changed twice", "drew a crowd", "cost less than planned", "was repainted", "closed early", "went well", "was moved")
_WHEN = ("in spring", "on a Tuesday", "after the storm", "during the fair", "before noon", "last winter", "at the border", "by the river")


@dataclass(frozen=True, slots=True)
class Probe:
    """One made-up fact: `query` asks for it, `answer` is what it says; `others` are values that are not so."""

    key: str
    place: str
    relation: str
    answer: str
    others: tuple[str, ...]

    @property
    def query(self) -> str:
        """The question."""
        return f"What is the {self.relation} of the {self.place}?"

    def says(self, value: str, form: int = 0) -> str:
        """The fact with `value` in it, in one of four wordings."""
        return (
            f"The {self.relation} of the {self.place} is {value}.",
            f"{value} is the {self.relation} of the {self.place}.",
            f"As for the {self.place}, its {self.relation} is {value}.",
            f"It is known that the {self.place} has {value} as its {self.relation}.",
        )[form % 4]

    def told(self) -> Record:
        """The fact in other words than the question's, among other sentences: what a search has to understand to find."""
        before, after = (record.text.partition(". ")[2] for record in far(2, start=len(self.key) + len(self.answer)))
        said = _RELATIONS[self.relation].format(place=self.place, value=self.answer)
        return Record(self.key, "passage", f"{before} {said[:1].upper()}{said[1:]}. {after}")

    def record(self, value: str = "", form: int = 0, suffix: str = "") -> Record:
        """The fact as a passage; `value` "" is the right one."""
        return Record(f"{self.key}{suffix}", "passage", self.says(value or self.answer, form))


def probes(count: int, seed: int = 0) -> tuple[Probe, ...]:
    """`count` facts about places that do not exist; no two share a place, a value or a wrong value."""
    draw = random.Random(f"probes {seed}")
    names = _names(draw)
    made = []
    for number in range(count):
        place = f"{next(names)} {_THINGS[number % len(_THINGS)]}"
        relation = list(_RELATIONS)[(number // len(_THINGS) + number) % len(_RELATIONS)]
        made.append(Probe(f"fact-{number}", place, relation, next(names), tuple(next(names) for _ in range(4))))
    return tuple(made)


def far(count: int, seed: int = 0, start: int = 0) -> Iterator[Record]:
    """Records about anything else, numbered from `start`: the easy distractors, and what fills a store."""
    for number in range(start, start + count):
        draw = random.Random(f"far {seed} {number}")
        lines = [f"{draw.choice(_SUBJECTS)} {draw.choice(_VERBS)} {draw.choice(_WHEN)}." for _ in range(2)]
        yield Record(f"far-{number}", "passage", f"Note {number}. {' '.join(lines)}")


def near(probe: Probe, count: int, seed: int = 0, start: int = 0) -> Iterator[Record]:
    """The same relation of other places: alike in form, and of no use."""
    for number in range(start, start + count):
        names = _names(random.Random(f"near {seed} {probe.key} {number}"), longer=True)
        place = f"{next(names)} {probe.place.split()[-1]}"
        yield Record(f"near-{probe.key}-{number}", "passage", f"The {probe.relation} of the {place} is {next(names)}.")


def echo(probe: Probe, count: int, start: int = 0) -> Iterator[Record]:
    """Every word of the question and no answer: the hardest distractors."""
    for number in range(start, start + count):
        text = f"Visitor {number} asked what the {probe.relation} of the {probe.place} is, and nobody knew."
        yield Record(f"echo-{probe.key}-{number}", "passage", text)


def says(text: str, value: str) -> bool:
    """Whether `value` stands in `text` as a word, whatever its case."""
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE) is not None


def _names(draw: random.Random, longer: bool = False) -> Iterator[str]:
    """Made-up names, none twice. `longer`: of a form that the others never have."""
    seen = set()
    while True:
        name = (draw.choice(_HEADS) + draw.choice(_HEADS) + (draw.choice(_HEADS) if longer else "") + draw.choice(_TAILS)).capitalize()
        if name not in seen:
            seen.add(name)
            yield name
