"""Patterns of paths to leave out, as in .gitignore: `*`, `?`, `[a-z]`, `**`, a leading or inner `/` that anchors, a closing `/`
for folders, `!` to take back, `#` for comments. The last pattern that fits decides. Ignore files in sub-folders are not read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Ignore"]


@dataclass(frozen=True, slots=True)
class Ignore:
    """`rules`: (pattern, whether it takes back, whether it fits folders alone)."""

    rules: tuple[tuple[re.Pattern[str], bool, bool], ...] = ()

    @classmethod
    def read(cls, path: Path) -> Ignore:
        """The patterns in a file; none when there is no such file."""
        if not path.is_file():
            return cls()
        return cls.parse(path.read_text("utf-8", "replace").splitlines())

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Ignore:
        """The patterns of these lines."""
        rules = []
        for line in lines:
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            back = pattern.startswith("!")
            pattern = pattern.removeprefix("!").removeprefix("\\")
            folders = pattern.endswith("/")
            pattern = pattern.rstrip("/")
            if pattern:
                rules.append((re.compile(_translated(pattern), re.DOTALL), back, folders))
        return cls(tuple(rules))

    def matches(self, relative: str, folder: bool) -> bool:
        """Whether the path (relative, with "/") is to be left out. What lies in an ignored folder is not asked for."""
        ignored = False
        for pattern, back, folders in self.rules:
            if ignored == back and (folder or not folders) and pattern.fullmatch(relative):
                ignored = not back
        return ignored


def _translated(pattern: str) -> str:
    out = "" if "/" in pattern else "(?:.*/)?"
    pattern = pattern.lstrip("/")
    at = 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            out, at = out + ".*", at + 2
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        elif pattern[at] == "[" and (close := pattern.find("]", at + 2)) > 0:
            inside = pattern[at + 1 : close].replace("\\", "\\\\")
            negated = inside[:1] in ("!", "^")
            inside = inside[1:] if negated else inside
            out, at = out + ("[^/" if negated else "[") + inside.replace("[", "\\[").replace("^", "\\^") + "]", close + 1
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    return out
