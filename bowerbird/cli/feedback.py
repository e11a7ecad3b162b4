"""`bowerbird feedback`: note what became of a turn, or of some of its hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, cast, get_args

import typer

from bowerbird.cli.call import Call, Out
from bowerbird.errors import InvalidInput, NotFound, UnknownName
from bowerbird.types import CORRECTION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from bowerbird.engine import Engine

__all__ = ["feedback"]

_By = Literal["llm", "user", "click", "metric", "simulated"]


def feedback(
    call: Call,
    words: Annotated[list[str] | None, typer.Argument(metavar="TURN VALUE", help="The turn, and +1, -1, a number or a sentence.")] = None,
    last: Annotated[bool, typer.Option("--last", help="The last turn of this scope; then VALUE alone is given.")] = False,
    key: Annotated[list[str] | None, typer.Option("--key", help="It is about this hit; may be given again.")] = None,
    better: Annotated[str | None, typer.Option("--better", help="The hit that served better; no VALUE then.")] = None,
    than: Annotated[str | None, typer.Option("--than", help="The hit that served less well.")] = None,
    correct: Annotated[str | None, typer.Option("--correct", help="What the right answer would have been; no VALUE then.")] = None,
    source: Annotated[str, typer.Option("--source", help="Who says so: user, llm, click, metric or simulated.")] = "user",
    note: Annotated[str, typer.Option("--note", help="A remark to keep with it.")] = "",
) -> Out:
    """Note what became of a turn.

    On disk when this returns. What is noted is what the retriever can be trained from.

    \b
    Examples:
      bowerbird feedback 8f14e45fceea467d9f5b2c0a3a1d7f10 +1
      bowerbird feedback --last -1 --key house_notes.md#boiler
      bowerbird feedback --last "It asked for the old address"
      bowerbird feedback --last --better py:json.loads --than py:json.load
      bowerbird feedback --last --correct "Ada lives in Basel."
    """
    given = list(words or ())
    for word in given:
        if word.startswith("--"):
            raise InvalidInput(f"No such option: {word}. See: bowerbird feedback --help")
    if (better is None) != (than is None):
        raise InvalidInput("--better KEY and --than KEY belong together.")
    if correct is not None and (better is not None or note):
        raise InvalidInput("--correct says all there is to say: it goes with --key and --source, not with --better, --than or --note.")
    takes_value = better is None and correct is None
    wanted = [*([] if last else ["the turn"]), *(["a value (+1, -1, a number or a sentence)"] if takes_value else [])]
    if len(given) != len(wanted):
        takes = " and ".join(wanted) or "neither a turn nor a value"
        raise InvalidInput(f"feedback takes {takes} here; got {len(given)}: {' '.join(given) or 'nothing'}. See: bowerbird feedback --help")
    if source not in get_args(_By):
        raise UnknownName("source of feedback", source, get_args(_By))
    value: float | str | tuple[str, str]
    if correct is not None:
        value, note = correct, CORRECTION
    else:
        value = (better, than) if better is not None and than is not None else _value(given[-1])
    with call.engine() as engine:
        turn = _last(engine) if last else given[0]
        position = engine.feedback(turn, value, keys=key or (), source=cast(_By, source), note=note)
    data = {
        "turn": turn,
        "position": position,
        "value": list(value) if isinstance(value, tuple) else value,
        "keys": key or [],
        "source": source,
        "note": note,
    }

    def shown() -> Iterable[RenderableType]:
        what = f"{better} better than {than}" if isinstance(value, tuple) else repr(value) if isinstance(value, str) else f"{value:+g}"
        what = f"the right answer would have been {what}" if correct is not None else what
        yield f"Noted as event {position} of turn {turn}: {what}{f', about {chr(44).join(key)}' if key else ''}."

    return Out(data, shown)


def _value(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


def _last(engine: Engine) -> str:
    assert engine.scope is not None  # `Call.engine` has set it
    event = engine.ledger.last(engine.scope)
    if event is None or event.turn is None:
        raise NotFound(f"No turn in scope {engine.scope} yet. Ask something first: bowerbird ask '…'")
    return event.turn
