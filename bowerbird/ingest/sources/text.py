"""Plain text, and how bytes become text: byte order marks, UTF-8, then the likeliest encoding by charset-normalizer.

It does not know the language of a text, and a short one in an old 8-bit encoding can be taken for a sister encoding.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from bowerbird.errors import InvalidInput
from bowerbird.ingest.document import Document
from bowerbird.ingest.passages import DocumentFormat

__all__ = ["Text", "decode"]

_MARKS = (  # UTF-32 before UTF-16, whose mark its own begins with
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(
    r"(iso-?8859|windows-?\d|cp\d|latin|koi8|gbk|gb\d|big5|euc|shift|sjis|mac)", re.IGNORECASE
)  # what a file may claim to be in
_USUAL = ("cp1252", "cp1251", "cp1250", "shift_jis", "gb18030", "big5", "euc_kr")  # decides between equally likely ones
_SAMPLE = 64_000  # bytes from which an encoding is guessed
_CONTROL = {code: None for code in range(32) if code not in (9, 10, 11, 12, 13, 27)}


class Text(DocumentFormat):
    """Plain text. Paragraphs are parted by empty lines; there are no headings."""

    suffixes = (".txt", ".text", ".log", ".rst", ".org", ".adoc", ".tex", ".srt", ".vtt")

    def extract(self, path: Path, data: bytes) -> Document:
        """The whole file as one section."""
        return Document(decode(data, path))


def decode(data: bytes, path: Path, declared: str | None = None) -> str:
    """The text in `data`, without byte order mark and with "\\n" for every line end.

    `declared` is the encoding that the file itself states. Raises `InvalidInput` for binary data and for bytes that fit no encoding.
    """
    text = _decoded(data, path, declared)
    head = text[:8192]
    if "\x00" in text or len(head.translate(_CONTROL)) < 0.95 * len(head):
        raise InvalidInput(
            f"{str(path)!r} is binary, not text. Leave it out (.bowerignore), or save it as UTF-8 text if it is text in another encoding."
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes, path: Path, declared: str | None) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding)
            except UnicodeDecodeError as error:
                raise InvalidInput(
                    f"{str(path)!r} begins as {encoding.upper()} but byte {error.start + len(mark):,} breaks it: {error.reason}. "
                    "Save it as UTF-8."
                ) from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        broken = error
    if b"\x00" in data:
        raise InvalidInput(
            f"{str(path)!r} is binary (or UTF-16 without a byte order mark), not text. Leave it out (.bowerignore) or save it as UTF-8."
        )
    lenient = data.decode("utf-8", "replace")
    wrong = lenient.count("\ufffd")
    if sum(1 for character in lenient[:1_000_000] if character > "\x7f") - wrong > 3 * wrong:
        raise InvalidInput(
            f"{str(path)!r} is UTF-8 with {wrong:,} broken bytes, the first at byte {broken.start:,}: it is damaged or mixes encodings. "
            "Save it again as UTF-8."
        ) from broken
    likely = (
        declared
        if declared is not None and _DECLARED.match(declared)
        else _guess(data[max(0, broken.start - _SAMPLE // 2) : broken.start + _SAMPLE // 2])
    )
    if likely is not None:
        try:
            return data.decode(likely)
        except (LookupError, UnicodeDecodeError) as error:
            broken = error if isinstance(error, UnicodeDecodeError) else broken
    raise InvalidInput(
        f"{str(path)!r} is in an unknown encoding: byte {broken.start:,} (0x{data[broken.start]:02x}) is not UTF-8. Save it as UTF-8."
    ) from broken


def _guess(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    matches = from_bytes(sample)
    best = matches.best()
    if best is None:
        return None
    equal = [match.encoding for match in matches if match.chaos <= best.chaos and match.coherence >= best.coherence]
    return next((encoding for encoding in _USUAL if encoding in equal), best.encoding)
