"""The server that this kit began with, in our own words, without its dispatch bug.

What is wrong with it:

- the whole document is rasterised into memory, by four pdftoppm at a time for each job, before
  the first page is compressed: with eight jobs, 136 pages of 12 MB and 32 processes;
- Pillow compresses a page at its default level 6, on the thread and under the interpreter's lock;
- the worker thread calls `set_result` itself. That puts the waiter's wake-up on the loop's list but
  does not wake the loop, which finds it when something else does: uvicorn's tick, each 0.1 s;
- after a 504 the conversion goes on, for nobody.

(Its dispatch sent every job to the first worker. Here a job goes to the shortest queue.)
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException
from pdf2image import convert_from_path

from labserver.gallery.contract import Exhibit, Visit

Item = tuple[Visit, "asyncio.Future[dict[str, Any]]"]


def convert(document: Path, folder: Path, dpi: int) -> str:
    """Convert `document` as the original does; returns its sentence about it."""
    folder.mkdir(parents=True)
    images = convert_from_path(document, dpi=dpi, thread_count=4)
    for number, image in enumerate(images, start=1):
        image.save(folder / f"image.{number:02d}.png")
    return f"job[pdf2image] finished, nPages={len(images)}"


def routes(exhibit: Exhibit) -> APIRouter:
    """The endpoint, and the worker threads with a bounded queue each."""
    queues: list[queue.Queue[Item | None]] = [
        queue.Queue(exhibit.queue_size) for _ in range(exhibit.workers)
    ]

    def worker(number: int) -> None:
        while (item := queues[number].get()) is not None:
            visit, promise = item
            visit.begin()
            text = convert(exhibit.sample, exhibit.output / visit.id, exhibit.dpi)
            if not promise.cancelled():
                promise.set_result(visit.answer(text, f"originalWorker{number + 1}"))
            queues[number].task_done()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        for number in range(exhibit.workers):
            threading.Thread(target=worker, args=(number,), daemon=True).start()
        yield
        for waiting in queues:
            while not waiting.empty():
                waiting.get_nowait()
            waiting.put_nowait(None)

    router = APIRouter(lifespan=lifespan)

    @router.post("/original/put", summary="What this kit began with", description=__doc__)
    async def put(body: dict[str, Any]) -> dict[str, Any]:
        visit, promise = Visit(), asyncio.get_running_loop().create_future()
        shortest = min(queues, key=lambda waiting: waiting.unfinished_tasks)
        try:
            shortest.put_nowait((visit, promise))
        except queue.Full:
            raise HTTPException(503, f"[{visit.id}] Service unavailable (job queue full)") from None
        try:
            async with asyncio.timeout(exhibit.timeout_s):
                answer: dict[str, Any] = await promise
                return answer
        except TimeoutError:
            raise HTTPException(504, f"[{visit.id}] Gateway timeout") from None

    return router
