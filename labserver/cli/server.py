"""The command that runs the server."""

from __future__ import annotations

from labserver.cli.app import app
from labserver.flags import with_settings
from labserver.settings import Settings


@app.command()
@with_settings
def serve(*, settings: Settings) -> None:
    """Run the server until it is told to end (the default command)."""
    from labserver.server.serve import serve as run

    run(settings)


@app.command(hidden=True)
@with_settings
def loop(*, settings: Settings) -> None:
    """Convert the sample for each line of standard input, without a server: for --versus loop."""
    from labserver.gallery.loop import run

    run(settings)
