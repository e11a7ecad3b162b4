"""Files and folders as sources: which files there are, whether one has changed, and which format reads it.

Listing costs one directory scan and no file is opened, except those without a known suffix, whose first bytes say whether they
are text. It does not watch for changes and does not look into archives.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bowerbird import table
from bowerbird.errors import InvalidInput
from bowerbird.ingest.chunk import Chunker
from bowerbird.ingest.ignore import Ignore
from bowerbird.ingest.passages import LIMIT, DocumentFormat
from bowerbird.ingest.source import Failure, Format, Unit, format_of
from bowerbird.types import Record

__all__ = ["File", "Folder"]

_SKIPPED = frozenset({"node_modules", "__pycache__", "__MACOSX", "venv"})
_BINARY_WORDS = (
    ".png .jpg .jpeg .gif .bmp .ico .webp .tif .tiff .avif .heic .psd .mp3 .wav .flac .ogg .m4a .mp4 .avi .mov .mkv .webm "
    ".zip .gz .bz2 .xz .zst .7z .rar .tar .tgz .jar .whl .egg .so .dll .dylib .a .o .obj .lib .exe .bin .class .pyc .pyo .pyd "
    ".wasm .ttf .otf .woff .woff2 .eot .xls .xlsx .ppt .pptx .doc .odt .ods .odp .db .sqlite .sqlite3 .npy .npz .pkl .pickle "
    ".pt .pth .onnx .safetensors .gguf .h5 .hdf5 .arrow .feather .iso .dmg .deb .rpm .apk .lock .map "
)
_BINARY = frozenset(_BINARY_WORDS.split())


class _Readers:
    """One reader a format, made when first needed."""

    def __init__(self, kind: str | None, mapping: Mapping[str, str] | None, chunker: Chunker | None, limit: int) -> None:
        self._settings = (kind, mapping, chunker, limit)
        self._made: dict[str, tuple[Format, str]] = {}

    def __call__(self, name: str, strict: bool) -> tuple[Format, str]:
        """The reader of format `name` and a fingerprint of its settings. `strict`: a mapping that does not fit is an error."""
        if name not in self._made:
            kind, mapping, chunker, limit = self._settings
            row = table.load("sources", name)
            if issubclass(row, DocumentFormat):
                reader: Format = row(kind=kind, mapping=mapping if strict else None, chunker=chunker, limit=limit)
                settings = f"{reader!r} {limit}"
            elif hasattr(row, "suffixes"):
                reader = row(kind=kind, mapping=mapping)
                settings = f"{name} {getattr(row, 'version', 1)} {kind} {sorted((mapping or {}).items())}"
            else:
                raise InvalidInput(f"{name!r} does not read files; give it what it takes with open_source(thing, format={name!r}).")
            self._made[name] = (reader, hashlib.blake2b(settings.encode(), digest_size=6).hexdigest())
        return self._made[name]

    def unit(self, path: str, name: str, key: str, format: str, stat: os.stat_result, strict: bool) -> Unit:
        reader, settings = self(format, strict)
        return Unit(name, f"{stat.st_size}-{stat.st_mtime_ns}-{settings}", _reading(reader, Path(path), key))


def _reading(reader: Format, path: Path, key: str) -> Callable[[], Iterator[Record | Failure]]:
    return lambda: reader.read(path, key)


class File:
    """One file. Keys begin with its name. `format` (a name of the table) is needed only where the suffix does not tell."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        kind: str | None = None,
        format: str | None = None,
        mapping: Mapping[str, str] | None = None,
        chunker: Chunker | None = None,
        limit: int = LIMIT,
    ) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        suffix = os.path.splitext(self.path)[1].lower()
        self._format = format or format_of(self.path)
        if self._format is None and suffix in _BINARY:
            raise InvalidInput(f"Nothing reads {suffix} files ({self.path!r}). Formats: {', '.join(sorted(table.names('sources')))}.")
        self._readers = _Readers(kind, mapping, chunker, limit)
        self._readers(self._format or "text", True)

    @property
    def id(self) -> str:
        return f"file:{_text(self.path)}"

    def units(self) -> Iterator[Unit]:
        """The file itself. Raises `OSError` when it is gone."""
        name = _text(os.path.basename(self.path))
        yield self._readers.unit(self.path, name, name, self._format or "text", os.stat(self.path), True)


