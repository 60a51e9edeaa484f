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
