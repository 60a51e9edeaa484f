"""Which workers a Dask cluster has: each of their threads is hired into a pool, and dismissed."""

# Threads
#
#   the pool's workers   each sends one job and waits for it (seat)
#   Dask's own loop      puts what happens to workers into `_events`
#   dask-watch           takes it out, looks whether the scheduler is there, and alone changes who
#                        is hired; a newcomer is greeted in a thread of its own, since its processes
#                        take their time to start

from __future__ import annotations

import logging
import pickle
import platform
import queue
import threading
import uuid
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from itertools import count
from types import TracebackType
from typing import Any, Self

from labserver import __version__
from labserver.errors import StartupError
from labserver.jobs.pool import Pool
from labserver.runners.dask import remote
from labserver.runners.dask.connection import connected
from labserver.runners.dask.seat import BROKEN, Seat, Switchboard
from labserver.runners.dask.station import Station
from labserver.runners.dask.travel import Greeting
from labserver.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.1
CONNECT_S, CONNECT_AGAIN_S = 5.0, 1.0
FIRST_WORKER_S = 10.0
LEAST_PAUSE_S, MOST_PAUSE_S = 0.2, 5.0


class Cluster:
    """Entered, it has hired every thread of a cluster's workers into `pool`, and follows them.

    `prepare` is called in each process that is to do jobs, before the first one. When the scheduler
    is lost all are dismissed, and it tries to reach it again until it does, or is left.
    """

    def __init__(self, settings: Settings, prepare: Callable[[], None], pool: Pool) -> None:
        self._settings = settings
        self._prepare = pickle.dumps(prepare)
        self._pool = pool
        self._server = uuid.uuid4().hex
        self._connection = ExitStack()
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._newcomers: set[str] = set()
        self._seats: dict[str, dict[str, Seat]] = {}  # by worker, then by name in the pool
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch, name="dask-watch", daemon=True)

    def __enter__(self) -> Self:
        """Raises StartupError when there is no scheduler, no worker, or one that is of no use."""
        try:
            self._connect(CONNECT_S)
            self._hire_first()
        except BaseException:
            self._connection.close()
            raise
        self._watching.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._watching.join()
        with suppress(*BROKEN):
            self._client.unsubscribe_topic("all")
            self._client.run(remote.farewell, self._server, self._prepare)
        self._connection.close()

    def _connect(self, within_s: float) -> None:
        client = self._connection.enter_context(connected(self._settings, within_s))
        self._client = client
        self._comm = client.scheduler_comm  # another one when Dask has connected anew
        self._switchboard = Switchboard(client)
        client.subscribe_topic("all", self._on_event)

    def _on_event(self, event: tuple[float, dict[str, Any]]) -> None:
        _, about = event
        if about.get("action") in ("add-worker", "remove-worker"):
            self._events.put((about["action"], about["worker"]))

    def _hire_first(self) -> None:
        """Hire those who are there now, or the first to come."""
        try:
            self._client.wait_for_workers(1, timeout=FIRST_WORKER_S)
        except TimeoutError as error:
            where = self._settings.dask_scheduler
            raise StartupError(
                f"the Dask scheduler at {where} has had no worker for {FIRST_WORKER_S:g} s: "
                f"start one with dask worker {where}"
            ) from error
        greetings = self._client.run(remote.greet, self._server, self._prepare, on_error="return")
        for address, greeting in greetings.items():
            if problem := _problem(greeting):
                raise StartupError(f"the Dask worker at {address} cannot be used: {problem}")
            self._hire(Station(self._client, address), greeting.threads)

    # Below, in the thread dask-watch.

    def _watch(self) -> None:
        while not self._ended.is_set():
            if not self._reachable:
                self._reconnect()
            with suppress(queue.Empty):
                self._follow(*self._events.get(timeout=LOOK_EVERY_S))

    @property
    def _reachable(self) -> bool:
        return self._client.status == "running" and self._client.scheduler_comm is self._comm

    def _follow(self, action: str, about: Any) -> None:
        match action:
            case "add-worker":
                self._meet(about)
            case "remove-worker":
                self._newcomers.discard(about)
                self._lose([about])
            case "greeted":
                station, threads = about
                if station.address in self._newcomers and station.client is self._client:
                    self._newcomers.discard(station.address)
                    self._hire(station, threads)

    def _meet(self, address: str) -> None:
        if address not in self._newcomers and address not in self._seats:
            self._newcomers.add(address)
            threading.Thread(target=self._greet, args=(address,), daemon=True).start()

    def _greet(self, address: str) -> None:
        """In a thread of its own."""
        client = self._client
        try:
            greeting = client.run(
                remote.greet, self._server, self._prepare, workers=[address], on_error="return"
            )[address]
            if problem := _problem(greeting):
                log.error("dask worker %s cannot be used: %s", address, problem)
            else:
                self._events.put(("greeted", (Station(client, address), greeting.threads)))
        except BROKEN as error:
            log.warning("dask worker %s is gone already: %s", address, error)

    def _hire(self, station: Station, threads: int) -> None:
        taken = {name for seats in self._seats.values() for name in seats}
        numbers = {int(name.rpartition("Worker")[2]) for name in taken}
        free = (n for n in count(1) if n not in numbers)
        names = [f"{station.name}{self._pool.name}Worker{next(free)}" for _ in range(threads)]
        seats = {name: Seat(station, self._switchboard, self._prepare) for name in names}
        self._seats[station.address] = seats
        for name, seat in seats.items():
            self._pool.hire(name, seat)
        log.info("dask worker %s is hired with %d threads", station.address, threads)

    def _lose(self, addresses: Collection[str]) -> None:
        lost = [self._seats.pop(address) for address in addresses if address in self._seats]
        names = [name for seats in lost for name in seats]
        if names:
            log.warning("dask workers lost: %s", ", ".join(names))
        # First: what they had must not be dealt to another of them.
        self._pool.dismiss(names)
        for seat in [seat for seats in lost for seat in seats.values()]:
            seat.lose()

    def _reconnect(self) -> None:
        """Give up all that is lost; then try, at growing pauses, until there is a scheduler."""
        log.error("dask scheduler %s is lost", self._settings.dask_scheduler)
        self._lose(list(self._seats))
        self._newcomers.clear()
        self._connection.close()
        pause_s = LEAST_PAUSE_S
        while not self._ended.wait(pause_s):
            pause_s = min(2 * pause_s, MOST_PAUSE_S)
            with suppress(StartupError):
                self._connect(CONNECT_AGAIN_S)
                log.info("dask scheduler %s is there again", self._settings.dask_scheduler)
                for address in self._client.scheduler_info(n_workers=-1)["workers"]:
                    self._meet(address)
                return


def _problem(greeting: Greeting | Exception) -> str:
    """Why a worker cannot be used; nothing when it can."""
    if isinstance(greeting, Exception):
        missing = "No module named" in str(greeting)  # Dask makes another class of it
        remedy = "; install labserver[dask] there, the same version as here" if missing else ""
        return f"{greeting}{remedy}"
    if greeting.labserver != __version__:
        return f"it has labserver {greeting.labserver}, this server {__version__}"
    ours, its = (v.rpartition(".")[0] for v in (platform.python_version(), greeting.python))
    if ours != its:
        return f"it has Python {greeting.python}, this server {platform.python_version()}"
    return ""
