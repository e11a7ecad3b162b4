"""`bowerbird add`: files, folders, lines from a pipe, or a text typed here."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bowerbird.cli.call import Call, Out
from bowerbird.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from bowerbird.engine import Engine
    from bowerbird.ingest.intake import Report
    from bowerbird.ingest.source import Source

__all__ = ["add"]

_LISTED = 20  # failures shown one by one; --json lists up to 1,000


def add(
    call: Call,
    paths: Annotated[list[str] | None, typer.Argument(help="Files and folders; - reads JSON lines from stdin.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", "-k", help="Kind of what names none itself.")] = None,
    format: Annotated[str | None, typer.Option("--format", "-f", help="How to read it, where the suffix does not tell.")] = None,
    map: Annotated[list[str] | None, typer.Option("--map", help="Column mapping: text=body, fields.lang=language; again for more.")] = None,
    text: Annotated[str | None, typer.Option("--text", "-t", help="Add this text itself.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Its name; the same key again makes a new version.")] = None,
    field: Annotated[list[str] | None, typer.Option("--field", help="A field of it: topic=diet; may be given again.")] = None,
    supersedes: Annotated[list[str] | None, typer.Option("--supersedes", help="A key that it replaces; may be given again.")] = None,
    valid_from: Annotated[str | None, typer.Option("--valid-from", help="Hidden before, such as 2026-05-01.")] = None,
    valid_to: Annotated[str | None, typer.Option("--valid-to", help="Hidden from then on.")] = None,
    trust: Annotated[str | None, typer.Option("--trust", help="untrusted, user or trusted.")] = None,
) -> Out:
    """Keep files, folders, lines from a pipe, or a text typed here.

    Run again it updates what changed and removes what is gone. What can be read is kept; the rest is listed at the end with
    the reason, and the exit code is 1. A missing bower is made.

    \b
    Examples:
      bowerbird add docs/ notes.md paper.pdf
      bowerbird add films.csv --kind item --map text=plot --map fields.tags=genres
      bowerbird add tools.json --format openai_tools
      bowerbird add --text "Ada eats fish again" --kind memory --key diet-2 --supersedes diet-1
      cat rows.jsonl | bowerbird add - --kind passage --json
    """
    typed = {"key": key, "supersedes": supersedes, "valid_from": valid_from, "valid_to": valid_to, "trust": trust}
    if text is None and (field or any(typed.values())):
        raise InvalidInput("--key, --field, --supersedes, --valid-from, --valid-to and --trust describe the text given with --text.")
    if text is None and not paths:
        raise InvalidInput("Nothing to add: give files or folders, - for JSON lines from stdin, or --text TEXT.")
    if text is not None and (format or map):
        raise InvalidInput("--format and --map are for files; a text given with --text needs neither.")
    if text is not None and kind is None:
        raise InvalidInput("Say of which kind the text is: --kind memory, for example. All kinds: bowerbird methods")
    mapping = _mapping(map or ())
    reports: list[tuple[str, Report]] = []
    failed: list[tuple[str, str]] = []
    if not (call.bower.expanduser() / "catalog.db").exists():
        call.note(f"Making a new bower at {call.bower}.")
    with call.engine(create=True) as engine:
        if text is not None:
            made = {"text": text, "kind": kind, "fields": _fields(kind, field or ()), **typed}
            report = engine.add({name: value for name, value in made.items() if value is not None}, kind=kind)
            if report.failed and not paths:
                raise InvalidInput(report.failed[0].why)
            reports.append(("--text", report))
        for path in paths or ():
            try:
                reports.append((path, _one(call, engine, path, kind, format, mapping)))
            except (InvalidInput, OSError) as error:
                if len(paths or ()) == 1 and not reports:
                    raise
                failed.append((path, str(error)))
        if engine.index.due:
            call.note("Many records are new: building the fast search structures, about a minute for 100,000.")
            engine.optimize()
    from bowerbird.cli import as_json

    names = ("added", "updated", "unchanged", "removed", "skipped")
    totals = {name: sum(getattr(report, name) for _, report in reports) for name in names}
    for path, report in reports:
        failed += [(failure.name or path, failure.why) for failure in report.failed]
    unlisted = sum(report.failures - len(report.failed) for _, report in reports)
    notes = list(dict.fromkeys(report.note for _, report in reports if report.note))
    for note in notes:
        call.note(note)
    data = {
        **totals,
        "failures": len(failed) + unlisted,
        "failed": [{"name": name, "why": why} for name, why in failed],
        "notes": notes,
        "inputs": [{"input": path, **as_json.report(report)} for path, report in reports],
    }

    def shown() -> Iterable[RenderableType]:
        from rich.text import Text

        from bowerbird.cli.call import clean
        from bowerbird.cli.view import table

        columns = ("added", "updated", "unchanged", "removed", "files as before", "failed")
        made = table("input", *columns, right=columns)
        for path, report in reports:
            made.add_row(clean(path), *(f"{getattr(report, name):,}" for name in names), f"{report.failures:,}")
        yield made
        for name, why in failed[:_LISTED]:
            yield Text(f"failed  {clean(name)}: {clean(why)}", style="red")
        if data["failures"] > _LISTED:
            yield Text(f"failed  {data['failures'] - min(len(failed), _LISTED):,} more (see --json)", style="red")

    return Out(data, shown, 1 if failed or unlisted else 0)


def _one(call: Call, engine: Engine, path: str, kind: str | None, format: str | None, mapping: Mapping[str, str] | None) -> Report:
    with call.progress(path) as heard:
        if path != "-":
            return engine.add(path, kind=kind, format=format, mapping=mapping, progress=heard)
        with tempfile.TemporaryDirectory() as folder:
            return engine.add(_piped(Path(folder), kind, format or "jsonl", mapping), progress=heard)


def _piped(folder: Path, kind: str | None, format: str, mapping: Mapping[str, str] | None) -> Source:
    """What comes through the pipe, as a source without identity: it adds and updates by key and never removes."""
    from bowerbird import table
    from bowerbird.ingest.source import Values

    row = table.load("sources", format)
    if not hasattr(row, "suffixes"):
        raise InvalidInput(f"Format {format!r} cannot be read from a pipe: give a path.")
    path = folder / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    reader = row(kind=kind, mapping=mapping)
    return Values(lambda: reader.read(path, "stdin"))


def _mapping(given: Sequence[str]) -> Mapping[str, str] | None:
    return dict(_named("--map", text) for text in given) or None


def _fields(kind: str | None, given: Sequence[str]) -> dict[str, Any]:
    """Fields as the kind wants them: its texts and times stay as written, the rest is read as JSON where it is some."""
    from bowerbird.kinds import kinds

    row = kinds().get(kind or "")
    fields: dict[str, Any] = {}
    for text in given:
        name, raw = _named("--field", text)
        wanted = row.fields.get(name) if row else None
        try:
            fields[name] = raw if wanted in ("str", "time") else json.loads(raw)
        except ValueError:
            fields[name] = [part.strip() for part in raw.split(",")] if wanted == "list" else raw
    return fields


def _named(option: str, text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise InvalidInput(f"{option} {text!r} is no name=value.")
    return name.strip(), value
