"""`bowerbird init`: make a bower, or say what an existing one was made with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bowerbird.cli.call import HOME, Call, Out
from bowerbird.types import Scope, replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

__all__ = ["init"]


def init(
    call: Call,
    path: Annotated[Path | None, typer.Argument(help="The folder that will hold it all; the same as --bower.")] = None,
) -> Out:
    """Make a bower: a folder with a catalog, its index and its ledger.

    --scope, --encoder and --store become those of this bower: later commands take them from here unless told otherwise.
    On a bower that exists, nothing but these is changed.

    \b
    Examples:
      bowerbird init
      bowerbird init team.bower --scope acme
      bowerbird init light.bower --encoder none
    """
    if call.scope is not None:
        Scope.parse(call.scope)
    path = path or call.bower
    here = replace(call, bower=path)
    existed = (path.expanduser() / "catalog.db").exists()
    with here.engine(create=True) as engine:
        if existed:
            here.remember(engine)
        spec, fits = engine.spec("augment"), engine.index.fits
    data: dict[str, Any] = {"bower": str(path), "existed": existed, "scope": "local", "encoder": "auto", "store": "edge"}
    data |= here.remembered()
    data |= {"augment": spec, "note": fits or ""}

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import pairs

        yield f"{'There is a bower' if existed else 'A bower is ready'} at {path}."
        yield pairs((name, data[name]) for name in ("scope", "encoder", "store", "augment"))
        if fits:
            yield fits
        at = "" if path == HOME else f" --bower {path}"
        yield f"Next: bowerbird add docs/{at}"

    return Out(data, shown)
