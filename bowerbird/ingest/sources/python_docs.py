"""The documentation of this Python: its standard library and installed packages as passages (docstrings) and tools (functions).

Sources are parsed, never imported: installed code may do anything when it runs. Only those modules of the standard
library that are written in C and have no source (`math`, `itertools`, …) are imported, and asked for their docstrings.

`limit` bounds the records and is shared out. Half of it is for the modules that people ask about every day (`EVERYDAY`),
a quarter for the rest of the standard library, a quarter for installed packages; what one does not need the next may
have. Within a share every module gets as many as it has, up to the largest common cap that fits. Of a module come first
its docstring, then its functions, its classes, then methods. What has no docstring is left out, as is what begins with
`_`, unless the package gives it out under its own name. It does not know documentation that lives outside of docstrings.

Cost on two shared cores: 0.4 s to list 300 modules (all that an unchanged re-run costs), 4 s to read 4,000 records.
"""

from __future__ import annotations

import functools
import hashlib
import platform
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, Literal

from bowerbird.errors import InvalidInput, UnknownName
from bowerbird.ingest.source import Failure, Unit, as_record
from bowerbird.ingest.sources.docstrings import Said, of_module, of_source
from bowerbird.types import Record

__all__ = ["PythonDocs"]

LARGEST = 2 * 2**20  # bytes of a source file; larger ones are generated tables
SHARES = (1 / 2, 3 / 4, 1)  # of the limit: up to where everyday modules, the rest of the standard library and packages may go
FILES = 40  # source files of one package that are looked at, those nearest to its top first
_NAMES = re.compile(r"\w+")
# What most programs use; a judgement, in no other way special.
EVERYDAY = frozenset(
    _NAMES.findall(
        "argparse asyncio base64 bisect builtins calendar collections concurrent contextlib csv dataclasses datetime difflib enum "
        "fractions functools glob gzip hashlib heapq html io itertools json logging math os pathlib pickle random re secrets shutil socket "
        "sqlite3 statistics string struct subprocess sys tempfile textwrap threading time timeit tomllib urllib uuid zipfile zoneinfo"
    )
)
# No documentation, or none that anybody should be led to: tests, copies, modules that Python 3.13 removed (PEP 594).
NOT_DOCS = frozenset(
    _NAMES.findall(
        "test tests testing idlelib turtledemo lib2to3 ensurepip antigravity this _vendor vendor distutils posix nt sre_compile "
        "sre_constants sre_parse aifc audioop cgi cgitb chunk crypt imghdr mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd sunau "
        "telnetlib uu xdrlib"
    )
)
# Written in C behind a thin module of Python: asked as well as parsed. `os` gives out the functions of posix or nt.
IN_C = frozenset(
    _NAMES.findall(
        "bisect collections contextvars csv datetime decimal functools hashlib heapq io operator os pickle random signal socket sqlite3 "
        "struct zoneinfo"
    )
)


@dataclass(frozen=True, slots=True)
class _Module:
    """Something importable: a module or a package, the files it is made of (none = written in C) and its version."""

    name: str
    files: tuple[Path, ...]
    version: str
    stamp: str
    most: int  # about how many records it has, estimated without parsing; it never gives more
    share: int  # which of `SHARES`


