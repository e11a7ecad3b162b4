"""What every encoder asks of its input before it looks at a word: that it is a list of strings, well formed and not endless."""

from __future__ import annotations

from collections.abc import Sequence

from bowerbird.errors import InvalidInput

__all__ = ["CHARS_PER_TOKEN", "checked"]

# A model reads a few hundred tokens; cutting a text at this many characters a token spares tokenising a megabyte to keep
# a kilobyte. Text with longer tokens than this is no language, and every dense encoder cuts it at the same place.
CHARS_PER_TOKEN = 100


def checked(texts: Sequence[str], longest: int | None = None) -> list[str]:
    """`texts` cut to `longest` characters, halves of surrogate pairs replaced by U+FFFD. Anything but strings: `InvalidInput`."""
    if isinstance(texts, str):
        raise InvalidInput(f"A list of texts is needed, not one text: encode([{texts[:40]!r}]).")
    good = []
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidInput(f"Text {place} is no string but {type(text).__name__} {text!r:.80}.")
        if longest is not None:
            text = text[:longest]
        if not text.isascii():
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        good.append(text)
    return good
