"""Token counts that are remembered: the same records come back turn after turn, and counting is most of a composer's time.

Shared by all composers of the process and bounded. It trusts a counter's name: two counters of one class and one name
must count alike.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

from bowerbird.ports import TokenCounter

__all__ = ["Counts", "counts_of"]

_MOST = 32_768  # texts a counter: about 5 MB


class Counts:
    """Counts of the texts seen last, by digest; the texts themselves are not kept. Safe in threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, counter: TokenCounter, texts: Sequence[str]) -> list[int]:
        """Tokens of each text; one call for all that are not known."""
        names = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        with self._lock:
            found = {name: self._known[name] for name in names if name in self._known}
            for name in found:
                self._known.move_to_end(name)
        missing = {name: text for name, text in zip(names, texts, strict=True) if name not in found}
        if missing:
            fresh = dict(zip(missing, counter.count(list(missing.values())), strict=True))
            found |= fresh
            with self._lock:
                self._known.update(fresh)
                while len(self._known) > _MOST:
                    self._known.popitem(last=False)
        return [found[name] for name in names]


@functools.lru_cache(maxsize=16)
def _named(name: str) -> Counts:
    return Counts()


def counts_of(counter: TokenCounter) -> Counts:
    """The counts remembered for this counter."""
    return _named(f"{type(counter).__module__}.{type(counter).__qualname__}:{counter.name}")
