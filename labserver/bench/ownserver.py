"""A server for one run: started before it, ended after it, and the run saved in any case."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from labserver.bench.launch import ServerProcess, launch
from labserver.bench.recording import Recording
from labserver.errors import StartupError
from labserver.settings import Settings


@asynccontextmanager
async def on_own_server(
    recording: Recording, settings: Settings, folder: Path
) -> AsyncIterator[ServerProcess]:
    """A server for `recording` while this is entered; its log stays in `folder`.

    However it is left, the run is saved. Raises LaunchError when the server does not start.
    """
    with tempfile.TemporaryDirectory(prefix="labserver-run-") as temporary:
        trace, pages = Path(temporary) / "trace.csv", Path(temporary) / "out"
        served = settings.model_copy(update={"trace": trace, "output_dir": pages})
        token = settings.token.get_secret_value() if settings.token else None
        try:
            with launch(served, log=folder / "server.log") as server:
                async with recording.of(server, token=token):
                    yield server
        finally:
            recording.save(trace)


def default_folder(kind: str) -> Path:
    """Where a run goes when no folder is named."""
    return Path("results") / f"{datetime.now():%Y%m%d-%H%M%S}-{kind}"


def new_folder(folder: Path) -> Path:
    """`folder`, made. Raises StartupError if it holds a run."""
    if (folder / "run.json").exists():
        raise StartupError(f"{folder} holds a run already: name another --out, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
