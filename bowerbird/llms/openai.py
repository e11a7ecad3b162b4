"""Any endpoint that speaks OpenAI's chat API: OpenAI, vLLM, llama.cpp, Ollama, a gateway.

It knows nothing of the model behind the endpoint but what it is told: context window and prices are given, tokens are
counted from a tokenizer's file or estimated. No key ever stands in a message of this module.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from bowerbird.errors import InvalidInput, LLMError
from bowerbird.llms.tokens import EstimatedTokens, FileTokens, whole
from bowerbird.need import have
from bowerbird.ports import Completion, Prompt, TokenCounter

__all__ = ["OpenAILLM"]

T = TypeVar("T")

_PUBLIC = "https://api.openai.com/v1"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0  # seconds between tries: doubled each time, less up to a quarter of it
_RETRIED = frozenset({408, 409, 425, 429})  # and all from 500 on
_ADVICE = {
    400: "Is the prompt within the model's context window?",
    401: "Set OPENAI_API_KEY (or api_key) to a key that it accepts.",
    403: "The key may not use this model: take another key or model.",
    404: "Check the model's name and that the address ends where the API begins, as in http://host:8000/v1.",
}


class _Again(Exception):
    """A try that failed in a way that may pass; `pause` is what the endpoint asked for (seconds)."""

    def __init__(self, what: str, advice: str, pause: float = 0.0) -> None:
        self.what, self.advice, self.pause = what, advice, pause
        super().__init__(what)


class OpenAILLM:
    """A model behind an OpenAI-compatible endpoint: completion, chat, streaming.

    `base_url`: such as "http://localhost:8000/v1"; None = $OPENAI_BASE_URL, else OpenAI itself. `api_key`: None =
    $OPENAI_API_KEY; an endpoint given by `base_url` may do without. `timeout`: seconds of one try, whole answer included;
    a prompt's tries and the pauses between them together take at most `timeout * (retries + 1)`. `price_in`, `price_out`:
    dollars per million tokens. `tokenizer`: a tokenizer.json to count with. Prompts of one call run side by side, at most
    `max_concurrency` at a time. A plain text is sent as one user message. The seed is sent only when something is drawn.

    Retried: no connection, a try that ran out of time, 408, 409, 425, 429, 5xx, and answers that are no completion.
    Everything that goes wrong in the end is an `LLMError` that says where and what to do.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: int = 2,
        price_in: float = 0.0,
        price_out: float = 0.0,
        context_window: int = 8192,
        max_concurrency: int = 8,
        tokenizer: str | Path | None = None,
    ) -> None:
        if not model:
            raise InvalidInput("A model's name is needed, such as 'openai:gpt-4o-mini' or 'openai:llama3@http://localhost:11434/v1'.")
        for setting, value, least in (
            ("retries", retries, 0),
            ("max_concurrency", max_concurrency, 1),
            ("context_window", context_window, 1),
        ):
            if value < least:
                raise InvalidInput(f"{setting}={value!r}: at least {least}.")
        if not timeout > 0:
            raise InvalidInput(f"timeout={timeout!r}: seconds, more than 0.")
        url = base_url or os.environ.get("OPENAI_BASE_URL") or _PUBLIC
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput("base_url is no http address: give something like 'http://localhost:8000/v1'.")
        key = api_key or os.environ.get("OPENAI_API_KEY") or ""
        if not key and url == _PUBLIC:
            raise InvalidInput(f"Model {model!r} at {_PUBLIC} needs a key: set OPENAI_API_KEY, or base_url for an endpoint of your own.")
        self._model, self._timeout, self._retries = model, timeout, retries
        self._price_in, self._price_out = price_in, price_out
        self._context_window, self._max_concurrency = context_window, max_concurrency
        self._secrets = tuple(secret for secret in (key, parts.password, parts.query) if secret)
        self._where = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
        self._counter: TokenCounter = FileTokens(tokenizer) if tokenizer is not None else EstimatedTokens()
        self._library: Any = importlib.import_module("openai")
        self._client = self._library.OpenAI(api_key=key or "none", base_url=url, timeout=timeout, max_retries=0)
        # The client lets its transport's errors through while an answer is being read; which transport depends on its version.
        transports = [importlib.import_module(name) for name in ("httpx", "httpx2") if have(name)]
        self._broken = (OSError, *(module.HTTPError for module in transports))
        self._slow = (TimeoutError, *(module.TimeoutException for module in transports))
        self._failures = (_Again, self._library.OpenAIError, *self._broken)
        self._limit_name = "max_tokens"  # newer models of OpenAI's want "max_completion_tokens" and say so
        self._takes_temperature = True  # and some of them none

    def __repr__(self) -> str:
        return f"OpenAILLM({self._model!r}, base_url={self._where!r})"

    @property
    def name(self) -> str:
        return self._model

    @property
    def context_window(self) -> int:
        return self._context_window

    @property
    def counter(self) -> TokenCounter:
        """What counts the tokens; its name says whether it estimates."""
        return self._counter

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text by `tokenizer`, or estimated: see `EstimatedTokens`."""
        return self._counter.count(texts)

    def complete(
        self, prompts: Sequence[Prompt], *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = (), seed: int = 0
    ) -> list[Completion]:
        """One completion a prompt, in order. The first prompt that fails fails the call, and those not begun are not sent.
        An endpoint that reports no usage gets counted or estimated tokens."""
        bodies = [self._body(prompt, max_tokens, temperature, stop, seed) for prompt in prompts]
        if not bodies:
            return []
        over = threading.Event()
        pool = ThreadPoolExecutor(min(self._max_concurrency, len(bodies)), thread_name_prefix="llm")
        try:
            return list(pool.map(lambda prompt, body: self._answer(prompt, body, over), prompts, bodies))
        finally:  # after a failure the requests on their way are left to end by themselves, and none is tried again
            over.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def stream(
        self, prompt: Prompt, *, max_tokens: int, temperature: float = 0.0, stop: Sequence[str] = (), seed: int = 0
    ) -> Iterator[str]:
        """The completion piece by piece. Tries again only as long as nothing has been given; `timeout` bounds the wait for
        each piece. An answer that breaks off raises `LLMError` after the pieces that came."""
        body = self._body(prompt, max_tokens, temperature, stop, seed)
        first, rest = self._persist(lambda deadline: self._begun(body, deadline), threading.Event())
        try:
            yield from first
            yield from rest
        except self._failures as error:
            failed = self._understood(error)
            raise self._error(f"{failed.what} (in the middle of an answer)", failed.advice) from None
        finally:
            rest.close()

    # --- one request --------------------------------------------------------------------------------------------------

    def _body(self, prompt: Prompt, max_tokens: int, temperature: float, stop: Sequence[str], seed: int) -> dict[str, Any]:
        if max_tokens < 1:
            raise InvalidInput(f"max_tokens={max_tokens!r}: ask for at least one token.")
        messages = [message.as_dict() for message in prompt.messages] or [{"role": "user", "content": prompt.text}]
        for message in messages:  # half of a surrogate pair cannot be sent
            message["content"] = whole(message["content"])
        body: dict[str, Any] = {"model": self._model, "messages": messages, "max_tokens": max_tokens, "temperature": temperature}
        if stop:
            body["stop"] = list(stop)
        if temperature > 0:
            body["seed"] = seed
        return body

    def _answer(self, prompt: Prompt, body: dict[str, Any], over: threading.Event) -> Completion:
        if over.is_set():  # another prompt of the call has failed for good
            raise self._error("was not asked", "The call is over.")
        text, finish, usage = self._persist(lambda deadline: self._whole(body, deadline), over)
        read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if not isinstance(read, int):
            read = sum(self.count([prompt.text, *(message.content for message in prompt.messages)]))
        if not isinstance(written, int):
            written = self.count([text])[0]
        return Completion(text, read, written, (read * self._price_in + written * self._price_out) / 1e6, finish)

    def _whole(self, body: dict[str, Any], deadline: float) -> tuple[str, str, dict[str, Any]]:
        """(text, finish, usage) of one try. The answer is read as it comes, so that one that drips cannot outlast its try."""
        chat = self._client.with_options(timeout=self._left(deadline)).chat.completions
        received = bytearray()
        with chat.with_streaming_response.create(**self._sent(body)) as response:
            for chunk in response.iter_bytes():
                received += chunk
                self._left(deadline)
        try:
            answer = json.loads(received)
            choice = answer["choices"][0]
            text, finish = choice["message"].get("content"), choice.get("finish_reason") or "stop"
        except (ValueError, LookupError, TypeError, AttributeError):
            raise _nonsense(bytes(received[:200]).decode("utf-8", "replace")) from None
        if text is None and finish in ("length", "content_filter"):
            text = ""  # cut off before it said anything
        if not isinstance(text, str) or not isinstance(finish, str):
            raise _nonsense(f"a message with the content {text!r}")
        usage = answer.get("usage")
        return text, finish, usage if isinstance(usage, dict) else {}

    def _begun(self, body: dict[str, Any], deadline: float) -> tuple[list[str], Generator[str, None, None]]:
        """A stream that has given its first piece, or ended properly without one: (that piece, the pieces to come)."""
        pieces = self._pieces(body, deadline)
        return list(itertools.islice(pieces, 1)), pieces

    def _pieces(self, body: dict[str, Any], deadline: float) -> Generator[str, None, None]:
        chat, ended = self._client.with_options(timeout=self._left(deadline)).chat.completions, False
        try:
            with chat.create(**self._sent(body), stream=True) as chunks:
                for chunk in chunks:
                    for choice in (chunk.choices or ())[:1]:
                        ended = ended or choice.finish_reason is not None
                        if choice.delta is not None and choice.delta.content:
                            yield choice.delta.content
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _nonsense(f"{type(error).__name__}: {error}") from None
        if not ended:
            raise _Again("stopped without an end", "See its log.")

    def _sent(self, body: dict[str, Any]) -> dict[str, Any]:
        sent = {self._limit_name if name == "max_tokens" else name: value for name, value in body.items()}
        if not self._takes_temperature:
            del sent["temperature"]
        return sent

    # --- what can go wrong --------------------------------------------------------------------------------------------

    def _persist(self, attempt: Callable[[float], T], over: threading.Event) -> T:
        """Try until it works, the tries are used up, the time is, or the call is `over`."""
        end, tries = time.monotonic() + self._timeout * (self._retries + 1), 0
        while True:
            try:
                return attempt(min(time.monotonic() + self._timeout, end))
            except self._failures as error:
                if self._adapts(error):
                    continue
                failed = self._understood(error)
            tries += 1
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (tries - 1)) * (1 - random.random() / 4)
            pause = max(pause, failed.pause)
            if tries > self._retries or time.monotonic() + pause >= end or over.wait(pause):
                raise self._error(f"{failed.what} ({tries} {'try' if tries == 1 else 'tries'})", failed.advice)

    def _left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> _Again:
        return _Again(
            f"gave no whole answer within {self._timeout:g} s", "Raise timeout, lower max_tokens, or see whether it is overloaded."
        )

    def _adapts(self, error: Exception) -> bool:
        """Whether the endpoint refused a parameter that can be sent otherwise; from now on it is."""
        if not isinstance(error, self._library.BadRequestError):
            return False
        said = str(error.body or error)
        if "max_completion_tokens" in said and self._limit_name == "max_tokens":
            self._limit_name = "max_completion_tokens"
            return True
        if "temperature" in said and "support" in said and self._takes_temperature:
            self._takes_temperature = False
            return True
        return False

    def _understood(self, error: Exception) -> _Again:
        """What a failed try means. Raises `LLMError` for what will not pass, and an error of ours as it is."""
        library = self._library
        if isinstance(error, _Again):
            return error
        if isinstance(error, library.APIStatusError):
            status, said = error.status_code, _words(error.body if error.body else error.response.text)
            what = f"answered {status}: {said}"
            if status in _RETRIED or status >= 500:
                advice = "Ask less often, or lower max_concurrency." if status == 429 else "See its log; it may be overloaded."
                return _Again(what, advice, _seconds(error.response.headers.get("retry-after")))
            raise self._error(what, _ADVICE.get(status, "See what it says of the request.")) from None
        if isinstance(error, (library.APITimeoutError, *self._slow)):
            return self._late()
        if isinstance(error, (library.APIConnectionError, *self._broken)):
            reason = _words(error.__cause__ or error)
            return _Again(f"cannot be reached, or broke off: {reason}", "Is it running, and is the address right?")
        if isinstance(error, library.APIError):
            return _Again(f"reported an error: {_words(error)}", "See its log.")
        raise error

    def _error(self, what: str, advice: str) -> LLMError:
        text = f"Model {self._model!r} at {self._where} {what}. {advice}"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return LLMError(text)


def _nonsense(got: str) -> _Again:
    return _Again(
        f"answered what is no chat completion: {_words(got)}", "Does the address end where the API begins, as in http://host:8000/v1?"
    )


def _words(value: object) -> str:
    """The beginning of what somebody said, on one line."""
    if isinstance(value, dict):
        value = value.get("message") or value
    line = " ".join(str(value).split())
    return (line if len(line) <= 200 else f"{line[:200]}…") or "nothing"


def _seconds(header: str | None) -> float:
    """A Retry-After header in seconds; its rarer form, a date, counts as none."""
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0
