"""`bowerbird augment` and `bowerbird ask`: the best context under a budget, with the reason for every line; and an answer."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bowerbird.cli.call import Call, Out
from bowerbird.cli.search import At, Kinds, Spec, Stale, Where, conditions
from bowerbird.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from bowerbird.types import Turn

__all__ = ["ask", "augment"]

_FAILED, _NOTHING = 6, 3

Query = Annotated[str, typer.Argument(help="The question or task.")]
Budget = Annotated[int | None, typer.Option("--budget", "-n", help="Tokens the context may take.")]
Keys = Annotated[list[str] | None, typer.Option("--key", help="A record asked for by name; may be given again.")]


def augment(
    call: Call,
    query: Query,
    budget: Budget = None,
    kind: Kinds = None,
    where: Where = None,
    at: At = None,
    stale: Stale = False,
    key: Keys = None,
    spec: Spec = None,
    text: Annotated[bool, typer.Option("--text", help="Print the context as plain text, for a pipe.")] = False,
    messages: Annotated[bool, typer.Option("--messages", help="Print OpenAI messages as JSON, for a pipe.")] = False,
) -> Out:
    """Assemble the best context for a question under a token budget, and say why every line is in it.

    Noted in the ledger. Exit code 3: nothing was found.

    \b
    Examples:
      bowerbird augment "Why does the boiler show E4?"
      bowerbird augment "Plan Friday's dinner" --budget 800 --kind memory --kind item
      bowerbird augment "Plan Friday's dinner" --messages | my-model
      bowerbird augment "Plan Friday's dinner" --json | jq .context.tokens
    """
    if text + messages + call.json > 1:
        raise InvalidInput("--text, --messages and --json each print something else: give one of them.")
    turn = _run(call, "augment", query, budget, kind, where, at, stale, key, spec)
    from bowerbird.cli import as_json

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import assembled

        if text or messages:
            _pipe(turn, messages)
            return
        yield from assembled(turn)
        yield f"  turn {turn.id}"

    return Out(as_json.turn(turn), shown, _NOTHING if _empty(turn) else 0)


def ask(
    call: Call,
    query: Query,
    budget: Budget = None,
    kind: Kinds = None,
    where: Where = None,
    at: At = None,
    stale: Stale = False,
    key: Keys = None,
    spec: Spec = None,
    context: Annotated[bool, typer.Option("--context", "-c", help="Show the context too.")] = False,
) -> Out:
    """Answer from what is kept, with citations that were checked against the records.

    Noted in the ledger. Without --llm (or BOWERBIRD_LLM) the answer is taken from the records word for word. Exit code 3:
    nothing relevant was found; 6: the model failed, and the context is there all the same.

    \b
    Examples:
      bowerbird ask "Why does the boiler show E4?"
      bowerbird ask "Where does Ada live?" --llm local --context
      bowerbird ask "Where does Ada live?" --llm openai:llama3@http://localhost:11434/v1
      bowerbird ask "Where does Ada live?" --json | jq -r .answer.text
    """
    turn = _run(call, "ask", query, budget, kind, where, at, stale, key, spec)
    from bowerbird.cli import as_json

    answer = turn.answer
    failed = answer is not None and not answer.text and not answer.abstained
    if failed:
        why = next((str(step.info["error"]) for step in reversed(turn.trace) if step.info.get("error")), "it gave an empty answer")
        call.note(f"The model did not answer: {why}")

    def shown() -> Iterable[RenderableType]:
        from bowerbird.cli.view import answered, assembled

        yield from answered(turn)
        if context or failed:
            yield from assembled(turn)

    return Out(as_json.turn(turn), shown, _FAILED if failed else _NOTHING if answer is not None and answer.abstained else 0)


def _run(
    call: Call,
    what: Literal["augment", "ask"],
    query: str,
    budget: int | None,
    kind: list[str] | None,
    where: list[str] | None,
    at: str | None,
    stale: bool,
    key: list[str] | None,
    spec: str | None,
) -> Turn:
    with call.engine() as engine:
        if engine.index.fits:
            call.note(engine.index.fits)
        run = engine.ask if what == "ask" else engine.augment
        return run(query, budget=budget, kinds=kind or (), where=conditions(where or ()), at=at, stale=stale, keys=key or (), spec=spec)


def _empty(turn: Turn) -> bool:
    """Whether retrieval was wanted and there was nothing to choose from."""
    return turn.retrieves and turn.context is not None and not turn.context.blocks and not turn.context.left_out


def _pipe(turn: Turn, messages: bool) -> None:
    """Byte for byte what a model is to read: not wrapped, not cleaned."""
    if turn.context is None:
        raise InvalidInput("This pipeline composes no context, so there is nothing to print. End it with: … >> budget")
    if messages:
        print(json.dumps([message.as_dict() for message in turn.context.messages], ensure_ascii=True))
    else:
        sys.stdout.write(turn.context.text + "\n")
