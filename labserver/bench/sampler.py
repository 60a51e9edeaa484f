"""What is watched beside the load: the server's CPU and memory, and how soon /livez answers."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import psutil

from labserver.bench.client import Client
from labserver.bench.footprint import cpu_s, offspring, resident, size
from labserver.bench.launch import ServerProcess
from labserver.bench.records import seconds

SAMPLE_PERIOD_S = 0.05
PROBE_PERIOD_S = 0.02
# Looking at the children costs some ten times as much as at the server, so it is done less often.
CHILDREN_EVERY = 5
MB = 1e6


class ResourceSampler:
    """A thread that reads the server's and our own CPU and memory at 20 Hz, from outside.

    Without a `server` that it can see, only our own CPU.
    """

    def __init__(self, server: ServerProcess | None, origin_ns: int) -> None:
        self.rows: list[dict[str, Any]] = []
        self._server = server.pid if server else None
        self._scratch = server.scratch if server else None
        self._origin_ns = origin_ns
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def tree_cpu_s(self) -> float:
        """CPU seconds of the server and all its children so far, living or ended; 0 unwatched."""
        if self._server is None:
            return 0.0
        used_s = cpu_s(self._server)
        for pid in offspring(self._server):
            with suppress(psutil.NoSuchProcess):
                used_s += cpu_s(pid)
        return used_s

    def _run(self) -> None:
        around: dict[str, float] = {}
        with suppress(psutil.NoSuchProcess):  # the server has ended, and with it what we watch
            while not self._ended.wait(SAMPLE_PERIOD_S):
                if len(self.rows) % CHILDREN_EVERY == 0:
                    around = self._around()
                self.rows.append(self._own() | around)

    def _own(self) -> dict[str, float]:
        row = {
            "t_s": seconds(time.monotonic_ns(), self._origin_ns),
            "client_cpu_s": round(time.process_time(), 3),
        }
        if self._server is not None:
            row["server_cpu_s"] = round(cpu_s(self._server), 3)
            row["server_rss_mb"] = round(resident(self._server) / MB, 2)
        return row

    def _around(self) -> dict[str, float]:
        if self._server is None or self._scratch is None:
            return {}
        children, used_s = 0, 0.0
        for pid in offspring(self._server):
            with suppress(psutil.NoSuchProcess):
                children += resident(pid)
                used_s += cpu_s(pid)
        return {
            "children_rss_mb": round(children / MB, 2),
            "children_cpu_s": round(used_s, 3),
            "scratch_mb": round(size(self._scratch) / MB, 2),
        }


class Probe:
    """Asks /livez at 50 Hz, on time even when an answer is late."""

    def __init__(self, client: Client, origin_ns: int) -> None:
        self.rows: list[dict[str, Any]] = []
        self._client = client
        self._origin_ns = origin_ns
        self._asked: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="probe")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, *self._asked, return_exceptions=True)

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            due += PROBE_PERIOD_S
            await asyncio.sleep(due - time.monotonic())
            task = asyncio.create_task(self._ask())
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)

    async def _ask(self) -> None:
        sent_ns = time.monotonic_ns()
        status = await self._client.livez()
        done_ns = time.monotonic_ns()
        self.rows.append(
            {
                "sent_s": seconds(sent_ns, self._origin_ns),
                "done_s": seconds(done_ns, self._origin_ns),
                "status": status,
            }
        )
