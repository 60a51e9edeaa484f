"""The inline runner: the work runs on the event loop itself. The wrong way, to be measured."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError

from labserver.errors import Stopped
from labserver.jobs.job import OnPage, Result, Task
from labserver.jobs.stop import StopToken
from labserver.runners.thread import ThreadRunner


class InlineRunner(ThreadRunner):
    """Does each job in an `async def` on the server's loop, as if that made it asynchronous.

    Queue, trace and counts are as with every other runner, so what differs is the loop: until a job
    ends it reads no request, answers none, not even with a 503, and lets no deadline pass. The
    worker's thread only waits for it. `loop` is given when there is one.
    """

    loop: asyncio.AbstractEventLoop | None = None

    def run(self, task: Task, stop: StopToken, on_page: OnPage) -> Result:
        """Have the loop do the work, and wait for it. Raises Stopped when the loop has ended."""

        async def work() -> Result:
            return task(stop, on_page)

        assert self.loop is not None
        try:
            return asyncio.run_coroutine_threadsafe(work(), self.loop).result()
        except CancelledError:
            raise Stopped("the server has ended, and its loop with it") from None
