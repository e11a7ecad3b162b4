"""`bowerbird search`: the best records, with the score of every stage."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bowerbird.cli.call import Call, Out
from bowerbird.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

__all__ = ["At", "Kinds", "Spec", "Stale", "Where", "conditions", "search"]

Kinds = Annotated[list[str] | None, typer.Option("--kind", "-k", help="Only this kind; may be given again.")]
Where = Annotated[list[str] | None, typer.Option("--where", help="Condition on a field: lang=en, 'year>=2020'; may be given again.")]
At = Annotated[str | None, typer.Option("--at", help="As it stood at that moment, such as 2026-05-01.")]
Stale = Annotated[bool, typer.Option("--stale", help="Superseded and expired records too.")]
Spec = Annotated[str | None, typer.Option("--spec", help="A pipeline of your own, such as 'dbsf(bm25, dense) >> mmr'.")]


def search(
    call: Call,
    query: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-n", "--limit", help="How many records.")] = 10,
    kind: Kinds = None,
    where: Where = None,
    at: At = None,
    stale: Stale = False,
    spec: Spec = None,
) -> Out:
    """Find records, with the score of every stage.

    No language model is called and nothing is noted. Exit code 3: nothing was found.

    \b
    Examples:
      bowerbird search "wait with a timeout"
      bowerbird search "wait with a timeout" --kind tool -n 3 --json
      bowerbird search boats --where lang=en --where "year>=2020"
      bowerbird search "where does Ada live" --stale --spec bm25
    """
    with call.engine() as engine:
        used = spec or engine.spec("search")
        hits = engine.search(query, k, kinds=kind or (), where=conditions(where or ()), at=at, stale=stale, spec=spec)
        note = engine.index.fits or ""
    if note:
        call.note(note)
    from bowerbird.cli import as_json

    rows = [{"rank": rank, **as_json.hit(hit)} for rank, hit in enumerate(hits, 1)]

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import found

        yield found(hits) if hits else f"Nothing found for {query!r}."

    return Out({"query": query, "spec": used, "hits": rows, "note": note}, shown, 0 if hits else 3)


_CONDITION = re.compile(r"\s*([^<>=\s]+)\s*(>=|<=|=|>|<)\s*(.*?)\s*", re.DOTALL)
_BOUNDS = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}


def conditions(given: Sequence[str]) -> Mapping[str, Any]:
    """`["lang=en", "year>=2020"]` → `{"lang": "en", "year": {"gte": 2020}}`. The same name twice with `=`: one of the values."""
    where: dict[str, Any] = {}
    for text in given:
        matched = _CONDITION.fullmatch(text)
        if matched is None:
            raise InvalidInput(f"--where {text!r} is no condition. Write name=value, name>=number or name<number.")
        name, sign, raw = matched.groups()
        value = _value(raw)
        held = where.get(name)
        if sign == "=":
            if isinstance(held, Mapping):
                raise InvalidInput(f"--where: {name!r} has both a value and bounds; give one or the other.")
            where[name] = value if held is None else [*(held if isinstance(held, list) else [held]), value]
        else:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise InvalidInput(f"--where {text!r}: {sign} needs a number, not {raw!r}.")
            if held is not None and not isinstance(held, Mapping):
                raise InvalidInput(f"--where: {name!r} has both a value and bounds; give one or the other.")
            where[name] = {**(held or {}), _BOUNDS[sign]: value}
    return where


def _value(raw: str) -> Any:
    """A number, true or false, else the text; quotes keep a number a text: version="3"."""
    try:
        value = json.loads(raw, parse_constant=str)
    except ValueError:
        return raw
    return value if isinstance(value, (str, int, float, bool)) else raw
