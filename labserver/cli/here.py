"""Commands about what is here: this machine, and the lessons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labserver.cli.app import app


@app.command()
def doctor(
    output_dir: Annotated[Path, typer.Option(help="Folder for the pages of finished jobs.")] = Path(
        "out"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
) -> None:
    """Say whether this machine can run the server and measure honestly, in two seconds."""
    from labserver.doctor import examine

    levels = []
    for finding in examine(output_dir, port):
        print(finding, flush=True)
        levels.append(finding.level)
    failed, warned = levels.count("fail"), levels.count("warn")
    print(f"\n{len(levels)} looked at: {failed} fail, {warned} to be warned of")
    if failed:
        raise typer.Exit(1)


@app.command()
def notebooks(
    names: Annotated[
        list[str] | None, typer.Argument(help="Parts of their names, such as 03; all of them.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Longer, with figures to rely on.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Save each as it ran.")] = False,
) -> None:
    """Run the lessons from top to bottom and say which failed, and where."""
    from labserver.course.execution import execute
    from labserver.course.lessons import lessons

    failed = 0
    for execution in execute(lessons(names or ()), full=full, save=save):
        print(execution, flush=True)
        failed += bool(execution.failure)
    if failed:
        raise typer.Exit(1)


@app.command()
def pages(
    folder: Annotated[Path, typer.Argument(help="Where to, made if not there.")] = Path("course"),
) -> None:
    """Write the lessons, as they are saved, as web pages that open without a network."""
    from labserver.course.lessons import lessons
    from labserver.course.pages import write_pages

    write_pages(lessons(), folder)
    print(folder / "index.html")
