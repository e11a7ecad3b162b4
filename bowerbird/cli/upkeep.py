"""`bowerbird stats`, `verify`, `rebuild` and `reembed`: what there is, whether index and catalog agree, the index made anew, or with
another encoder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from bowerbird.cli.call import Call, Out
from bowerbird.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

__all__ = ["rebuild", "reembed", "stats", "verify"]

_NAMED = 20  # records that differ and are named one by one


def stats(call: Call) -> Out:
    """Count what this scope sees, by kind, its turns and outcomes, and say how the index stands.

    \b
    Examples:
      bowerbird stats
      bowerbird stats --scope acme/ann --json
    """
    from bowerbird.index.places import size_of

    with call.engine() as engine:
        found, kept = engine.stats(), engine.encoders()
        scope = str(engine.scope)
    note = found.note or ("Changes wait to be indexed; the next search applies them." if found.waiting else "")
    size = size_of(call.bower.expanduser())
    data = {
        "bower": str(call.bower),
        "scope": scope,
        "records": dict(found.records),
        "events": dict(found.events),
        "sources": dict(found.sources),
        "encoder": found.encoder,
        "llm": found.llm,
        "waiting": found.waiting,
        "bytes": size,
        "indexes": [
            {
                "name": one.name,
                "encoder": one.encoder,
                "serving": one.serving,
                "ready": one.ready,
                "waiting": one.waiting,
                "bytes": one.bytes,
            }
            for one in kept
        ],
        "note": note,
    }

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.call import clean
        from bowerbird.cli.view import pairs, table

        made = table("kind", "records", right=("records",))
        for name, count in found.records.items():
            made.add_row(name, f"{count:,}")
        made.add_row("all", f"{sum(found.records.values()):,}")
        yield made
        events = ", ".join(f"{count:,} {name}" for name, count in found.events.items()) or "none"
        yield pairs(
            [
                ("bower", f"{call.bower} ({size / 1e6:,.1f} MB)"),
                ("scope", scope),
                ("events", events),
                ("encoder", found.encoder or "none (BM25 alone)"),
                ("model", found.llm or "none"),
            ]
        )
        if found.sources:
            listed = table("source", "files or tables", right=("files or tables",))
            for name, count in found.sources.items():
                listed.add_row(clean(name), f"{count:,}")
            yield listed
        if len(kept) > 1:
            listed = table("index", "", "changes waiting", "MB", right=("changes waiting", "MB"))
            for one in kept:
                stands = "serves" if one.serving else "kept" if one.ready else "unfinished"
                listed.add_row(clean(one.name), stands, f"{one.waiting:,}", f"{one.bytes / 1e6:,.1f}")
            yield listed
        if note:
            yield note

    return Out(data, shown)


def verify(call: Call) -> Out:
    """Compare index and catalog, and check the ledger, over all scopes.

    Exit code 1: they differ.

    \b
    Examples:
      bowerbird verify
      bowerbird verify --json || bowerbird rebuild
    """
    with call.engine() as engine:
        difference, altered = engine.verify()
        note = engine.index.fits or ""
        ids = [*difference.missing, *difference.stale][:_NAMED]
        named = {id: record.name for id, record in engine.catalog.current(ids).items()}
        total = engine.catalog.totals()["records"]
    clean = difference.clean and not altered
    data = {
        "clean": clean,
        "records": total,
        "missing": len(difference.missing),
        "extra": len(difference.extra),
        "stale": len(difference.stale),
        "waiting": difference.waiting,
        "altered_events": list(altered),
        "examples": sorted(named.values()),
        "note": note,
    }

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import pairs

        if clean:
            yield f"Clean: index and catalog agree on {total:,} records, and the ledger is as it was written."
        else:
            yield pairs(
                [
                    ("not in the index", f"{len(difference.missing):,}"),
                    ("too many in the index", f"{len(difference.extra):,}"),
                    ("older in the index", f"{len(difference.stale):,}"),
                    ("changes waiting", f"{difference.waiting:,}"),
                    ("altered events", ", ".join(map(str, altered)) or "none"),
                    ("such as", ", ".join(sorted(named.values())) or "—"),
                ]
            )
        if not difference.clean:
            yield "The catalog is whole; make the index anew with: bowerbird rebuild"
        if altered:
            yield "The ledger was changed from outside; restore catalog.db from a copy if these events matter."
        if note:
            yield note

    return Out(data, shown, 0 if clean else 1)


def rebuild(call: Call) -> Out:
    """Make the index anew from the catalog.

    It is made with the encoder that is given or at hand. The catalog is not touched.

    \b
    Examples:
      bowerbird rebuild
      bowerbird rebuild --encoder none
      bowerbird rebuild --encoder sentence_transformers:intfloat/e5-small-v2
    """
    with call.engine() as engine:
        with call.progress(f"rebuilding {call.bower}") as heard:
            count = engine.rebuild(heard)
        call.remember(engine)
        dense = engine.index.dense
    data = {"records": count, "encoder": dense}
    return Out(data, lambda: [f"The index holds {count:,} records, {f'encoded by {dense}' if dense else 'for BM25 alone'}."])


def reembed(
    call: Call,
    encoder: Annotated[str | None, typer.Argument(help="Its name, with a model after a colon: openvino:FOLDER, auto, none.")] = None,
    drop: Annotated[str | None, typer.Option("--drop", help="Delete the kept index of this name; see bowerbird stats.")] = None,
) -> Out:
    """Change the encoder; the vectors of the old one are kept, so that going back takes a moment.

    Stopped half-way, the old one serves, and the same command goes on. The new one becomes that of this bower.

    \b
    Examples:
      bowerbird reembed openvino:models/mine
      bowerbird reembed auto
      bowerbird reembed --drop all-MiniLM-L6-v2@53aa5117-0a1b2c3d
    """
    if (encoder is None) == (drop is None):
        raise InvalidInput("Give either an encoder or --drop NAME. The names of kept indexes: bowerbird stats")
    with call.engine() as engine:
        if drop is not None:
            engine.index.drop(drop)
            return Out({"dropped": drop}, lambda: [f"{drop} is deleted."])
        before = call.remembered().get("encoder") or "auto"
        started = time.perf_counter()
        with call.progress(f"encoding {call.bower}") as heard:
            count = engine.reembed(encoder, heard)
        seconds = time.perf_counter() - started
        dense, kept = engine.index.dense, [one.name for one in engine.encoders() if not one.serving]
    data = {"encoded": count, "seconds": round(seconds, 3), "encoder": dense, "before": before, "kept": kept}

    def shown() -> Iterable[RenderableType]:
        yield f"Searches use {dense or 'words alone'} now: {count:,} records were encoded in {seconds:,.1f} s."
        if kept:
            yield f"The old vectors are kept. Back to them: bowerbird reembed {before}"
            yield f"Without them: {'; '.join(f'bowerbird reembed --drop {name}' for name in kept)}"

    return Out(data, shown)
