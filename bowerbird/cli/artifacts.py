"""`bowerbird artifacts`: the trained components of a bower, their cards, and what differs between two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bowerbird.cli.call import Call, Out, command
from bowerbird.cli.learn import named, rollback

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bowerbird.components.shelf import Artifact

__all__ = ["artifacts_app"]


def list_(call: Call, component: Annotated[str | None, typer.Argument(help="Only this component.")] = None) -> Out:
    """List what was trained in this scope and the wider ones, and what serves.

    \b
    Examples:
      bowerbird artifacts list
      bowerbird artifacts list adapter --json
    """
    with call.engine() as engine:
        assert engine.scope is not None  # `Call.engine` has set it
        found = [artifact for artifact in engine.shelf.list(component) if artifact.scope in engine.scope.visible()]
    rows = [_row(artifact) for artifact in found]

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import table as columns

        if not rows:
            yield "Nothing was trained yet. See: bowerbird learn status"
            return
        made = columns("artifact", "scope", "parent", "before", "after", "serves", right=("before", "after"))
        for row in rows:
            made.add_row(
                row["name"], row["scope"], row["parent"] or "—", _mean(row["before"]), _mean(row["after"]), "yes" if row["serves"] else ""
            )
        yield made

    return Out({"artifacts": rows}, shown)


def show(call: Call, artifact: Annotated[str, typer.Argument(help="A version, such as adapter@2.")]) -> Out:
    """Show an artifact's card: parent, ledger cut, seed, data, scores before and after, and why it was published or not.

    \b
    Examples:
      bowerbird artifacts show adapter@1
    """
    with call.engine() as engine:
        found = named(engine, artifact)

    def shown() -> Iterable[RenderableType]:
        import json

        yield json.dumps(dict(found.card), indent=2, ensure_ascii=False)

    return Out({**_row(found), "card": dict(found.card)}, shown)


def diff(
    call: Call,
    a: Annotated[str, typer.Argument(help="A version, such as adapter@1.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
) -> Out:
    """Say what differs between the cards of two artifacts.

    \b
    Examples:
      bowerbird artifacts diff adapter@1 adapter@2
    """
    with call.engine() as engine:
        one, other = (_flat(named(engine, name).card) for name in (a, b))
    differs = {name: [one.get(name), other.get(name)] for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)}

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import table as columns

        made = columns("card", a, b, wrap=(a, b))
        for name, (first, second) in differs.items():
            made.add_row(name, str(first), str(second))
        yield made if differs else "Their cards are the same."

    return Out({"a": a, "b": b, "differs": differs}, shown)


def _row(artifact: Artifact) -> dict[str, Any]:
    card = artifact.card
    return {
        "name": artifact.name,
        "scope": str(artifact.scope),
        "created": artifact.created,
        "serves": artifact.published is not None,
        "parent": card.get("parent"),
        "before": card.get("before"),
        "after": card.get("after"),
        "path": str(artifact.path),
    }


def _mean(scores: Mapping[str, Any] | None) -> str:
    """The mean over kinds."""
    return f"{sum(of['value'] for of in scores.values()) / len(scores):.4f}" if scores else "—"


def _flat(card: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A card with its nested names joined by dots."""
    found: dict[str, Any] = {}
    for name, value in card.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}.")
        elif name != "curve":
            found[before + name] = value
    return found


artifacts_app = typer.Typer(name="artifacts", no_args_is_help=True, rich_markup_mode="rich", help="What was trained, and what serves.")
_BODIES: tuple[tuple[str, Callable[..., Out], str], ...] = (
    ("list", list_, "bower scope"),
    ("show", show, "bower scope"),
    ("diff", diff, "bower scope"),
    ("rollback", rollback, "bower scope encoder store"),
)
for _name, _body, _common in _BODIES:
    artifacts_app.command(_name, no_args_is_help=_body in (show, diff, rollback))(command(_body, _common))
