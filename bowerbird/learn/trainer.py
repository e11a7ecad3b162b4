"""What a trainer is: groups in, one component out, and how well a component does on groups it has not seen.

A trainer is one file in `trainers/` with a subclass of `Trainer` and one line in that folder's table. It knows the bower only as a
`Bench`, and never publishes: `publish.py` compares and decides.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, TypeVar

from bowerbird import table
from bowerbird.catalog import Catalog
from bowerbird.components.shelf import Artifact, Component, Shelf
from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.learn.groups import Group
from bowerbird.ledger import Ledger
from bowerbird.ports import LLM, Encoder, Trained, Vectors
from bowerbird.types import Scope, Turn

__all__ = [
    "Bench",
    "Bower",
    "Fit",
    "Only",
    "Progress",
    "Scores",
    "Setting",
    "TooLittle",
    "Trainer",
    "chosen",
    "gain_at",
    "ranked_scores",
    "trainer_of",
]

Progress = Callable[[str, int, int], None]  # what is being done, how much is done, of how much (0 = unknown)
Scores = Mapping[str, Mapping[str, float]]  # kind -> query id -> score, higher is better
_NONE: Mapping[str, Any] = MappingProxyType({})
_T = TypeVar("_T")


class TooLittle(InvalidInput):
    """There is not enough to learn from; the message says how much is needed and what there is."""


class Bench(Protocol):
    """A bower as learning needs it; `bowerbird.Engine` is one."""

    def run(self, turns: Sequence[Turn], spec: str, *, trained: Trained | None = None, records: bool = False) -> Sequence[Turn]:
        """The turns through `spec`; `trained` stands in for what the bower has published, `records` looks the hits' records up."""
        ...

    def vectors(self, encoder: str, texts: Mapping[str, str], scope: Scope | str | None = None) -> Mapping[str, Vectors]:
        """Key -> the vector that is held of that record, of `texts` (key -> text) those whose record gives this text to encoders."""
        ...


class Bower(Bench, Protocol):
    """A bower as publishing needs it; `bowerbird.Engine` is one."""

    shelf: Shelf
    ledger: Ledger
    catalog: Catalog

    def reembed(
        self, encoder: str | Encoder | None, progress: Progress | None = None, also: Callable[[Any], None] | None = None
    ) -> int: ...


@dataclass(frozen=True, slots=True)
class Setting:
    """What a trainer works with. `seconds`: what it may take, as near as it can (None = until done). `folder`: for checkpoints, so
    that a run that was killed goes on; None = none are kept. `options`: settings of that trainer, checked by it."""

    bench: Bench
    encoder: Encoder | None
    llm: LLM | None = None
    seed: int = 0
    seconds: float | None = None
    folder: Path | None = None
    progress: Progress | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class Fit:
    """What came of training. `curve`: a row a look at the model, such as {"step": 20, "loss": 0.3, "dev": 0.71}; `about`: settings
    and counts for the card, plain JSON."""

    component: Component
    curve: tuple[Mapping[str, float], ...] = ()
    about: Mapping[str, Any] = field(default_factory=lambda: _NONE)


class Only:
    """Trained components where one name is decided: `component` serves everybody, None means that none does. The rest is as below."""

    def __init__(self, name: str, component: Any | None, below: Trained | None = None) -> None:
        self._name, self._component, self._below = name, component, below

    def component(self, name: str, scope: Scope) -> Any | None:
        if name == self._name:
            return self._component
        return None if self._below is None else self._below.component(name, scope)


