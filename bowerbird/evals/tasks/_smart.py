"""The layout of the SMART collections: `.I number`, then sections `.T`, `.W` and so on. Knows no collection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bowerbird.evals.tasks._read import text

__all__ = ["entries"]


def entries(path: Path, tags: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(number, section letter -> text) of each entry. Only `tags` open a section, and each but once: a second `.W` is
    what a scanner left inside a text, and joins the section it stands in."""
    number, parts, current = "", dict[str, list[str]](), ""
    for line in text(path).splitlines():
        if line.startswith(".I "):
            if number:
                yield number, {tag: "\n".join(lines).strip() for tag, lines in parts.items()}
            number, parts, current = line[3:].strip(), {}, ""
        elif line.rstrip() in {f".{tag}" for tag in tags} and line[1] not in parts:
            current = line[1]
            parts[current] = []
        elif current and not (len(line.rstrip()) == 2 and line[0] == "." and line[1].isupper()):
            parts[current].append(line)
    if number:
        yield number, {tag: "\n".join(lines).strip() for tag, lines in parts.items()}
