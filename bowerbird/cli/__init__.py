"""The command line: `bowerbird …`. One file a group of commands; what they share is in `call.py`, what people see in `view.py`."""

from bowerbird.cli.app import main

__all__ = ["main"]
