"""Times as people write them: 300s, 5m, 1h."""

from __future__ import annotations

import re

from bowerbird.errors import InvalidInput

__all__ = ["seconds_of"]


def seconds_of(option: str, text: str) -> float:
    """`"5m"` → 300.0; `option` is named in the error."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|)", text.strip())
    if not found:
        raise InvalidInput(f"{option} {text!r} is no time: write 300s, 5m or 1h.")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]