class Trainer(ABC):
    """Makes one sort of component. `component`: its name in the table of components; `least`: training groups it cannot do without;
    `stages`: the specs that are judged, without and with the component; `stage`: the one that a pipeline has to name for it to serve,
    "" where it serves by itself; `advice`: what to do where there is too little."""

    component: ClassVar[str] = ""
    least: ClassVar[int] = 30
    stages: ClassVar[tuple[str, str]] = ("dense(k=10)", "dense(k=10)")
    stage: ClassVar[str] = ""
    advice: ClassVar[str] = "Note more outcomes (bowerbird feedback), or make queries: bowerbird learn synth"

    def usable(self, groups: Sequence[Group]) -> list[Group]:
        """The groups that it can learn from: here, those with a candidate that helps."""
        return [group for group in groups if group.positives]

    def check(self, groups: Sequence[Group]) -> None:
        """Raises `TooLittle` where the usable groups are too few."""
        usable = self.usable(groups)
        if len(usable) < self.least:
            raise TooLittle(
                f"{self.component} needs at least {self.least} training queries that it can learn from; there are {len(usable)} "
                f"(of {len(groups)} in all). {self.advice}"
            )

    @abstractmethod
    def fit(self, train: Sequence[Group], dev: Sequence[Group], setting: Setting) -> Fit:
        """A new component from `train`; `dev` decides when to stop. `check` has passed. Same groups and seed, same component."""

    def serve(self, bower: Bower, chosen: Artifact | None, scope: Scope, progress: Progress | None = None) -> None:
        """Let `chosen` serve `scope` from now on (None = none does), and do what that takes: here, nothing more than to say so on the
        shelf. Raises what forbids it."""
        bower.shelf.publish(self.component, chosen.version if chosen else 0, scope)

    def scores(self, groups: Sequence[Group], component: Any | None, setting: Setting) -> Scores:
        """How well each query is served by `component` (None = without one): nDCG@10 of the records known to help."""
        spec = self.stages[component is not None]
        return ranked_scores(setting.bench, [g for g in groups if g.positives], spec, Only(self.component, component))


def chosen(defaults: _T, given: Mapping[str, Any]) -> _T:
    """A trainer's options (a frozen dataclass of whole numbers, numbers and texts, none below 0) with those that were `given` put in.

    Raises `UnknownName` for an option that there is not, `InvalidInput` for a value of another type.
    """
    known = {f.name: getattr(defaults, f.name) for f in fields(defaults)}  # type: ignore[arg-type]
    for name, value in given.items():
        if name not in known:
            raise UnknownName("option", name, known)
        wanted = (int, float) if isinstance(known[name], float) else (type(known[name]),)
        if (
            not isinstance(value, wanted)
            or (isinstance(value, bool) and bool not in wanted)
            or (isinstance(value, (int, float)) and value < 0)
        ):
            raise InvalidInput(f"Option {name}={value!r} must be a {wanted[-1].__name__}, 0 or more; the default is {known[name]!r}.")
    return replace(defaults, **given)  # type: ignore[type-var]


def trainer_of(component: str) -> Trainer:
    """The trainer of a component; an unknown one raises `UnknownName`."""
    found: Trainer = table.load("trainers", component)()
    return found


def ranked_scores(bench: Bench, groups: Sequence[Group], spec: str, trained: Trained | None) -> Scores:
    """kind -> query id -> nDCG@10 of the hits of `spec` over the whole bower, each query for its group's kind and scope."""
    turns = [Turn(group.query, Scope.parse(group.scope), id=group.id, kinds=(group.kind,)) for group in groups]
    found: dict[str, dict[str, float]] = {}
    for group, turn in zip(groups, bench.run(turns, spec, trained=trained, records=True), strict=True):
        labels = {candidate.key: candidate.label for candidate in group.candidates}
        keys = [hit.record.key for hit in turn.hits if hit.record is not None]
        found.setdefault(group.kind, {})[group.id] = gain_at(10, [labels.get(key, 0.0) for key in keys], list(labels.values()))
    return found


def gain_at(k: int, ranked: Sequence[float], every: Sequence[float]) -> float:
    """nDCG@k (Järvelin and Kekäläinen 2002, linear gains) of the labels in ranked order; `every`: all labels that there are.
    Labels below 0 count as 0."""

    def discounted(labels: Sequence[float]) -> float:
        return math.fsum(max(0.0, label) / math.log2(place + 2) for place, label in enumerate(labels[:k]))

    best = discounted(sorted(every, reverse=True))
    return discounted(ranked) / best if best > 0 else 0.0
