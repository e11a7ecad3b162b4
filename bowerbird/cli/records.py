"""`bowerbird records`, `show`, `history` and `delete`: what is kept, one thing of it, how it came to be so, and away with it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bowerbird.cli.call import Call, Out
from bowerbird.cli.search import Stale
from bowerbird.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

__all__ = ["delete", "history", "records", "show"]


def records(
    call: Call,
    prefix: Annotated[str, typer.Argument(help="Keys that begin so.")] = "",
    kind: Annotated[str | None, typer.Option("--kind", "-k", help="Only this kind.")] = None,
    stale: Stale = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 100,
    after: Annotated[str | None, typer.Option("--after", help="Go on behind this key: the last one of the page before.")] = None,
) -> Out:
    """List what this scope sees, by key, a page at a time.

    \b
    Examples:
      bowerbird records
      bowerbird records py:json --kind tool
      bowerbird records --stale --limit 20 --after house_notes.md
      bowerbird records --kind memory --json | jq -r .records[].key
    """
    with call.engine() as engine:
        page = engine.list(kind=kind, prefix=prefix, after=after, limit=limit + 1, stale=stale)
    more = len(page) > limit
    page = page[:limit]
    from bowerbird.cli import as_json

    data = {"records": [as_json.record(record) for record in page], "next": page[-1].key if more else None}

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import listed

        yield listed(page) if page else "No records. Add some: bowerbird add docs/"
        if more:
            yield f"More: --after {page[-1].key!r}"

    return Out(data, shown)


def show(call: Call, key: Annotated[str, typer.Argument(help="The record's key.")]) -> Out:
    """Show one record, also when it is superseded or expired.

    Exit code 3: there is none.

    \b
    Examples:
      bowerbird show py:json.loads
      bowerbird show ada --scope acme --json
    """
    with call.engine() as engine:
        record = engine.get(key)
    from bowerbird.cli import as_json

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli import view

        yield from view.record(record)

    return Out({"record": as_json.record(record)}, shown)


def history(call: Call, key: Annotated[str, typer.Argument(help="The record's key.")]) -> Out:
    """Show every version of a record, oldest first, and what ended it.

    Exit code 3: there never was one.

    \b
    Examples:
      bowerbird history ada-lives-lisbon
      bowerbird history ada-lives-lisbon --json
    """
    with call.engine() as engine:
        versions = engine.history(key)
    from bowerbird.cli import as_json

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import day, snippet, table

        made = table("v", "since", "until", "why", "text", right=("v",), wrap=("text",))
        for version in versions:
            known, until, why = version.record, version.ended, version.why
            if until is None and known.superseded is not None:
                until, why = known.superseded, f"superseded by {known.superseded_by}"
            made.add_row(str(known.version), day(known.created), day(until), snippet(why), snippet(known.text))
        yield made

    return Out({"key": key, "versions": [as_json.version(version) for version in versions]}, shown)


def delete(
    call: Call,
    keys: Annotated[list[str] | None, typer.Argument(help="Keys of records of exactly this scope.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Everything that came from this source (see: bowerbird stats).")] = None,
    purge: Annotated[bool, typer.Option("--purge", help="Erase their history too: nothing is left to restore.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Out:
    """Delete records by key, or all that came from a source.

    Their history stays unless --purge is given. Exit code 1: some were not there; 3: none was.

    \b
    Examples:
      bowerbird delete diet-1
      bowerbird delete diet-1 diet-2 --purge --yes --json
      bowerbird delete --source folder:/home/ada/notes --yes
    """
    if not keys and source is None:
        raise InvalidInput("Nothing to delete: give keys, or --source with an id that `bowerbird stats` lists.")
    if source is not None and (keys or purge):
        raise InvalidInput("--source deletes what came from it and keeps the history: give it without keys and without --purge.")
    with call.engine() as engine:
        if not yes:
            named = source or ", ".join(keys or ())
            if call.json or not sys.stdin.isatty():
                raise InvalidInput(f"Nobody is here to ask whether to delete {named}: say so with --yes.")
            what = f"Delete {named} of scope {engine.scope}{' and erase the history' if purge else ''}?"
            typer.confirm(what, abort=True, err=True)
        if source is not None:
            removed = engine.drop(source)
            return Out({"source": source, "removed": removed}, lambda: [f"Deleted {removed:,} record(s) of {source}."])
        assert keys is not None
        gone = engine.delete(keys, purge=purge)
        scope = engine.scope
    missing = [key for key in keys if key not in gone]
    if not gone:
        raise NotFound(f"No record {', '.join(map(repr, missing))} of exactly scope {scope}; nothing was deleted.")
    if missing:
        call.note(f"Not there in exactly scope {scope}: {', '.join(missing)}")
    data = {"deleted": list(gone), "missing": missing, "purged": purge}
    return Out(data, lambda: [f"{'Purged' if purge else 'Deleted'}: {', '.join(gone)}"], 1 if missing else 0)
