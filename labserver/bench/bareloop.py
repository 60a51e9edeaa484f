"""The same conversions by a bare loop in the place of a server; the rest is what that costs."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
import time
from asyncio import Future
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from labserver.bench.client import Attempt
from labserver.bench.host import Host
from labserver.bench.launch import ServerProcess, launch
from labserver.bench.recording import Keep, Recording, short_collections
from labserver.bench.records import Phase, Request
from labserver.bench.retry import Patience
from labserver.bench.sampler import ResourceSampler
from labserver.bench.sweep import Plan
from labserver.errors import LaunchError
from labserver.priority import hastened
from labserver.settings import Settings

NS_PER_MS = 1e6
ENDS_WITHIN_S = 10.0


class BareLoop(Recording):
    """Converts the sample in as many processes as there are pdf workers: see gallery/loop.py.

    A request is a document, and what it waits for is a process. There is no /livez to ask, and no
    trace; what the settings say of queues, deadlines and runners means nothing.
    """

    def __init__(
        self, folder: Path, host: Host, settings: Settings, plan: Plan, client: dict[str, Any]
    ) -> None:
        super().__init__(folder, host, kind="sweep", mode=plan.mode, seed=plan.seed, client=client)
        self._settings = settings
        self._numbers = itertools.count()
        self._waiting: dict[str, Future[dict[str, Any]]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have the loop while this is entered; however it is left, the run is saved.

        Raises LaunchError when the loop does not start.
        """
        with tempfile.TemporaryDirectory(prefix="labserver-run-") as pages:
            used = self._settings.model_copy(update={"output_dir": Path(pages)})
            try:
                with launch(used, log=self._folder / "server.log", command="loop") as loop:
                    async with self._watched(loop):
                        yield
                self._complete = True
            finally:
                self.save()

    @asynccontextmanager
    async def _watched(self, loop: ServerProcess) -> AsyncIterator[None]:
        self._loop = loop
        sampler = ResourceSampler(loop, self._origin_ns)
        self._samples = sampler.rows
        listening = asyncio.create_task(self._listen(loop), name="answers of the loop")
        try:
            with sampler, short_collections(), hastened():
                yield
        finally:
            loop.ask_no_more()
            await asyncio.wait([listening], timeout=ENDS_WITHIN_S)

    async def _listen(self, loop: ServerProcess) -> None:
        """Give each answer to who waits for it, until the loop ends."""
        while line := await asyncio.to_thread(loop.answer):
            told = json.loads(line)
            if not (waiting := self._waiting.pop(told.pop("request"))).done():
                waiting.set_result(told)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LaunchError(f"the loop has ended; see {loop.log}"))

    def _sender(
        self, job: dict[str, str], cell: str, phase: Phase, patience: Patience, keep: Keep
    ) -> Attempt:
        async def send(client: int, intended_ns: int, after: Request | None = None, /) -> Request:
            number, sent_ns = next(self._numbers), time.monotonic_ns()
            self._waiting[str(number)] = answer = asyncio.get_running_loop().create_future()
            self._loop.ask(str(number))
            told = await answer
            done_ns = time.monotonic_ns()
            total_ms, failed = (done_ns - sent_ns) / NS_PER_MS, told["error"]
            record = Request(
                number, cell, phase, client, intended_ns, sent_ns, done_ns,
                status=500 if failed else 200, outcome="failed" if failed else "completed",
                worker=told["worker"], queue_ms=total_ms - told["process_ms"],
                process_ms=told["process_ms"], total_ms=total_ms, pages=told["pages"],
                error=failed,
            )  # fmt: skip
            keep(record)
            return record

        return send

    async def _connect(self, n: int) -> None:
        """There is nothing to connect to."""

    async def _idle(self) -> None:
        """Nothing runs any more when the last document is done."""
