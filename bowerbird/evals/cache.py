"""Answers of a language model, kept by content: the same model asked the same with the same settings is asked once.

An answer with a number that is none (NaN, infinite) is given and not kept, so a model that was mended is asked anew. One SQLite
file. It knows nothing of what the calls are for; what a model costs is told as if it had been asked.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from bowerbird.errors import BowerbirdError, LLMError
from bowerbird.ports import LLM, Completion, LogLikelihood, Prompt

__all__ = ["Cached", "CachedScoring", "CallCache", "ModelFailed", "cached"]

_TOGETHER = 32  # calls whose answers are kept together, unless told otherwise: what the death of a model can cost


class ModelFailed(BowerbirdError):
    """The language model failed in the middle of a run. What was done is kept: the same command goes on from there."""


class CallCache:
    """Key to JSON in one file. Safe in threads, and for processes that share it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS calls (key BLOB PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Any]:
        """Those that are kept."""
        found = {}
        with self._lock:
            for key in keys:
                row = self._connection.execute("SELECT value FROM calls WHERE key = ?", (key,)).fetchone()
                if row is not None and _finite(value := json.loads(row[0])):
                    found[key] = value
        return found

    def put(self, rows: Iterable[tuple[bytes, Any]]) -> None:
        """Keep answers, in one transaction; those with a number that is none are left out."""
        kept = [(key, json.dumps(value)) for key, value in rows if _finite(value)]
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?)", kept)
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._connection.close()


class Cached:
    """`llm`, asked only what it was not asked before. A failure of its is a `ModelFailed`, which no stage takes for an answer.

    `watch` times the model, counting too: one that is read when it is first needed is read for that. `together`: calls that reach it
    at once, which a model that shares work among them likes to be many; `asked` and `kept` count the calls that went to it and that
    did not need to.
    """

    def __init__(self, llm: LLM, calls: CallCache, watch: AbstractContextManager[None] | None = None, *, together: int = _TOGETHER) -> None:
        self._llm, self._calls, self._watch, self._together = llm, calls, watch or nullcontext(), together
        self.asked = self.kept = 0

    @property
    def name(self) -> str:
        return self._llm.name

    @property
    def context_window(self) -> int:
        with self._watch:
            return self._llm.context_window

    @property
    def chat(self) -> bool:
        """Whether it takes messages as messages; False for a base model."""
        return bool(getattr(self._llm, "chat", True))

    @property
    def counter(self) -> Any:
        """What counts tokens for it."""
        return getattr(self._llm, "counter", None) or self._llm

    def count(self, texts: Sequence[str]) -> list[int]:
        """As the model counts."""
        with self._watch:
            return self._llm.count(texts)

    def complete(
        self, prompts: Sequence[Prompt], *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """As the model does, or as it did."""
        settings = ["complete", self.name, max_tokens, temperature, list(stop), seed]
        keys = [_key([*settings, [[m.role, m.content] for m in prompt.messages], prompt.text]) for prompt in prompts]

        def ask(places: Sequence[int]) -> list[Any]:
            said = self._llm.complete([prompts[i] for i in places], max_tokens=max_tokens, temperature=temperature, stop=stop, seed=seed)
            return [[one.text, one.prompt_tokens, one.completion_tokens, one.cost, one.finish] for one in said]

        return [Completion(*value) for value in self._answers(keys, ask)]

    def _answers(self, keys: Sequence[bytes], ask: Any) -> list[Any]:
        known = self._calls.get(keys)
        self.kept += sum(key in known for key in keys)
        fresh = list({key: place for place, key in enumerate(keys) if key not in known}.values())
        for start in range(0, len(fresh), self._together):
            places = fresh[start : start + self._together]
            try:
                with self._watch:
                    values = ask(places)
            except LLMError as error:
                raise ModelFailed(f"{self.name} failed: {error} What was done is kept; the same command goes on from there.") from error
            self.asked += len(places)
            rows = [(keys[place], value) for place, value in zip(places, values, strict=True)]
            self._calls.put(rows)
            known.update(rows)
        return [known[key] for key in keys]


class CachedScoring(Cached):
    """A model that also scores outputs."""

    _llm: Any

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[float, int]]:
        """As the model does, or as it did."""
        keys = [_key(["loglikelihood", self.name, prompt, output]) for prompt, output in pairs]

        def ask(places: Sequence[int]) -> list[Any]:
            return [list(score) for score in self._llm.loglikelihood([pairs[i] for i in places])]

        return [(float(total), int(tokens)) for total, tokens in self._answers(keys, ask)]


def cached(llm: LLM, calls: CallCache, watch: AbstractContextManager[None] | None = None, *, together: int = _TOGETHER) -> Cached:
    """`llm` behind the cache, with the powers that it has (of those that can be kept: completing and scoring)."""
    return (CachedScoring if isinstance(llm, LogLikelihood) else Cached)(llm, calls, watch, together=together)


def _finite(value: Iterable[Any]) -> bool:
    return all(math.isfinite(part) for part in value if isinstance(part, float))


def _key(parts: list[Any]) -> bytes:
    dumped = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(dumped.encode("utf-8", "surrogatepass"), digest_size=16).digest()
