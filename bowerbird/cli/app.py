"""The application: which commands there are, in which panel, with which common options; and the way out for errors and signals."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from bowerbird.cli.add import add
from bowerbird.cli.artifacts import artifacts_app
from bowerbird.cli.ask import ask, augment
from bowerbird.cli.call import EXIT_CODES, Out, command, complain
from bowerbird.cli.doctor import doctor
from bowerbird.cli.eval import eval_app
from bowerbird.cli.feedback import feedback
from bowerbird.cli.init import init
from bowerbird.cli.learn import learn_app
from bowerbird.cli.methods import methods
from bowerbird.cli.quickstart import quickstart
from bowerbird.cli.records import delete, history, records, show
from bowerbird.cli.search import search
from bowerbird.cli.upkeep import rebuild, reembed, stats, verify

__all__ = ["COMMANDS", "app", "main"]

COMMANDS: tuple[tuple[str, Callable[..., Out], str], ...] = (
    ("Start", quickstart, "encoder"),
    ("Start", init, "bower scope encoder store"),
    ("Start", doctor, "bower"),
    ("Start", methods, ""),
    ("Keep", add, "bower scope encoder store"),
    ("Keep", records, "bower scope"),
    ("Keep", show, "bower scope"),
    ("Keep", history, "bower scope"),
    ("Keep", delete, "bower scope encoder store"),
    ("Find and answer", search, "bower scope encoder store"),
    ("Find and answer", augment, "bower scope encoder store llm"),
    ("Find and answer", ask, "bower scope encoder store llm"),
    ("Find and answer", feedback, "bower scope"),
    ("Upkeep", stats, "bower scope encoder store llm"),
    ("Upkeep", verify, "bower encoder store"),
    ("Upkeep", rebuild, "bower encoder store"),
    ("Upkeep", reembed, "bower store"),
)

app = typer.Typer(name="bowerbird", no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
for _panel, _body, _common in COMMANDS:
    app.command(
        _body.__name__,
        rich_help_panel=_panel,
        no_args_is_help=_body in (search, augment, ask, show, history),
        context_settings={"ignore_unknown_options": True} if _body is feedback else None,  # -1 is a value there
    )(command(_body, _common))
app.add_typer(eval_app, rich_help_panel="Judge")
app.add_typer(learn_app, rich_help_panel="Learn")
app.add_typer(artifacts_app, rich_help_panel="Learn")


def _version(wanted: bool) -> None:
    if wanted:
        import bowerbird

        print(f"bowerbird {bowerbird.__version__}")
        raise typer.Exit


_HELP = (
    "Keep anything a language model may need, find the best of it under a token budget, and learn from what became of it.\n\n"
    "\b\nExamples:\n  bowerbird quickstart\n  bowerbird add docs/\n  bowerbird ask 'How do I reset my password?'\n"
    "  bowerbird search 'reset password' --json | jq '.hits#0.key'\n\n"
    "\b\nExit codes:\n" + "\n".join(f"  {code:<3} {meaning}" for code, meaning, _ in EXIT_CODES)
).replace("#0", "\\[0]")


@app.callback(help=_HELP)
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


# Typer gives out only this one of its usage errors; the one it derives from covers unknown options and commands too.
_USAGE: type[Exception] = typer.BadParameter.__mro__[1]


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    given = list(sys.argv[1:] if args is None else args)
    as_json, debug = "--json" in given, "--debug" in given
    try:
        code = app(given, prog_name="bowerbird", standalone_mode=False)
        sys.stdout.flush()
    except _USAGE as error:
        said = str(getattr(error, "format_message", error.__str__)())
        if not said:  # a command without arguments has shown its help
            sys.exit(2)
        context = getattr(error, "ctx", None)
        path = getattr(context, "command_path", "bowerbird")
        sys.exit(
            complain(error, as_json=as_json, debug=debug, code=2, message=f"{said}{'' if said[-1] in '.?' else '.'} See: {path} --help")
        )
    except typer.Abort:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read us has enough (`| head`). Nothing is left to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:  # noqa: BLE001 - the last one to hear of it says so and shows where it came from
        sys.exit(complain(error, as_json=as_json, debug=debug))
    sys.exit(code if isinstance(code, int) else 0)
