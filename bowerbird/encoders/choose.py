"""Which dense encoder to use when somebody says "auto", or names one as `name` or `name:model`."""

from __future__ import annotations

from pathlib import Path

from bowerbird.errors import InvalidInput
from bowerbird.need import have
from bowerbird.ports import Encoder
from bowerbird.table import load

__all__ = ["HERE", "absolute", "choose", "movable"]

HERE = "{bower}"
"""Stands for a bower's own folder in the names that it remembers, so that one with an encoder that was trained in it may be moved."""


def choose(name: str | None = "auto") -> Encoder | None:
    """The encoder called `name`, not yet loaded.

    "auto" is openvino when that is installed, else sentence_transformers, else None; "auto:model" the same with another
    model. "none" and None are None: no dense vectors. Any dense encoder of the table `bowerbird.encoders` can be named,
    with the model (hub name or folder) after a colon: "openvino", "sentence_transformers:intfloat/e5-small-v2". Raises
    `UnknownName` with the nearest, `MissingExtra` when it is not installed. Two encoders of the same weights have
    the same id and make interchangeable vectors.
    """
    if name is None:
        return None
    part, _, model = name.partition(":")
    if part == "none":
        return None
    if part == "auto":
        if have("openvino") and have("tokenizers"):
            part = "openvino"
        elif have("sentence_transformers"):
            part = "sentence_transformers"
        else:
            return None
    made = load("encoders", part)
    if not hasattr(made, "encode"):
        raise InvalidInput(f"{part!r} makes no dense vectors. Name one that does: 'openvino', 'sentence_transformers' or 'auto'.")
    encoder: Encoder = made(model) if model else made()
    return encoder


def absolute(name: str, bower: Path | None = None) -> str:
    """`name` as it can be chosen from anywhere: a model that is a folder is named by its whole path, also one inside `bower`."""
    if bower is not None:
        name = name.replace(f":{HERE}/", f":{bower.resolve()}/")
    part, _, model = name.partition(":")
    folder = Path(model).expanduser()
    return f"{part}:{folder.resolve()}" if model and folder.is_dir() else name


def movable(name: str, bower: Path) -> str:
    """An absolute `name` as `bower` remembers it: what lies inside goes wherever the bower goes."""
    return name.replace(f":{bower.resolve()}/", f":{HERE}/")
