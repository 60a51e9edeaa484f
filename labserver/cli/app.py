"""The command line's root: each command is a few calls into the rooms that do it."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    help="A FastAPI server for CPU-heavy jobs, and the kit that measures it.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """A FastAPI server for CPU-heavy jobs, and the kit that measures it."""
