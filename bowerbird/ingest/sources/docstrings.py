"""What Python code says of itself: docstrings and signatures, from parsed sources or, for modules written in C, from the module.

Parsing runs nothing of the code. It does not know names that are made at run time, nor documentation outside of docstrings.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["LONGEST", "Said", "of_module", "of_source", "pieces"]

LONGEST = 1200  # characters of a passage: about 300 tokens

_NO_CALLS = ("property", "cached_property", "overload")  # decorators of what is not called, or not implemented


@dataclass(frozen=True, slots=True)
class Said:
    """A docstring. `rank` orders what matters most first: 0 the module's own, 1 functions, 2 classes, 3 methods."""

    rank: int
    name: str
    sort: Literal["passage", "tool"]
    text: str
    signature: str | None = None


def of_source(path: Path, dotted: str, only: frozenset[str] | None = None) -> tuple[list[Said], dict[str, frozenset[str] | None]]:
    """What the file says under the name `dotted`; and, of a package's `__init__`, which names it gives out for which module beside it.

    There None stands for all of that module's names (`import *`). `only`: these names alone (else `__all__`, else all;
    never one that begins with an underscore). Raises SyntaxError, ValueError, RecursionError or MemoryError for what cannot be parsed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old escapes in other people's strings are no concern of ours
        tree = ast.parse(path.read_bytes())
    public = _all(tree) if only is None else only
    said = list(_passages(0, dotted, ast.get_docstring(tree))) if only is None else []
    for node in tree.body:
        name = getattr(node, "name", "_")
        if name.startswith("_") or (public is not None and name not in public):
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            said += _function(1, f"{dotted}.{name}", node, False)
        elif isinstance(node, ast.ClassDef):
            said += _passages(2, f"{dotted}.{name}", ast.get_docstring(node))
            for method in node.body:
                if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) and not method.name.startswith("_"):
                    said += _function(3, f"{dotted}.{name}.{method.name}", method, True)
    return said, _given_out(tree) if path.name == "__init__.py" else {}


def of_module(name: str) -> list[Said]:
    """What a module written in C says. It is imported: for modules of the standard library only. Raises ImportError."""
    module = importlib.import_module(name)
    said = list(_passages(0, name, inspect.getdoc(module)))
    for called, thing in sorted(vars(module).items()):
        if called.startswith("_"):
            continue
        if inspect.isclass(thing):
            if issubclass(thing, BaseException) and name != "builtins":
                continue
            said += _passages(2, f"{name}.{called}", thing.__doc__)
            for method, inner in sorted(vars(thing).items()):
                if not method.startswith("_") and (inspect.isroutine(inner) or isinstance(inner, (classmethod, staticmethod))):
                    said += _asked(3, f"{name}.{called}.{method}", getattr(thing, method))
        elif inspect.isroutine(thing):
            said += _asked(1, f"{name}.{called}", thing)
    return said


def pieces(doc: str) -> list[str]:
    """The docstring in pieces of at most `LONGEST` characters, cut between paragraphs, else between lines, else anywhere."""
    cut: list[str] = []
    for paragraph in re.split(r"\n\s*\n", doc.strip()):
        lines = [paragraph] if len(paragraph) <= LONGEST else paragraph.split("\n")
        glue = "\n\n"
        for line in lines:
            for start in range(0, len(line), LONGEST):
                piece = line[start : start + LONGEST]
                if cut and len(cut[-1]) + len(glue) + len(piece) <= LONGEST:
                    cut[-1] += glue + piece
                elif piece.strip():
                    cut.append(piece)
                glue = "\n"
    return [_clean(piece) for piece in cut]


def _passages(rank: int, name: str, doc: str | None) -> Iterator[Said]:
    for piece in pieces(inspect.cleandoc(doc)) if isinstance(doc, str) else ():
        yield Said(rank, name, "passage", piece)


def _function(rank: int, name: str, node: ast.FunctionDef | ast.AsyncFunctionDef, method: bool) -> Iterator[Said]:
    doc = ast.get_docstring(node)
    marks = {mark.id if isinstance(mark, ast.Name) else getattr(mark, "attr", "") for mark in node.decorator_list}
    if not doc or marks.intersection(_NO_CALLS) or marks.intersection(("setter", "deleter")):
        return
    arguments = node.args
    if method and "staticmethod" not in marks:
        arguments = copy.copy(arguments)
        if arguments.posonlyargs:
            arguments.posonlyargs = arguments.posonlyargs[1:]
        else:
            arguments.args = arguments.args[1:]
        # `def f(self=None)` would leave more defaults than arguments
        most = len(arguments.posonlyargs) + len(arguments.args)
        arguments.defaults = arguments.defaults[len(arguments.defaults) - min(most, len(arguments.defaults)) :]
    signature = f"({ast.unparse(arguments)})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")
    yield Said(rank, name, "tool", _first(doc), _short(signature))


def _asked(rank: int, name: str, function: object) -> Iterator[Said]:
    doc = inspect.getdoc(function)
    if not doc:
        return
    try:
        signature: str | None = _short(str(inspect.signature(function)))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        signature = None  # some functions in C tell nothing of their arguments
    yield Said(rank, name, "tool", _first(doc), signature)


def _first(doc: str) -> str:
    """The first paragraph on one line; of a bare call line ("max(a, b) -> value") the paragraph after it as well."""
    paragraphs = re.split(r"\n\s*\n", doc.strip(), maxsplit=2)
    wanted = paragraphs[:2] if re.fullmatch(r"[\w.]+\(.*\)(\s*->.*)?", paragraphs[0], re.DOTALL) else paragraphs[:1]
    return _short(_clean(" ".join(" ".join(wanted).split())))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # string literals may hold half a surrogate pair


def _all(tree: ast.Module) -> frozenset[str] | None:
    """The names in `__all__` when it is written out in one assignment."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            try:
                return frozenset(map(str, ast.literal_eval(node.value)))
            except (ValueError, TypeError):
                return None
    return None


def _given_out(tree: ast.Module) -> dict[str, frozenset[str] | None]:
    """`from .tasks import *` and `from ._parser import loads`: {"tasks": None, "_parser": {"loads"}}. Renamed names are left out."""
    found: dict[str, frozenset[str] | None] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module and "." not in node.module:
            names = frozenset(alias.name for alias in node.names if alias.asname in (None, alias.name))
            earlier = found.get(node.module, frozenset())
            found[node.module] = None if "*" in names or earlier is None else earlier | names
    return found
