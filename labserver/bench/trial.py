"""One load, put once on a server of its own or on one that runs already, and recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from labserver.bench.client import Client
from labserver.bench.host import Host, own_host, running_host, to_be_measured
from labserver.bench.launch import ServerProcess
from labserver.bench.load import Burst, Load
from labserver.bench.ownserver import default_folder, new_folder, on_own_server
from labserver.bench.progress import bar
from labserver.bench.recording import Recording
from labserver.bench.records import JobType
from labserver.bench.retry import PATIENT, Patience
from labserver.bench.store import Run, read_run
from labserver.errors import StartupError
from labserver.settings import Settings

Meanwhile = Callable[[ServerProcess], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A load of jobs of one kind by clients of one patience; `seed` is that of their retries.

    `path` is where the jobs go: elsewhere than /put, to a piece of the gallery.
    """

    load: Load
    job: JobType = "pdf2image"
    patience: Patience = PATIENT
    seed: int = 0
    path: str = "/put"


async def run_trial(
    trial: Trial,
    target: Settings | str | None = None,
    folder: Path | None = None,
    *,
    token: str | None = None,
    meanwhile: Meanwhile | None = None,
    progress: bool = True,
) -> Run:
    """Put the trial's load on `target` after one warm-up request; returns the saved run.

    `meanwhile` is called with a server of our own when the load begins, and may do to it what a
    trial is about, such as `pause` it; the run says its name.

    `target` is the URL of a server that runs, or the settings of one to be started. Of the former
    neither trace nor CPU is known, and `token` is what it was started with. Interrupted, what was
    measured is saved, marked INVALID. Raises LaunchError when a server does not start, StartupError
    when there is none at the URL, the document cannot be read or `folder` holds a run already.
    """
    if isinstance(target, str):
        stats = await _look(target, token)
        folder = new_folder(folder or default_folder("load"))
        recording = _recording(trial, folder, running_host(stats, trial.job))
        try:
            async with recording.of(target, token=token):
                await _measure(trial, recording, progress)
        finally:
            recording.save()
    else:
        settings = to_be_measured(target or Settings())
        host = own_host(settings, trial.job)
        folder = new_folder(folder or default_folder("load"))
        recording = _recording(trial, folder, host)
        async with on_own_server(recording, settings, folder) as server:
            if meanwhile is not None:
                recording.client["meanwhile"] = meanwhile.__name__
            await _measure(trial, recording, progress, _beside(meanwhile, server))
    return read_run(folder)


def _recording(trial: Trial, folder: Path, host: Host) -> Recording:
    return Recording(
        folder,
        host,
        kind="load",
        mode="custom",
        seed=trial.seed,
        client={
            "load": repr(trial.load),
            "job": trial.job,
            "think_s": getattr(trial.load, "think_s", 0.0),
            "patience": repr(trial.patience),
            "path": trial.path,
        },
        path=trial.path,
    )


async def _measure(
    trial: Trial,
    recording: Recording,
    progress: bool,
    beside: AbstractAsyncContextManager[None] | None = None,
) -> None:
    job = {"data": "load", "jobType": trial.job}
    await recording.cell(Burst(1), job, 0, "warmup")
    with bar(unit="answer", shown=progress) as done:
        await recording.cell(trial.load, job, 1, "measured", done.update, trial.patience, beside)


@asynccontextmanager
async def _beside(meanwhile: Meanwhile | None, server: ServerProcess) -> AsyncIterator[None]:
    """Let `meanwhile` go on while this is entered, and wait for its end."""
    if meanwhile is None:
        yield
        return
    task = asyncio.create_task(meanwhile(server))
    try:
        yield
    except BaseException:
        task.cancel()
        raise
    await task


async def _look(url: str, token: str | None) -> dict[str, Any]:
    """The server's GET /stats. Raises StartupError when there is none that we may see."""
    try:
        async with Client(url, token=token) as client:
            stats = await client.stats()
            if not {"pools", "ledger"} <= stats.keys():
                raise StartupError(f"--url {url}: its /stats is not that of a labserver")
            return stats
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise StartupError(f"--url {url}: no labserver answers there ({error})") from error
