"""Mistake: a queue without a bound and without a deadline, in front of as many workers as ours.

Nothing is ever refused. Above capacity the line only grows, and everyone waits longer than the one
before, until the clients give up; the workers then go on converting for people who have left.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI

from labserver.gallery.contract import Exhibit, Visit


def routes(exhibit: Exhibit) -> APIRouter:
    """The endpoint; the executor's own queue is the one without a bound."""
    executor = ThreadPoolExecutor(exhibit.workers, thread_name_prefix="unbounded")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        executor.shutdown(wait=False, cancel_futures=True)

    router = APIRouter(lifespan=lifespan)

    @router.post("/unbounded/put", summary="Mistake: a queue without a bound", description=__doc__)
    async def put(body: dict[str, Any]) -> dict[str, Any]:
        visit = Visit()

        def work() -> dict[str, Any]:
            visit.begin()
            return visit.answer(exhibit.work(visit.id), worker=threading.current_thread().name)

        return await asyncio.get_running_loop().run_in_executor(executor, work)

    return router
