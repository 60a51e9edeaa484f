"""What several test files share: a pool whose work waits for the test's word."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import hypothesis
import pytest
from fastapi import FastAPI

from labserver.jobs.crew import Dispatch
from labserver.jobs.job import Job, OnPage, Result
from labserver.jobs.ledger import Ledger
from labserver.jobs.line import Discipline
from labserver.jobs.pool import Pool
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.jobs.trace import Trace
from labserver.runners.thread import ThreadRunner
from labserver.server.app import create_app
from labserver.server.lab import Lab
from labserver.settings import Settings
from labserver.work.pdf import scratch

PATIENCE_S = 10.0


# A slow machine is no failure: hypothesis must not time its examples.
hypothesis.settings.register_profile("lab", deadline=None)
hypothesis.settings.load_profile("lab")


class Gate:
    """Work that says when it has begun and ends when the test lets it."""

    def __init__(self) -> None:
        self.begun: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.opened = threading.Event()
        self.error: Exception | None = None

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        self.begun.put(threading.current_thread().name)
        if not self.opened.wait(PATIENCE_S):
            raise TimeoutError("the test never opened the gate")
        stop.check()
        if self.error is not None:
            raise self.error
        return Result("done")

    def wait_begun(self) -> str:
        """Wait until the work has begun; the name of its worker's thread."""
        return self.begun.get(timeout=PATIENCE_S)


class Rig:
    """A pool with its ledger and trace, and jobs for it."""

    def __init__(
        self,
        *,
        workers: int = 1,
        queue_size: int = 1,
        dispatch: Dispatch = "least-busy",
        discipline: Discipline = "fifo",
        shed: bool = False,
        retries: int = 0,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.clock = clock
        self.ledger = Ledger()
        self.events: list[tuple[str, str, int, int]] = []
        self.pool = Pool(
            "test",
            ThreadRunner(),
            self.ledger,
            _Listening(self.events),
            workers=workers,
            queue_size=queue_size,
            dispatch=dispatch,
            discipline=discipline,
            shed=shed,
            retries=retries,
            clock=clock,
        )
        self.gates: list[Gate] = []

    def job(self, deadline_s: float = 60.0, gate: Gate | None = None) -> Job:
        gate = gate or Gate()
        self.gates.append(gate)
        stop = StopToken(self.clock() + round(deadline_s * NS_PER_S), self.clock)
        return Job("test", gate, stop, asyncio.get_running_loop().create_future())

    def submit(self, deadline_s: float = 60.0) -> Job:
        job = self.job(deadline_s)
        self.pool.submit(job)
        return job

    def counts(self) -> tuple[int, int]:
        """(waiting, busy) as the pool has it; the ledger must say the same."""
        with self.ledger.lock:
            pool, ledger = self.pool.snapshot_locked(), self.ledger.snapshot_locked()
        assert ledger.balances
        assert ledger.waiting == pool.waiting
        return pool.waiting, pool.busy


class _Listening(Trace):
    def __init__(self, events: list[tuple[str, str, int, int]]) -> None:
        super().__init__()
        self._events = events

    wanted = True

    def record(self, t_ns: int, event: str, *, job_id: str = "", **about: object) -> None:  # type: ignore[override]
        self._events.append((event, job_id, about["waiting"], about["busy"]))  # type: ignore[arg-type]


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    """Start the rig's pool, and end it whatever its gates wait for."""
    rig.pool.start()
    try:
        yield rig
    finally:
        for gate in rig.gates:
            gate.opened.set()
        await asyncio.to_thread(rig.pool.close)


def until(condition: Callable[[], object], what: str, within_s: float = 30.0) -> None:
    """Wait until it holds; for `what` another process does, which raises no event here."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def idle(url: str) -> bool:
    """Whether no job waits or runs at a server."""
    pools = httpx.get(f"{url}/stats", trust_env=False).json()["pools"].values()
    return not any(pool["busy"] or pool["waiting"] for pool in pools)


@pytest.fixture(scope="session", autouse=True)
def _own_scratch() -> Iterator[None]:
    """Conversions outside of a lab leave their scratch's root, which a lab removes when it ends."""
    yield
    scratch.remove_own()


@pytest.fixture
def data() -> Path:
    """The folder of the sample documents."""
    return Path(__file__).resolve().parent.parent / "data"


@asynccontextmanager
async def client_of(lab: Lab, app: FastAPI | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A client that talks to the application in this process, without a socket."""
    transport = httpx.ASGITransport(app or create_app(lab))
    async with httpx.AsyncClient(transport=transport, base_url="http://lab") as client:
        yield client


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A lab of one pdf and one message worker, whose work is simulated and takes no time."""
    settings = Settings(
        engine="sleep", time_scale=0, pdf_workers=1, pdf_queue_size=1, output_dir=tmp_path / "out"
    )
    with Lab(settings) as lab:
        yield lab
