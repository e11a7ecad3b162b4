"""Optional imports: `need("torch", "local")` returns the module or says in one sentence what to install."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from bowerbird.errors import MissingExtra

__all__ = ["have", "need"]


def need(module: str, extra: str) -> ModuleType:
    """Import `module`, which the extra `extra` installs. Raises `MissingExtra` with the command when it is absent."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtra(
            f"{module!r} could not be imported ({error}). It comes with the extra {extra!r}: pip install 'bowerbird[{extra}]'"
        ) from error


def have(module: str) -> bool:
    """Whether `module` could be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