class PythonDocs:
    """`thing`: names of modules and packages (default: the public standard library, then every installed package).

    `kind`: "passage" or "tool" for those alone. Keys: `doc:json.JSONDecoder` (`/2`, `/3`, … for further pieces of a long
    docstring) and `py:json.loads`.
    """

    def __init__(
        self,
        thing: str | Iterable[str] | None = None,
        *,
        kind: Literal["passage", "tool"] | None = None,
        mapping: None = None,
        limit: int = 6000,
    ) -> None:
        if kind not in (None, "passage", "tool"):
            raise UnknownName("kind of Python documentation", kind, ("passage", "tool"))
        if mapping:
            raise InvalidInput("Python documentation has no columns, so it takes no mapping.")
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise InvalidInput(f"limit is the largest number of records, at least 1; got {limit!r}.")
        self._wanted = None if thing is None else sorted({thing} if isinstance(thing, str) else set(thing))
        self._kind, self._limit = kind, limit
        self.id = f"python_docs:{sys.prefix}:{','.join(self._wanted or ())}"

    def units(self) -> Iterator[Unit]:
        """One unit a module or package. An unknown name raises `UnknownName`."""
        modules = list(_modules(self._wanted))
        spent, caps = 0, []
        for number, share in enumerate(SHARES):
            sizes = [module.most for module in modules if module.share == number]
            later = any(module.share > number for module in modules)
            caps.append(_cap(sizes, (int(self._limit * share) if later else self._limit) - spent))
            spent += sum(min(size, caps[-1]) for size in sizes)
        for module in modules:
            quota = min(module.most, caps[module.share])
            yield Unit(module.name, f"{module.stamp}:{quota}:{self._kind or ''}", functools.partial(self._read, module, quota))

    def _read(self, module: _Module, quota: int) -> Iterator[Record | Failure]:
        said: list[Said] = []
        for dotted, read in _parts(module):
            if module.share == 2 and len(said) >= quota:
                break  # most of a large package would be parsed in vain
            try:
                known = {one.name for one in said}
                said += [one for one in read() if one.name not in known]
            except (ImportError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
                yield Failure(dotted, f"of {module.name} {module.version} cannot be read: {type(error).__name__}: {error}.")
        number: dict[str, int] = {}
        for one in sorted(said, key=lambda said: said.rank):
            if quota > 0 and self._kind in (None, one.sort):
                key = f"{'py' if one.sort == 'tool' else 'doc'}:{one.name}"
                number[key] = piece = number.get(key, 0) + 1
                if piece == 1 or one.sort == "passage":  # a function that is defined twice (by platform) counts once
                    quota -= 1
                    yield _record(one, key if piece == 1 else f"{key}/{piece}", module)


def _record(said: Said, key: str, module: _Module) -> Record:
    about: dict[str, Any] = {"module": module.name, "version": module.version}
    if said.sort == "tool":
        about |= {"name": said.name, "server": "python"} | ({} if said.signature is None else {"signature": said.signature})
    else:
        about |= {"title": said.name, "lang": "en"}
    return as_record({"key": key, "kind": said.sort, "text": said.text, "fields": about})


def _parts(module: _Module) -> Iterator[tuple[str, Callable[[], list[Said]]]]:
    """The pieces of a module that can be read, in order: its dotted name and how."""
    package = bool(module.files) and module.files[0].name == "__init__.py"
    given: dict[Path, frozenset[str] | None] = {}  # what a package gives out under its own name, by the file that defines it

    def parse(path: Path, dotted: str) -> list[Said]:
        said, out = of_source(path, dotted)
        for name, names in out.items():
            sibling = path.parent / f"{name}.py"
            if not name.startswith("_"):
                given[sibling] = names
            elif sibling.is_file():
                said += [one for one in of_source(sibling, dotted, names)[0] if one.rank > 0]
        if path in given:
            outer, names = dotted.rpartition(".")[0], given[path]
            for place, one in enumerate(said):
                own = one.name[len(dotted) + 1 :]
                if own and (names is None or own.split(".", 1)[0] in names):
                    said[place] = replace(one, name=f"{outer}.{own}")
        return said

    for path in module.files:
        if path.stat().st_size <= LARGEST:
            inner = path.relative_to(module.files[0].parent).with_suffix("").parts if package else ()
            dotted = ".".join([module.name, *(part for part in inner if part != "__init__")])
            yield dotted, functools.partial(parse, path, dotted)
    if not module.files or module.name in IN_C:
        yield module.name, functools.partial(of_module, module.name)


def _cap(sizes: list[int], limit: int) -> int:
    """The largest cap with sum(min(size, cap)) <= limit (0 when even one record each is too many)."""
    left, waiting = limit, sorted(sizes)
    for place, size in enumerate(waiting):
        share = left // (len(waiting) - place)
        if size > share:
            return share
        left -= size
    return max(sizes, default=0)


# --- which modules there are ------------------------------------------------------------------------------------------


def _modules(wanted: list[str] | None) -> Iterator[_Module]:
    standard = {name for name in sys.stdlib_module_names if not name.startswith("_") and name not in NOT_DOCS}
    installed = _installed()
    if wanted is None:
        chosen = [*sorted(standard), *sorted(installed.keys() - standard)]
    else:
        for name in wanted:
            if name not in standard and name not in installed:
                raise UnknownName("module or installed package", name, standard | installed.keys())
        chosen = wanted
    folder = Path(sysconfig.get_path("stdlib"))
    python = platform.python_version()
    for name in chosen:
        if name in standard:
            files = _files(folder / name) if (folder / name).is_dir() else [path for path in (folder / f"{name}.py",) if path.is_file()]
            if files:
                yield _sized(name, files, python, 0 if name in EVERYDAY else 1)
            elif name in sys.builtin_module_names or any(folder.glob(f"lib-dynload/{name}.*")):
                yield _Module(name, (), python, f"python {python}", 200, 0 if name in EVERYDAY else 1)
        else:
            files = _files(installed[name][0])
            if files:
                yield _sized(name, files, installed[name][1].version or "", 2)


def _installed() -> dict[str, tuple[Path, Distribution]]:
    """Top-level packages and modules of the installed distributions: name -> (folder or file, distribution)."""
    found: dict[str, tuple[Path, Distribution]] = {}
    for distribution in distributions():
        base = Path(str(distribution.locate_file("")))
        listed = (distribution.read_text("top_level.txt") or "").split()
        if not listed:
            tops = {str(path).split("/", 1)[0] for path in distribution.files or () if str(path).endswith(".py")}
            listed = sorted(top.removesuffix(".py") for top in tops)
        for name in listed:
            if name.isidentifier() and not name.startswith("_") and name not in NOT_DOCS:
                place = base / name if (base / name).is_dir() else base / f"{name}.py"
                if place.exists():
                    found.setdefault(name, (place, distribution))
    return found


def _files(place: Path) -> list[Path]:
    """The public source files of a package, those nearest to its top first."""
    if place.is_file():
        return [place]
    found: list[Path] = []
    level = [place]
    while level and len(found) < FILES:
        deeper: list[Path] = []
        for folder in level:
            entries = sorted(folder.iterdir(), key=lambda path: (path.name != "__init__.py", path.name))
            found += [
                path for path in entries if path.suffix == ".py" and (path.name == "__init__.py" or not path.name.startswith(("_", "test")))
            ]
            deeper += [
                path for path in entries if not path.name.startswith(("_", ".", "test")) and path.name not in NOT_DOCS and path.is_dir()
            ]
        level = deeper
    return found[:FILES]


def _sized(name: str, files: list[Path], version: str, share: int) -> _Module:
    most, stamps = 100 if name in IN_C else 0, []
    for path in files:
        facts = path.stat()
        stamps.append(f"{facts.st_size}:{facts.st_mtime_ns}")
        if facts.st_size <= LARGEST:
            # A docstring begins and ends with three quotes and makes one record, a long one several.
            most += 1 + path.read_bytes().count(b'"""') // 2 + facts.st_size // 20_000
    digest = hashlib.blake2b(" ".join(stamps).encode(), digest_size=8).hexdigest()
    return _Module(name, tuple(files), version, f"{version}:{digest}", most, share)
