"""The command line: each command is a few calls into the rooms that do it."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from labserver import __version__
from labserver.errors import LabError
from labserver.settings import ENV_PREFIX, Settings

app = typer.Typer(
    help="A FastAPI server for CPU-heavy jobs, and the kit that measures it.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a flag for each field of Settings in place of its parameter `settings`."""

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        flags = {name: arguments.pop(name) for name in Settings.model_fields}
        command(settings=Settings.of(**flags), **arguments)

    own = inspect.signature(command, eval_str=True).parameters.values()
    flags = [_flag(name) for name in Settings.model_fields]
    parameters = [p for p in own if p.name != "settings"] + flags
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def _flag(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    flag = "--" + name.replace("_", "-")
    option = typer.Option(
        f"{flag}/{flag.replace('--', '--no-', 1)}" if field.annotation is bool else flag,
        help=field.description,
        envvar=f"{ENV_PREFIX}{name.upper()}",
        show_envvar=False,
        rich_help_panel=f"Server (each is also a variable: {ENV_PREFIX}PDF_WORKERS=4)",
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=field.default,
        annotation=Annotated[field.annotation, option],
    )


@app.command()
@with_settings
def serve(*, settings: Settings) -> None:
    """Run the server until it is told to end (the default command)."""
    from labserver.server.serve import serve as run

    run(settings)


@app.command()
@with_settings
def sweep(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="1, 2, 4, 8, 16 at once, twice.")] = False,
    full: Annotated[bool, typer.Option("--full", help="1 to 16 at once, five times.")] = False,
    concurrency: Annotated[
        str | None, typer.Option(help="PDFs at once, such as 1-16 or 1,2,4.")
    ] = None,
    repeats: Annotated[int | None, typer.Option(help="How often each is measured.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the order in which they are run.")] = 0,
    pdf: Annotated[
        Path | None, typer.Option(help="The PDF to convert, in place of the sample.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the run.  [default: results/TIME-sweep]")
    ] = None,
    settings: Settings,
) -> None:
    """Measure 1 to 16 PDFs at once against a server of its own, and draw what came out."""
    from labserver.bench.report import Report
    from labserver.bench.sweep import plan_of
    from labserver.bench.sweep import sweep as measure

    if pdf is not None:
        settings = settings.model_copy(update={"sample": pdf})
    plan = plan_of(quick=quick, full=full, concurrency=concurrency, repeats=repeats, seed=seed)
    run = asyncio.run(measure(plan, settings, out))
    print(Report(run))
    draw(run.path)


@app.command()
def plot(
    run: Annotated[Path, typer.Argument(help="A run's folder, such as results/NAME.")],
) -> None:
    """Draw a saved run's figures again."""
    draw(run)


def draw(folder: Path) -> None:
    """Draw every figure of the run in `folder` and print where each is."""
    from labserver.bench.store import read_run
    from labserver.plots import draw_all

    for path in draw_all(read_run(folder), folder / "plots"):
        print(path)


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """A FastAPI server for CPU-heavy jobs, and the kit that measures it."""


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
