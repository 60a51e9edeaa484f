"""A thread of the cluster as a runner: it does one job at a time, for one worker of the pool."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Literal, Self, cast

from distributed import Client, Future, KilledWorker
from distributed.client import ClosedClientError

from labserver.errors import Stopped, WorkerLost
from labserver.jobs.job import OnPage, Result, Task
from labserver.jobs.stop import StopToken
from labserver.runners.dask import remote
from labserver.runners.dask.station import Station
from labserver.runners.dask.travel import Errand, Report, Travelling
from labserver.runners.process import Leaving

News = int | Literal["done", "unbegun", "lost"]

# What a call raises whose connection or worker breaks.
BROKEN = (CancelledError, ClosedClientError, KilledWorker, OSError)
LOST_WITHIN_S = 5.0


class Switchboard:
    """Brings the pages that a connection's workers report to those who wait for them."""

    def __init__(self, client: Client) -> None:
        self.topic = f"labserver-{uuid.uuid4().hex}"
        self._inboxes: dict[str, queue.SimpleQueue[News]] = {}
        client.subscribe_topic(self.topic, self._on_event)

    @contextmanager
    def inbox(self, key: str) -> Iterator[queue.SimpleQueue[News]]:
        """Where the news of an errand arrive while the block lasts."""
        inbox: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._inboxes[key] = inbox
        try:
            yield inbox
        finally:
            del self._inboxes[key]

    def _on_event(self, event: tuple[float, dict[str, object]]) -> None:
        _, page = event
        if inbox := self._inboxes.get(str(page["key"])):
            inbox.put(cast(int, page["page"]))


class Seat:
    """Runs work in one thread of a Dask worker, in a process of its own there."""

    def __init__(self, station: Station, switchboard: Switchboard, prepare: bytes) -> None:
        self._station = station
        self._switchboard = switchboard
        self._prepare = prepare
        self._lock = threading.Lock()
        self._lost = False
        self._inbox: queue.SimpleQueue[News] | None = None
        self._future: Future[Report] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing was started: the cluster has."""

    def prepare_thread(self) -> None:
        """Nothing: the thread only waits, and answers sooner at its usual priority."""

    def lose(self) -> None:
        """The machine is gone: whoever waits for it is told."""
        with self._lock:
            self._lost = True
            future = self._future
            if self._inbox is not None:
                self._inbox.put("lost")
        if future is not None:
            with suppress(*BROKEN):  # a result on its way will not arrive, whoever waits for it
                future.cancel()

    def run(self, task: Task, stop: StopToken, on_page: OnPage) -> Result:
        """Do the work there; when this returns it has ended, or its process is dead.

        Raises Stopped when the stop ended it, WorkerLost when its machine was lost, and what the
        work raised.
        """
        stop.check()
        work: object = task
        key = f"labserver-{uuid.uuid4().hex}"
        try:
            with self._switchboard.inbox(key) as inbox, self._losable(inbox):
                report = self._converse(key, work, stop, on_page, inbox)
        except WorkerLost:
            if isinstance(work, Leaving):
                work.clean_up()
            raise
        if report.kind == "error":
            raise report.value
        if isinstance(work, Travelling):
            return work.come_home(report.value)
        return cast(Result, report.value)

    @contextmanager
    def _losable(self, inbox: queue.SimpleQueue[News]) -> Iterator[None]:
        with self._lock:
            if self._lost:
                raise WorkerLost(f"the Dask worker {self._station.address} is lost")
            self._inbox = inbox
        try:
            yield
        finally:
            with self._lock:
                self._inbox = self._future = None

    def _converse(
        self,
        key: str,
        work: object,
        stop: StopToken,
        on_page: OnPage,
        inbox: queue.SimpleQueue[News],
    ) -> Report:
        stopper = threading.Thread(target=self._stop, args=(key, inbox), daemon=True)
        sent_ns = time.monotonic_ns()
        try:
            with stop.calling(stopper.start):
                future = self._send(key, work, stop.deadline_ns)
                future.add_done_callback(lambda _: inbox.put("done"))
                while isinstance(news := inbox.get(), int):
                    on_page(news)
            if news == "unbegun":
                raise Stopped("nobody waited for this job any more: it was not begun")
            if news == "done":
                report = future.result()
                self._station.learn(report, sent_ns)
                return report
        except BROKEN:
            _await_loss(inbox)
        raise WorkerLost(f"the Dask worker {self._station.address} was lost with the job")

    def _send(self, key: str, work: object, deadline_ns: int) -> Future[Report]:
        document: bytes | str = b""
        if isinstance(work, Travelling):
            keep = work.lasting
            document = self._station.keep(work.document) if keep else work.document.read_bytes()
        due_ns = self._station.at(deadline_ns)
        errand = Errand(key, self._switchboard.topic, work, self._prepare, due_ns, document)
        future: Future[Report] = self._station.client.submit(
            remote.do, errand, key=key, workers=[self._station.address], pure=False
        )
        with self._lock:
            self._future = future
        return future

    def _stop(self, key: str, inbox: queue.SimpleQueue[News]) -> None:
        """Told to from a thread of its own: the answer takes its way to the worker and back."""
        with suppress(*BROKEN):  # then the worker is lost, which is said elsewhere
            if not self._station.stop(key):
                inbox.put("unbegun")


def _await_loss(inbox: queue.SimpleQueue[News]) -> None:
    """Wait until the cluster knows it too, and has dismissed the seats of that machine."""
    with suppress(queue.Empty):
        while inbox.get(timeout=LOST_WITHIN_S) != "lost":
            pass