class Folder:
    """All readable files below a folder, in the order of their names.

    Left out: hidden files and folders, node_modules, __pycache__, venv, binary files (by suffix, or by a NUL byte where the
    suffix says nothing), empty files without a known suffix, what `.bowerignore` at the top names (as in .gitignore), links
    to folders, and links that lead out of the folder. With `format`, only files that it claims are read, all of them by it.

    Unit names are relative paths with "/"; keys are `prefix` and that path, where `prefix` is by default the folder's own
    name, so that two folders with a README each do not collide. A folder that cannot be listed is a unit whose name ends with
    "/" and whose `read` raises: what was read from below it earlier should be kept.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        kind: str | None = None,
        format: str | None = None,
        mapping: Mapping[str, str] | None = None,
        chunker: Chunker | None = None,
        limit: int = LIMIT,
        prefix: str | None = None,
    ) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        self._format = None if format == "folder" else format
        self._prefix = _text(os.path.basename(self.path)) + "/" if prefix is None else prefix
        self._readers = _Readers(kind, mapping, chunker, limit)
        if self._format is not None:
            self._readers(self._format, True)

    @property
    def id(self) -> str:
        """With a format in it: reading the PDF files of a folder does not remove what its Markdown files gave."""
        return f"folder:{_text(self.path)}" + (f"?format={self._format}" if self._format else "")

    def units(self) -> Iterator[Unit]:
        """One unit a file. Raises `OSError` or `InvalidInput` when the folder itself cannot be listed."""
        if not os.path.isdir(self.path):
            raise InvalidInput(f"No folder at {self.path!r} any more. Give the path where it is now.")
        ignore = Ignore.read(Path(self.path) / ".bowerignore")
        real = os.path.realpath(self.path)
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(os.path.join(self.path, folder)) as scan:
                    entries = sorted(scan, key=lambda entry: entry.name)
            except OSError as error:
                if not folder:
                    raise
                yield Unit(_text(folder) + "/", "", _failing(error))
                continue
            below = []
            for entry in entries:
                relative = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name.startswith(".") or entry.name in _SKIPPED:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if not ignore.matches(relative, True):
                        below.append(relative)
                elif not ignore.matches(relative, False):
                    unit = self._unit(entry, relative, real)
                    if unit is not None:
                        yield unit
            waiting.extend(reversed(below))

    def _unit(self, entry: os.DirEntry[str], relative: str, real: str) -> Unit | None:
        try:
            if not entry.is_file():
                return None  # a pipe, a device, a link to a folder or to nothing
            stat = entry.stat()
        except OSError as error:
            return Unit(_text(relative), "", _failing(error))
        if entry.is_symlink() and os.path.commonpath([real, os.path.realpath(entry.path)]) != real:
            return None
        suffix = os.path.splitext(entry.name)[1].lower()
        if self._format is not None:
            claimed = self._readers(self._format, True)[0].suffixes
            if claimed and suffix not in claimed:
                return None
            chosen = self._format
        else:
            known = format_of(entry.name)
            if known is None and (stat.st_size == 0 or suffix in _BINARY or _sniffed_binary(entry.path)):
                return None
            chosen = known or "text"
        name = _text(relative)
        return self._readers.unit(entry.path, name, self._prefix + name, chosen, stat, self._format is not None)


def _failing(error: OSError) -> Callable[[], Iterator[Record | Failure]]:
    def read() -> Iterator[Record | Failure]:
        raise error

    return read


def _sniffed_binary(path: str) -> bool:
    """Whether the first bytes hold a NUL; a file that cannot be opened counts as text, so that reading it reports why."""
    try:
        with open(path, "rb") as file:
            head = file.read(2048)
    except OSError:
        return False
    return b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"))


def _text(path: str) -> str:
    """A path as text that any store can keep: bytes that are no UTF-8 are shown as replacement characters."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace(os.sep, "/")
