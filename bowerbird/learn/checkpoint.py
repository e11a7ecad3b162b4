"""A checkpoint of a training run: weights, the optimiser's moments and where it stands, as safetensors and JSON, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bowerbird.need import need

__all__ = ["Checkpoint"]


class Checkpoint:
    """The one checkpoint of a run in `folder`. Nothing is unpickled. `of`: what tells a run from others; another run's is not taken up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, model: Any, optimizer: Any, best: Mapping[str, Any], told: Mapping[str, Any], of: str) -> None:
        """Keep it in place of the one before. A kill in between leaves one of the two."""
        tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in best.items()}
        for place, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{place}.{name}": value for name, value in state.items() if hasattr(value, "detach")}
        fresh = self._folder.with_name(self._folder.name + ".part")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        whole = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
        need("safetensors.torch", "local").save_file(whole, str(fresh / "tensors.safetensors"))
        (fresh / "state.json").write_text(json.dumps({"of": of, **told}), "utf-8")
        for path in fresh.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        before = self._folder.with_name(self._folder.name + ".old")
        if self._folder.exists():  # where a kill left only the one before, that stays until the new one is in its place
            shutil.rmtree(before, ignore_errors=True)
            self._folder.rename(before)
        fresh.rename(self._folder)
        shutil.rmtree(before, ignore_errors=True)

    def restore(self, model: Any, optimizer: Any, of: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Put model and optimiser back where they were: (the best weights, what was told); None where there is none of this run."""
        folder = next((f for f in (self._folder, self._folder.with_name(self._folder.name + ".old")) if (f / "state.json").exists()), None)
        if folder is None:
            return None
        told = json.loads((folder / "state.json").read_text("utf-8"))
        if told.pop("of", None) != of:
            return None
        tensors = need("safetensors.torch", "local").load_file(str(folder / "tensors.safetensors"))
        parts: dict[str, dict[str, Any]] = {"model": {}, "best": {}}
        moments: dict[int, dict[str, Any]] = {}
        for name, value in tensors.items():
            head, _, rest = name.partition(".")
            if head == "optimizer":
                place, _, what = rest.partition(".")
                moments.setdefault(int(place), {})[what] = value
            else:
                parts[head][rest] = value
        model.load_state_dict(parts["model"], strict=True)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        return parts["best"], told

    def clear(self) -> None:
        """What was trained is kept: the run need not go on."""
        for end in ("", ".old", ".part"):
            shutil.rmtree(self._folder.with_name(self._folder.name + end), ignore_errors=True)
