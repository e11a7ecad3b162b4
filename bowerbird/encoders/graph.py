"""A converted model: its files in the cache, and the compiled graph that runs them on a CPU.

Imports OpenVINO and tokenizers only, and both only once a runner is made.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bowerbird.need import need
from bowerbird.ports import Vectors

__all__ = ["Graph", "Runner"]

_WINDOW = 2048  # texts tokenised at a time: bounds memory, and leaves enough texts of each length to batch
_BATCH_TOKENS = 1024  # more at a time is no faster and takes more memory
_KERNELS = {"CPU_RUNTIME_CACHE_CAPACITY": "100"}  # 5,000 by default: each length and batch size adds some, and none comes back before long


@dataclass(frozen=True, slots=True)
class Graph:
    """A converted model. `bf16` is the least cosine to torch that bfloat16 arithmetic gave here; None = not a native type."""

    folder: Path
    dim: int
    max_tokens: int
    inputs: tuple[str, ...]
    bf16: float | None

    @property
    def model(self) -> Path:
        return self.folder / "model.xml"

    @property
    def tokenizer(self) -> Path:
        return self.folder / "tokenizer.json"


class Runner:
    """A compiled graph and its tokenizer.

    Only texts with the same number of tokens share a batch. So nothing is padded, no time goes into padding, and a row
    is the same to the last bit whatever it is encoded with. Costs up to one small batch for each length that occurs.
    """

    def __init__(self, made: Graph, precision: str) -> None:
        tokenizers = need("tokenizers", "openvino")
        self.graph = made
        self.precision = precision
        self._core = need("openvino", "openvino").Core()
        self._tokenizer = tokenizers.Tokenizer.from_file(os.fspath(made.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(made.max_tokens)
        self._compiling = threading.Lock()
        self._idle: list[Any] = []  # requests for single texts; append and pop are atomic

    @functools.cached_property
    def _latency(self) -> Any:
        return self._compile("LATENCY")

    @functools.cached_property
    def _throughput(self) -> Any:
        return self._compile("THROUGHPUT")

    def _compile(self, hint: str) -> Any:
        settings = {"INFERENCE_PRECISION_HINT": self.precision, "PERFORMANCE_HINT": hint}
        if hint == "THROUGHPUT":
            with contextlib.suppress(RuntimeError):  # no documented setting: a version may lack it
                return self._core.compile_model(os.fspath(self.graph.model), "CPU", settings | _KERNELS)
        return self._core.compile_model(os.fspath(self.graph.model), "CPU", settings)

    def one(self, text: str) -> Vectors:
        """(1, dim): all cores on one text."""
        with self._compiling:
            compiled = self._latency
        try:
            request = self._idle.pop()  # another thread may take the last one between a look and a pop
        except IndexError:
            request = compiled.create_infer_request()
        request.infer(self._feed([self._tokenizer.encode(text).ids]), share_inputs=True)
        row = np.array(request.get_output_tensor(0).data, dtype=np.float32)
        self._idle.append(request)
        return row

    def many(self, texts: Sequence[str]) -> Vectors:
        """(n, dim): one core on each batch, as many batches at a time as there are cores."""
        rows = np.zeros((len(texts), self.graph.dim), dtype=np.float32)
        if not texts:
            return rows
        with self._compiling:
            compiled = self._throughput
        # Plain requests and not AsyncInferQueue, whose Python callbacks can wait for the interpreter lock that a
        # destructor holds while it waits for them. Two for each core, so that a core never waits for the next batch.
        requests = [compiled.create_infer_request() for _ in range(2 * compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))]
        running: deque[tuple[Any, NDArray[np.intp]]] = deque()
        for start in range(0, len(texts), _WINDOW):
            tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts[start : start + _WINDOW]))]
            for places in _batches([len(ids) for ids in tokens]):
                request = requests.pop() if requests else _collect(running, rows)
                request.start_async(self._feed([tokens[i] for i in places]))
                running.append((request, start + places))
        while running:
            _collect(running, rows)
        return rows

    def _feed(self, ids: Sequence[Sequence[int]]) -> dict[str, NDArray[np.int64]]:
        numbers = np.array(ids, dtype=np.int64)
        given = {"input_ids": numbers, "attention_mask": np.ones_like(numbers), "token_type_ids": np.zeros_like(numbers)}
        return {name: given[name] for name in self.graph.inputs}


def _collect(running: deque[tuple[Any, NDArray[np.intp]]], rows: Vectors) -> Any:
    """Wait for the oldest request, put its rows in their places, and return it for the next batch."""
    request, places = running.popleft()
    request.wait()
    rows[places] = request.get_output_tensor(0).data
    return request


def _batches(lengths: Sequence[int]) -> list[NDArray[np.intp]]:
    """Places of texts of equal length, the longest first so that no core is left with a long one at the end."""
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for place, length in enumerate(lengths):
        by_length[length].append(place)
    batches = []
    for length in sorted(by_length, reverse=True):
        places, size = by_length[length], max(1, _BATCH_TOKENS // max(1, length))
        batches += [np.array(places[i : i + size]) for i in range(0, len(places), size)]
    return batches
