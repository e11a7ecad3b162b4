"""What every command shares: the common options, the bower they lead to, one way to speak and one way to fail.

A command is a function whose first argument is a `Call` and which returns an `Out`. With --json the data of the `Out` is the
one thing on stdout; without, what is to be shown. Progress, notes and errors go to stderr. It knows no command.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from bowerbird import errors

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from bowerbird.engine import Engine
    from bowerbird.index import Progress
    from bowerbird.ports import LLM, Encoder

__all__ = ["EXIT_CODES", "HOME", "Call", "Out", "code_of", "command", "complain"]

HOME = Path("my.bower")
_BUG, _PIPE = 70, 141

EXIT_CODES: tuple[tuple[int, str, tuple[type[Exception], ...]], ...] = (
    (0, "done", ()),
    (1, "done in part: some inputs failed, or a check found something", ()),
    (2, "wrong usage or bad input", (errors.InvalidInput, errors.ScopeMissing)),
    (3, "not found, or nothing found", (errors.NotFound,)),
    (4, "another process holds the index", (errors.StoreBusy,)),
    (5, "a part is not installed", (errors.MissingExtra, errors.ModelMissing, errors.CapabilityMissing)),
    (6, "a part failed: model, index, catalog or disk", (errors.BowerbirdError, OSError)),
    (_BUG, "a fault in Bowerbird itself", ()),
    (130, "interrupted", ()),
)


@dataclass(frozen=True, slots=True)
class Out:
    """What a command has to say: `data` for --json, `shown` for people (built when wanted), and the exit code."""

    data: Mapping[str, Any]
    shown: Callable[[], Iterable[RenderableType]] = tuple
    code: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """The common options as given; None = what the bower was made with, or the default."""

    bower: Path = HOME
    scope: str | None = None
    encoder: str | None = None
    llm: str | None = None
    store: str | None = None
    json: bool = False
    debug: bool = False

    @contextlib.contextmanager
    def engine(self, *, create: bool = False, part: Encoder | None = None, model: LLM | None = None) -> Iterator[Engine]:
        """The bower, open. What it was made with (`remember`) counts where nothing is given; `create` makes a missing one.

        `part` and `model` are an encoder and a language model that are made already.
        """
        from bowerbird.engine import Engine
        from bowerbird.types import Scope

        fresh = not (self.bower.expanduser() / "catalog.db").exists()
        made = {} if fresh else self.remembered()
        store = self.store or made.get("store") or "edge"
        with Engine(self.bower, encoder=part or self.encoder or "own", llm=model or self._llm(), store=store, create=create) as engine:
            if fresh:
                self.remember(engine)
            engine.scope = Scope.parse(self.scope or made.get("scope") or "local")
            yield engine

    def remembered(self) -> dict[str, str]:
        """What the bower was made with: scope, encoder and store, as far as they were given."""
        from bowerbird.catalog import Catalog
        from bowerbird.database.database import Database

        database = Database(self.bower.expanduser() / "catalog.db")
        try:
            facts = {name: Catalog(database).fact(name) for name in ("scope", "encoder", "store")}
        finally:
            database.close()
        return {name: value for name, value in facts.items() if value}

    def remember(self, engine: Engine) -> None:
        """Keep the options that are given as those of this bower."""
        from bowerbird.encoders.choose import absolute

        encoder = absolute(self.encoder) if self.encoder else None
        for name, value in (("scope", self.scope), ("encoder", encoder), ("store", self.store)):
            if value:
                engine.catalog.set_fact(name, value)

    def _llm(self) -> LLM | None:
        from bowerbird.llms.choose import choose

        return choose(self.llm, on_progress=self.note) if self.llm and self.llm != "auto" else None

    # --- speaking -----------------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """One line for people, on stderr."""
        print(clean(text), file=sys.stderr, flush=True)

    def show(self, things: Iterable[RenderableType]) -> None:
        """For people, on stdout; nothing with --json."""
        if not self.json:
            console = console_for(sys.stdout)
            for thing in things:
                console.print(thing)

    @contextlib.contextmanager
    def progress(self, what: str, total: int = 0) -> Iterator[Progress]:
        """A bar on stderr while it lasts, if that is a terminal. Gives the callback that `Engine.add` and `rebuild` take."""
        console = console_for(sys.stderr)
        if not console.is_terminal:
            yield _silent
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as bars:
            task = bars.add_task(clean(what), total=total or None, count="")

            def heard(doing: str, done: int, of: int) -> None:
                if total and doing == "indexing":  # a step inside the whole that is counted already
                    bars.update(task, description=f"{clean(what)} · {doing}")
                    return
                count = f"{done:,}/{of or total:,}" if of or total else f"{done:,}"
                bars.update(task, description=f"{clean(what)} · {doing}", completed=done, total=of or total or None, count=count)

            yield heard


def _silent(_doing: str, _done: int, _of: int) -> None:
    """Nobody watches."""


def console_for(stream: Any) -> Console:
    """A console that takes no markup from what it prints; 120 columns where nobody says how wide the stream is."""
    from rich.console import Console

    wide = None if stream.isatty() or os.environ.get("COLUMNS") else 120
    return Console(file=stream, markup=False, emoji=False, highlight=False, width=wide)


_VISIBLE = {code: 0xFFFD for code in (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)) if code not in (9, 10)}


def clean(text: str) -> str:
    """`text` without the characters that steer a terminal or turn its writing round: a record must not."""
    return text.translate(_VISIBLE)


def give(data: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    utf8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    print(json.dumps(data, ensure_ascii=not utf8), flush=True)


# --- failing ----------------------------------------------------------------------------------------------------------


def code_of(error: BaseException) -> int:
    """The exit code that says what went wrong."""
    return next((code for code, _, kinds in EXIT_CODES if isinstance(error, kinds)), _BUG)


def complain(error: BaseException, *, as_json: bool, debug: bool, code: int | None = None, message: str | None = None) -> int:
    """Say what went wrong in one sentence on stderr, with --json also as an object on stdout; the exit code."""
    code = code_of(error) if code is None else code
    said = message or str(error) or type(error).__name__
    if debug or code == _BUG:
        traceback.print_exception(error, file=sys.stderr)
    if code == _BUG:
        said = f"This is a fault in Bowerbird, please report it with the lines above: {type(error).__name__}: {said}"
    print(f"Error: {clean(said)}", file=sys.stderr, flush=True)
    if as_json:
        give({"error": {"type": type(error).__name__, "message": said, "code": code}})
    return code


# --- commands ---------------------------------------------------------------------------------------------------------

_PANEL = "Common options"
_OPTIONS: Mapping[str, tuple[Any, Any]] = {
    "bower": (
        Annotated[
            Path, typer.Option("--bower", "-b", envvar="BOWERBIRD_BOWER", help="The folder that holds it all.", rich_help_panel=_PANEL)
        ],
        HOME,
    ),
    "scope": (
        Annotated[
            str | None,
            typer.Option(
                "--scope",
                "-s",
                envvar="BOWERBIRD_SCOPE",
                help="On whose behalf: tenant, tenant/user or tenant/user/session. Otherwise what init was given, or 'local'.",
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
    "encoder": (
        Annotated[
            str | None,
            typer.Option(
                "--encoder",
                help="Dense encoder: auto, none (BM25 alone) or a name with a model, such as openvino:FOLDER.",
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
    "store": (
        Annotated[str | None, typer.Option("--store", help="Index: edge, or qdrant@http://host:6333.", rich_help_panel=_PANEL)],
        None,
    ),
    "llm": (
        Annotated[
            str | None,
            typer.Option(
                "--llm",
                envvar="BOWERBIRD_LLM",
                help="Language model: local, openai:MODEL, openai:MODEL@BASE_URL or none.",
                rich_help_panel=_PANEL,
            ),
        ],
        None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else.", rich_help_panel=_PANEL)], False),
    "debug": (Annotated[bool, typer.Option("--debug", help="Show where an error came from.", rich_help_panel=_PANEL)], False),
}


def command(body: Callable[..., Out], common: str) -> Callable[..., None]:
    """`body(call, …)` as Typer takes it: its own parameters, then the common options that are named (--json, --debug always)."""
    names = [*common.split(), "json", "debug"]
    hints = get_type_hints(body, include_extras=True)
    own = [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in inspect.signature(body).parameters.values()
        if parameter.name != "call"
    ]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name in names
        for annotation, default in (_OPTIONS[name],)
    ]

    def run(**given: Any) -> None:  # Typer passes every option by name
        options = {name: given.pop(name) for name in names}
        call = Call(**options)
        try:
            out = body(call, **given)
            if call.json:
                give(out.data)
            else:
                call.show(out.shown())
        except BrokenPipeError as error:  # whoever read us has enough (`| head`)
            raise typer.Exit(_PIPE) from error
        except (errors.BowerbirdError, OSError) as error:
            raise typer.Exit(complain(error, as_json=call.json, debug=call.debug)) from error
        if out.code:
            raise typer.Exit(out.code)

    signature = inspect.Signature([*(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own), *shared])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    run.__name__, run.__doc__ = body.__name__, body.__doc__
    return run
