"""The command line: `main`, and a file for each kind of command."""

from __future__ import annotations

import sys

from labserver import __version__
from labserver.cli.app import app
from labserver.errors import LabError

# In the order in which --help lists their commands.
# isort: off
from labserver.cli import server  # noqa: F401
from labserver.cli import measure  # noqa: F401
from labserver.cli import saved  # noqa: F401
from labserver.cli import here  # noqa: F401
# isort: on


def main() -> None:
    """Run the command line; `serve` when no command is named."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(__version__)
        return
    if not arguments or (arguments[0].startswith("-") and arguments[0] != "--help"):
        arguments.insert(0, "serve")
    try:
        app(arguments, prog_name="labserver")
    except LabError as error:
        sys.exit(_say(error, 2))
    except KeyboardInterrupt:
        sys.exit(130)


def _say(error: LabError, status: int) -> int:
    print(f"labserver: {error}", file=sys.stderr)
    return status
