"""Source code: Python by its syntax tree (classes, functions), other languages by blank lines and indentation.

Names, signatures and docstrings are in the text of a chunk because the text is the file itself. It resolves no imports and
draws no call graph.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path

from bowerbird.ingest.document import Document, Section
from bowerbird.ingest.passages import DocumentFormat
from bowerbird.ingest.sources.text import decode

__all__ = ["Code"]

_LANGUAGES = {
    "python": ".py .pyi .pyw", "javascript": ".js .jsx .mjs .cjs", "typescript": ".ts .tsx .mts", "c": ".c .h",
    "cpp": ".cc .cpp .cxx .hpp .hh", "csharp": ".cs", "java": ".java", "kotlin": ".kt .kts", "scala": ".scala", "go": ".go",
    "rust": ".rs", "ruby": ".rb", "php": ".php", "swift": ".swift", "r": ".r", "julia": ".jl", "lua": ".lua", "perl": ".pl .pm",
    "haskell": ".hs", "elixir": ".ex .exs", "erlang": ".erl", "clojure": ".clj", "ocaml": ".ml .mli", "fsharp": ".fs", "dart": ".dart",
    "zig": ".zig", "nim": ".nim", "shell": ".sh .bash .zsh .fish", "powershell": ".ps1", "sql": ".sql", "css": ".css .scss .less",
    "vue": ".vue", "svelte": ".svelte", "protobuf": ".proto", "graphql": ".graphql .gql", "terraform": ".tf", "toml": ".toml",
    "yaml": ".yaml .yml", "ini": ".ini .cfg .conf", "cmake": ".cmake", "cuda": ".cu .cuh", "objective-c": ".m .mm",
}  # fmt: skip
_BY_SUFFIX = {suffix: language for language, suffixes in _LANGUAGES.items() for suffix in suffixes.split()}
_WHOLE = 50  # lines up to which a class is one section


class Code(DocumentFormat):
    """Source code. `lang` of its records is the programming language; an empty file has no records and is no error."""

    suffixes = tuple(_BY_SUFFIX)
    may_be_empty = True

    def extract(self, path: Path, data: bytes) -> Document:
        """The file with one section for each function, method or small class; each section a block."""
        text = decode(data, path)
        language = _BY_SUFFIX.get(path.suffix.lower(), "")
        sections = _python(text) if language == "python" else ()
        blocks = tuple((part.start, part.end) for part in sections or (Section(0, len(text), 0),) if part.start < part.end)
        return Document(text, "", sections, blocks, {"lang": language} if language else {})


def _python(text: str) -> tuple[Section, ...]:
    """Sections of a Python file; () when it does not parse (by this Python): then blank lines must do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes and the like in other people's code
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    lines = [0]
    at = text.find("\n")
    while at >= 0:
        lines.append(at + 1)
        at = text.find("\n", at + 1)
    lines.append(len(text))
    opened: list[tuple[int, tuple[str, ...]]] = [(0, ())] if not tree.body else []
    last = 0
    for first, path in _definitions(tree.body, (), 1):
        start = lines[first - 1] if first > 1 else 0
        if not opened or start > last:
            opened.append((start, path))
            last = start
    ends = [start for start, _ in opened[1:]] + [len(text)]
    return tuple(Section(start, end, start, path) for (start, path), end in zip(opened, ends, strict=True))


def _definitions(body: list[ast.stmt], path: tuple[str, ...], first: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """(first line, path) of the sections of a body that begins at line `first`; comments above a definition belong to it."""
    at, outside = first, False
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            here = (*path, node.name)
            yield at, here
            end = node.end_lineno or node.lineno
            if isinstance(node, ast.ClassDef) and end - node.lineno >= _WHOLE:
                inner = [child for child in node.body if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))]
                if inner:
                    before = [child for child in node.body if child.lineno < inner[0].lineno]
                    top = (before[-1].end_lineno or before[-1].lineno) + 1 if before else _above(inner[0])
                    yield from _definitions(node.body[len(before) :], here, top)
            at, outside = end + 1, False
        else:
            if not outside:
                yield at, path
            outside = True
            at = (node.end_lineno or node.lineno) + 1


def _above(node: ast.stmt) -> int:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return node.lineno
