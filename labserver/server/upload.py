"""A caller's own document: on disk while its job needs it, and inspected before it is queued."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from fastapi import UploadFile

from labserver.errors import Expired
from labserver.jobs.job import Task
from labserver.jobs.stop import NS_PER_S

TaskOf = Callable[[str, Path, int | None], Task]

INSPECTIONS_AT_ONCE = 2
STALE_AFTER_S = 86_400


class Uploads:
    """The documents that jobs are working on, in `folder`. Nothing here happens on the loop."""

    def __init__(self, folder: Path, task_of: TaskOf) -> None:
        """`task_of` inspects the document that it is given; it runs in a thread."""
        self._folder = folder
        self._task_of = task_of
        # Each inspection is a process of its own: a flood of uploads must not become one of those.
        self._places = asyncio.Semaphore(INSPECTIONS_AT_ONCE)
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)

    @asynccontextmanager
    async def task(
        self, job_id: str, upload: UploadFile, dpi: int | None, deadline_ns: int
    ) -> AsyncIterator[Task]:
        """The work on the document that was uploaded, which is kept until the block is left.

        Raises InvalidJob with a reason when it is not one that we convert, Expired when so many
        wait to be inspected that its deadline passes.
        """
        path = self._folder / f"{job_id}.pdf"
        try:
            await asyncio.to_thread(_copy, upload.file, path)
            await upload.close()
            yield await self._inspected(job_id, path, dpi, deadline_ns)
        finally:
            # Work that was told to stop may have the file open still: POSIX lets go of the name
            # now and of the bytes then; Windows refuses, and the next server clears up.
            with suppress(FileNotFoundError, PermissionError):
                path.unlink()

    async def _inspected(self, job_id: str, path: Path, dpi: int | None, deadline_ns: int) -> Task:
        try:
            async with (
                asyncio.timeout((deadline_ns - time.monotonic_ns()) / NS_PER_S),
                self._places,
            ):
                return await asyncio.to_thread(self._task_of, job_id, path, dpi)
        except TimeoutError:
            raise Expired("timeout waiting for its inspection") from None


def _copy(source: BinaryIO, path: Path) -> None:
    with path.open("wb") as target:
        shutil.copyfileobj(source, target)


def _remove_stale(folder: Path) -> None:
    """Remove what a server that was killed has left."""
    for path in folder.glob("*.pdf"):
        with suppress(FileNotFoundError, PermissionError):
            if time.time() - path.stat().st_mtime > STALE_AFTER_S:
                path.unlink()
