"""The worker's side of the Dask runner: do jobs in child processes, and end them when told to."""

# A Dask worker's threads cannot be stopped, and its process should not die with a job. So each job
# runs in a child of the process runner, and the thread waits for it. The children are warm, as many
# as the worker has threads, and are shared by all servers that want them prepared alike. Those of a
# server that was killed stay until the Dask worker ends: they cost memory and no CPU.

from __future__ import annotations

import asyncio
import atexit
import os
import pickle
import platform
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from distributed import Worker, get_worker

from labserver import __version__
from labserver.jobs.job import Result, Task
from labserver.jobs.stop import StopToken
from labserver.runners.dask.travel import Errand, Greeting, Report, Travelling
from labserver.runners.process import ProcessRunner

REFUSALS_KEPT = 1000

_lock = threading.Lock()
_stops: dict[str, StopToken] = {}  # of the errands that run here
_refused: deque[str] = deque(maxlen=REFUSALS_KEPT)  # stopped before they came
_children: dict[bytes, ProcessRunner] = {}  # by what prepares them
_servers: dict[bytes, set[str]] = {}


async def greet(server: str, prepare: bytes, dask_worker: Worker) -> Greeting:
    """Get ready for a server's jobs. Raises what `prepare` raises in a child."""
    threads = dask_worker.state.nthreads
    await asyncio.to_thread(_get_ready, server, prepare, threads)
    return Greeting(__version__, platform.python_version(), threads)


async def farewell(server: str, prepare: bytes) -> None:
    """A server ends; the last one that wanted such children ends them."""
    await asyncio.to_thread(_put_away, server, prepare)


def keep(name: str, document: bytes) -> None:
    """Keep a document that many jobs will want, under a name that tells its content."""
    part = _shelf() / f"{name}.{os.getpid()}.part"
    part.write_bytes(document)
    part.replace(_shelf() / name)


def stop(key: str) -> bool:
    """End an errand; False when it has not begun here, and then it never will."""
    with _lock:
        token = _stops.get(key)
        if token is None:
            _refused.append(key)
            return False
    token.request()
    return True


def do(errand: Errand) -> Report:
    """Do an errand; when this returns it has ended, or its child is dead.

    What it raises is reported as a value: to Dask, an error would be the end of a graph.
    """
    began_ns = time.monotonic_ns()
    try:
        with _stoppable(errand) as token:
            return Report("result", _perform(errand, token), began_ns, time.monotonic_ns())
    except Exception as error:  # noqa: BLE001 - whatever the work raises is the job's end
        return Report("error", error, began_ns, time.monotonic_ns())


def _perform(errand: Errand, token: StopToken) -> Any:
    worker = get_worker()

    def on_page(page: int) -> None:
        worker.log_event(errand.topic, {"key": errand.key, "page": page})

    def run(task: Task) -> Result:
        return _children[errand.prepare].run(task, token, on_page)

    if not isinstance(errand.work, Travelling):
        return run(errand.work)
    with _file(errand.document) as document:
        return errand.work.abroad(document, run)


@contextmanager
def _stoppable(errand: Errand) -> Iterator[StopToken]:
    token = StopToken(errand.deadline_ns)
    with _lock:
        if errand.key in _refused:
            token.request()
        _stops[errand.key] = token
    try:
        token.check()  # a late start ends here
        yield token
    finally:
        with _lock:
            del _stops[errand.key]


@contextmanager
def _file(document: bytes | str) -> Iterator[Path]:
    """A document as a file: one of those that are kept, or one that is gone after the job."""
    if isinstance(document, str):
        yield _shelf() / document
        return
    with tempfile.TemporaryDirectory(dir=_shelf()) as folder:
        path = Path(folder) / "document.pdf"
        path.write_bytes(document)
        yield path


@cache
def _shelf() -> Path:
    """This process's folder for documents, named as its scratch is: who clears up finds it."""
    folder = Path(tempfile.mkdtemp(prefix=f"labserver-{os.getpid()}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _get_ready(server: str, prepare: bytes, threads: int) -> None:
    with _lock:
        _servers.setdefault(prepare, set()).add(server)
        if prepare not in _children:
            runner = ProcessRunner(threads, pickle.loads(prepare))
            _children[prepare] = runner.__enter__()


def _put_away(server: str, prepare: bytes) -> None:
    with _lock:
        others = _servers.get(prepare, set())
        others.discard(server)
        runner = None if others else _children.pop(prepare, None)
    if runner is not None:
        runner.__exit__(None, None, None)
