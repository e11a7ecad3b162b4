"""Numbers and settings of a component in a folder: `arrays.safetensors` and `settings.json`. Nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bowerbird.errors import InvalidInput
from bowerbird.need import need

__all__ = ["read", "write"]

Arrays = Mapping[str, NDArray[Any]]


def write(folder: Path, arrays: Arrays, settings: Mapping[str, Any]) -> None:
    """Write both files. Arrays must be finite numbers; settings plain JSON."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise InvalidInput(f"Array {name!r} holds numbers that are not finite: it is not kept.")
    folder.mkdir(parents=True, exist_ok=True)
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    need("safetensors.numpy", "local").save_file(whole, str(folder / "arrays.safetensors"))
    (folder / "settings.json").write_text(json.dumps(settings, indent=1, sort_keys=True, allow_nan=False) + "\n", "utf-8")


def read(folder: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Both files. Raises `InvalidInput` when they are missing or damaged."""
    try:
        arrays = need("safetensors.numpy", "local").load_file(str(folder / "arrays.safetensors"))
        settings = json.loads((folder / "settings.json").read_text("utf-8"))
        if not isinstance(settings, dict):
            raise ValueError("settings.json holds no settings.")
    except Exception as error:  # safetensors has no public class for what it raises
        if isinstance(error, ImportError):
            raise
        raise InvalidInput(f"{folder} holds no component that can be read: {error}") from error
    return arrays, settings
