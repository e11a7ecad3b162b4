"""Every error Bowerbird raises on purpose.

    BowerbirdError
    ├── InvalidInput        a value the caller gave cannot be used (TypeError/ValueError territory)
    │   ├── UnknownName     a kind, stage, setting or field that does not exist; carries the nearest one
    │   ├── SpecError       a spec string that does not parse
    │   └── KindChanged     a key that is already kept as another kind
    ├── ScopeMissing        a call that carries no scope: it gets no data
    ├── NotFound            no record, turn or source by that key in this scope
    ├── BudgetTooSmall      the pinned part alone is larger than the token budget
    ├── MissingExtra        an optional part is not installed; says the install command
    ├── ModelMissing        weights that are neither on a hub we can reach nor on this machine
    ├── CapabilityMissing   a stage needs a power that the bound part does not have
    ├── LLMError            an endpoint was down, slow or answered nonsense after its retries
    ├── StoreBusy           another process holds the index; says which one
    ├── StoreError          the index failed (it is derived: `bowerbird rebuild` restores it)
    ├── CatalogError        the catalog cannot be opened, is damaged, or the disk is full
    └── CatalogTooNew       written by a newer Bowerbird

Each message names what was given, what is known and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BowerbirdError",
    "BudgetTooSmall",
    "CapabilityMissing",
    "CatalogError",
    "CatalogTooNew",
    "InvalidInput",
    "KindChanged",
    "LLMError",
    "MissingExtra",
    "ModelMissing",
    "NotFound",
    "ScopeMissing",
    "SpecError",
    "StoreBusy",
    "StoreError",
    "UnknownName",
]


class BowerbirdError(Exception):
    """Root of all errors raised on purpose; catch this one to catch them all."""


class InvalidInput(BowerbirdError, ValueError):
    """A value the caller gave cannot be used."""


class UnknownName(InvalidInput):
    """`name` is no known `what`; the message offers the nearest known one."""

    def __init__(self, what: str, name: object, known: Iterable[str]) -> None:
        self.what, self.name, self.known = what, str(name), sorted(known)
        folded = {known.casefold(): known for known in self.known}
        near = difflib.get_close_matches(self.name.casefold(), folded, n=1, cutoff=0.5)
        hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
        listed = ", ".join(self.known) if self.known else "none"
        super().__init__(f"Unknown {what} {self.name!r}.{hint} Known: {listed}.")


class SpecError(InvalidInput):
    """A spec string that does not parse into a pipeline."""


class KindChanged(InvalidInput):
    """A key that is already kept as another kind."""


class ScopeMissing(BowerbirdError):
    """A call that carries no scope gets no data."""


class NotFound(BowerbirdError, LookupError):
    """Nothing by that name in this scope."""


class BudgetTooSmall(InvalidInput):
    """The pinned part alone is larger than the token budget."""


class MissingExtra(BowerbirdError, ImportError):
    """An optional part is not installed."""


class ModelMissing(BowerbirdError):
    """Weights that could not be found here or fetched."""


class CapabilityMissing(BowerbirdError):
    """A stage needs a power that the part bound to it does not have."""


class LLMError(BowerbirdError):
    """A language model failed after its retries."""


class StoreBusy(BowerbirdError):
    """Another process holds the index."""


class StoreError(BowerbirdError):
    """The derived index failed; the catalog is not touched by this."""


class CatalogError(BowerbirdError):
    """The catalog cannot be used."""


class CatalogTooNew(CatalogError):
    """The catalog was written by a newer Bowerbird."""
