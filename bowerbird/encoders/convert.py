"""From a sentence-transformers model to an OpenVINO graph in a cache folder, once for each set of weights.

The graph holds all of the model's own modules (transformer, pooling, projection, normalisation), traced from torch, so
nothing here knows what kind of model it is. A graph that does not give torch's vectors is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bowerbird.encoders.graph import Graph, Runner
from bowerbird.encoders.sentence_transformers import load, quiet, width
from bowerbird.encoders.weights import Weights, cache_dir
from bowerbird.errors import InvalidInput
from bowerbird.need import need

__all__ = ["FAITHFUL", "converted"]

FAITHFUL = 0.9999  # the least cosine to torch's vectors that still counts as the same vector
_FORMAT = 1  # of the cache folder
_PROBES = [
    "bowerbird",
    "Does the satin bowerbird steal BLUE things from its neighbours' bowers?",
    "園丁鳥 · oiseau à berceau · 🐦",
    "def read(path: str) -> dict: return json.loads(open(path).read())  # raises on a bad file",
    "Male bowerbirds build and decorate a bower, and females choose among them by what they have gathered. " * 5,
    "0.05 mg/kg, n = 12; p < 0.001 (two-sided), 95% CI 1.2-3.4. " * 60,
]


def converted(found: Weights) -> Graph:
    """The graph of these weights from the cache, or converted now (some seconds; needs torch).

    Raises `InvalidInput` for a model that cannot be converted faithfully, `MissingExtra` when torch is needed and absent.
    """
    folder = cache_dir() / "openvino" / _key(found)
    if not (folder / "card.json").is_file():
        _convert(found, folder)
    card = json.loads((folder / "card.json").read_text())
    return Graph(folder, card["dim"], card["max_tokens"], tuple(card["inputs"]), card["bf16"])


def _key(found: Weights) -> str:
    """Name of the cache folder: weights, settings beside them, and the version that wrote it."""
    settings = hashlib.blake2b(digest_size=4)
    for path in sorted([*found.folder.glob("*.json"), *found.folder.glob("[0-9]*_*/*.json")]):
        settings.update(path.relative_to(found.folder).as_posix().encode() + b"\0" + path.read_bytes())
    version = need("openvino", "openvino").__version__.split("-")[0]
    return f"{found.name}-{found.digest[:16]}-{settings.hexdigest()}-{version}-{_FORMAT}"


def _convert(found: Weights, folder: Path) -> None:
    model = load(found, device="cpu")
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise InvalidInput(f"{found.name} has no fast tokenizer, which OpenVINO needs here. Use the encoder 'sentence_transformers'.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed at the end: a process that dies half-way, or two at once, leave nothing half there.
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        inputs = _trace(model, aside)
        backend.save(str(aside / "tokenizer.json"))
        made = Graph(aside, width(model), int(model.max_seq_length), inputs, None)
        exact, bf16 = _compare(model, made)
        if exact < FAITHFUL:
            raise InvalidInput(
                f"{found.name} cannot be converted faithfully: cosine {exact:.6f} to torch's vectors, {FAITHFUL} needed. "
                f"Use the encoder 'sentence_transformers'."
            )
        card = asdict(made) | {"folder": folder.name, "bf16": bf16}
        (aside / "card.json").write_text(json.dumps(card, indent=1))
        try:
            aside.rename(folder)
        except OSError:
            if not (folder / "card.json").is_file():  # not another process that was faster, but a real failure
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)  # nothing is left of it after the rename


def _trace(model: Any, folder: Path) -> tuple[str, ...]:
    """Trace, save, and return the names of the graph's inputs."""
    torch, openvino = need("torch", "local"), need("openvino", "openvino")

    class Whole(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            if token_type_ids is not None:
                features["token_type_ids"] = token_type_ids
            return self.model(features)["sentence_embedding"]

    example = dict(model.tokenizer(["an example of some words", "another"], padding=True, return_tensors="pt"))
    unknown = set(example) - {"input_ids", "attention_mask", "token_type_ids"}
    if unknown:
        raise InvalidInput(f"The model wants {', '.join(sorted(unknown))}, which is not text. Use the encoder 'sentence_transformers'.")
    with quiet(), torch.no_grad():
        traced = openvino.convert_model(Whole().eval(), example_input=example)
    openvino.save_model(traced, os.fspath(folder / "model.xml"), compress_to_fp16=False)
    return tuple(example)


def _compare(model: Any, made: Graph) -> tuple[float, float | None]:
    """The least cosine between torch's vectors and the graph's over the probes: in float32, and in bfloat16 where it is native."""
    expected = model.encode(_PROBES, show_progress_bar=False, normalize_embeddings=True)

    def least(precision: str) -> float:
        return float((Runner(made, precision).many(_PROBES) * expected).sum(axis=1, dtype=np.float64).min())

    native = "BF16" in need("openvino", "openvino").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return least("f32"), least("bf16") if native else None
