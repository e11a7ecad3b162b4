"""`bowerbird stats`, `verify` and `rebuild`: what there is, whether index and catalog agree, and the index made anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bowerbird.cli.call import Call, Out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

__all__ = ["rebuild", "size_of", "stats", "verify"]

_NAMED = 20  # records that differ and are named one by one


def stats(call: Call) -> Out:
    """Count what this scope sees, by kind, its turns and outcomes, and say how the index stands.

    \b
    Examples:
      bowerbird stats
      bowerbird stats --scope acme/ann --json
    """
    with call.engine() as engine:
        found = engine.stats()
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


def size_of(folder: Path) -> int:
    """Bytes on disk of all files in `folder`; what a file has reserved and not written (an index does) takes no room."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
