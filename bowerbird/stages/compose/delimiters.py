"""Delimiters that retrieved text cannot forge, and retrieved text made harmless to show.

A block stands between `<data-NONCE [mark] kind, trust>` and `</data-NONCE>`. The nonce is an HMAC that only the holder of
the secret can make; and whatever looks like such a tag inside a text is broken, so that even a nonce that leaked forges
nothing. Chat-template marks (`<|im_start|>`, `<start_of_turn>`, `[INST]`) are broken too, because some tokenizers read
them as control tokens anywhere. Characters that a reader does not see are removed or made visible.

It does not know what a text means: an order to the model stays readable, as data. Only the rendering changes; spans always
count characters of the record's own text.
"""

from __future__ import annotations

import hashlib
import hmac
import re

__all__ = ["closing", "framed", "harmless", "nonce", "opening"]

_TAG = "data"
_REMOVED = [
    *range(0x80, 0xA0),  # C1 controls
    0x00AD,  # soft hyphen
    0x061C,
    0x180E,
    *range(0x200B, 0x200C),  # zero-width space; the joiners U+200C and U+200D are letters' and emojis' own
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),  # bidi embeddings and overrides
    *range(0x2060, 0x2070),  # word joiner, invisible operators, bidi isolates, deprecated format characters
    0xFEFF,
    *range(0xFFF9, 0xFFFC),  # interlinear annotation
    *range(0xD800, 0xE000),  # lone surrogates: no tokenizer can encode them
    *range(0xE0000, 0xE0080),  # tags: ASCII that nobody sees
    *range(0xE0100, 0xE01F0),  # variation selectors 17 to 256: bytes that nobody sees
]
_VISIBLE = {**{c: chr(0x2400 + c) for c in range(0x20) if c not in (0x09, 0x0A)}, 0x7F: "\u2421", 0x2028: "\n", 0x2029: "\n", 0x85: "\n"}
_TABLE: dict[int, str | None] = {**dict.fromkeys(_REMOVED), **_VISIBLE}
_LINES = re.compile("\r\n?")
_RUNS = re.compile("([\u200c\u200d\ufe00-\ufe0f])[\u200c\u200d\ufe00-\ufe0f]{2,}")  # no script and no emoji has three in a row
_JOIN = "[\\s\u200c\u200d\ufe00-\ufe0f\\\\]"
_OPEN = "[<\uff1c\u2039\u3008\u27e8\ufe64]"
_SLASH = "[/\uff0f\u2044\u2215\u29f8]?"
_D, _A, _T = "[d\uff44\u0501\u217e]", "[a\uff41\u0430\u0251\u03b1]", "[t\uff54\u0442\u03c4]"  # and what looks like them
_BREAKS = re.compile(
    rf"""{_OPEN}(?={_JOIN}*+{_SLASH}{_JOIN}*+{_D}{_JOIN}*+{_A}{_JOIN}*+{_T}{_JOIN}*+{_A}{_JOIN}*+[-\u2010-\u2015\u2212\uff0d\ufe58\ufe63])
       | <(?=[|\uff5c])
       | <(?=/?(?:start_of_turn|end_of_turn|bos|eos|pad|s|unk|mask)>)
       | <(?=<\s?/?SYS)
       | \[(?=/?INST\])""",
    re.IGNORECASE | re.VERBOSE,
)


def nonce(secret: bytes, scope: str, conversation: str) -> str:
    """6 hex digits, the same for all turns of a conversation: HMAC-SHA256(secret, scope and conversation)."""
    return hmac.new(secret, f"{scope}\x00{conversation}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:6]


def harmless(text: str) -> str:
    """`text` without unseen characters, and with everything that looks like a delimiter or a chat-template mark broken by a backslash."""
    if text.isascii() and "<" not in text and "[" not in text and text.replace("\n", " ").replace("\t", " ").isprintable():
        return text  # most texts; this look costs a tenth of a search for what is suspicious
    text = _LINES.sub("\n", text)
    if not (text.isascii() and text.isprintable()):
        text = _RUNS.sub(r"\1", text.translate(_TABLE))
    return _BREAKS.sub(lambda found: found[0] + "\\", text)


def opening(tag: str, mark: str, kind: str, trust: str) -> str:
    """`<data-3f9a1c [1] passage, untrusted>`"""
    return f"<{_TAG}-{tag} {mark} {kind}, {trust}>"


def closing(tag: str) -> str:
    """`</data-3f9a1c>`"""
    return f"</{_TAG}-{tag}>"


def framed(tag: str, mark: str, kind: str, trust: str, content: str) -> str:
    """A block as it stands in the context; `content` has been made harmless."""
    return f"{opening(tag, mark, kind, trust)}\n{content}\n{closing(tag)}"
