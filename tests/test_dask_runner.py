"""The Dask runner alone: machines come, die and are greeted; jobs travel and are stopped."""

from __future__ import annotations

import asyncio
import queue
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL

import httpx
import psutil
import pytest
from conftest import PATIENCE_S, client_of
from dask_cluster import DaskProcess, address_of, cluster, scheduler, worker
from pieces import Deaf, Luggage, Pages, Waits
from test_runners import Seats, ignore, in_a_thread, stop_in

from labserver import __version__
from labserver.errors import StartupError, Stopped
from labserver.jobs.stop import StopToken
from labserver.runners.dask import cluster as cluster_module
from labserver.runners.dask.cluster import _problem
from labserver.runners.dask.connection import connected
from labserver.runners.dask.seat import Seat
from labserver.runners.dask.travel import Greeting
from labserver.server.lab import Lab
from labserver.settings import Settings


@pytest.fixture(scope="module")
def external() -> Iterator[tuple[str, list[DaskProcess]]]:
    with cluster(workers=1) as (address, processes):
        yield address, processes


@pytest.fixture
def seats(external: tuple[str, list[DaskProcess]]) -> Iterator[Seats]:
    with Seats(Settings(runner="dask", dask_scheduler=external[0])) as seats:
        yield seats


# Stopping


def test_a_stop_kills_work_that_hears_none_and_what_it_has_started(
    seats: Seats, tmp_path: Path
) -> None:
    stop, pages = stop_in(), queue.SimpleQueue[int]()
    thread, raised = in_a_thread(lambda: seats.run(Deaf(tmp_path), stop, pages.put))
    started, child = (psutil.Process(pages.get(timeout=PATIENCE_S)) for _ in range(2))
    stop.request()
    thread.join(PATIENCE_S)
    assert [type(error) for error in raised] == [Stopped]
    assert not child.is_running()  # its place is free only now
    assert not psutil.wait_procs([started], timeout=PATIENCE_S)[1]
    assert seats.run(Pages(1), stop_in(), ignore).pages == 1


def test_the_deadline_travels_with_a_job_so_that_a_late_start_refuses_itself(seats: Seats) -> None:
    """The server's clock stands still here; the worker's does not."""
    pages: list[int] = []
    now_ns = time.monotonic_ns()
    with pytest.raises(Stopped):
        seats.run(Pages(1), StopToken(now_ns, clock=lambda: now_ns - 1), pages.append)
    assert not pages


def test_a_job_that_has_not_begun_is_let_go_at_once_and_never_begins(seats: Seats) -> None:
    """Another server has the thread that this one's job wants."""
    first = seats.free.get()
    assert isinstance(first, Seat)
    second = Seat(first._station, first._switchboard, first._prepare)
    running, waiting = stop_in(), stop_in()
    begun, pages = threading.Event(), list[int]()
    holder, _ = in_a_thread(lambda: first.run(Waits(), running, lambda page: begun.set()))
    assert begun.wait(PATIENCE_S)
    waiter, raised = in_a_thread(lambda: second.run(Pages(1), waiting, pages.append))
    waiting.request()
    waiter.join(PATIENCE_S)
    assert [type(error) for error in raised] == [Stopped]
    running.request()
    holder.join(PATIENCE_S)
    assert first.run(Pages(1), stop_in(), ignore).pages == 1
    assert not pages
    seats.free.put(first)


# Travelling


@pytest.mark.parametrize("lasting", [True, False])
def test_a_document_that_many_want_is_sent_once(
    seats: Seats, tmp_path: Path, lasting: bool
) -> None:
    document = tmp_path / "document"
    document.write_text("as it was")
    work = Luggage(document, lasting)
    assert seats.run(work, stop_in(), ignore).text == "brought home: as it was"
    document.write_text("as it is now")
    then = "as it was" if lasting else "as it is now"
    assert seats.run(work, stop_in(), ignore).text == f"brought home: {then}"


# Machines that come and go


def lab_of(address: str, tmp_path: Path, *, time_scale: float, retries: int = 1) -> Lab:
    return Lab(
        Settings(
            runner="dask",
            dask_scheduler=address,
            dask_retries=retries,
            engine="sleep",
            time_scale=time_scale,
            rate_limit="off",
            output_dir=tmp_path,
        )
    )


@dataclass
class Story:
    """A lab on a cluster and its client; `begun` jobs are waited for in the server's own events."""

    lab: Lab
    client: httpx.AsyncClient

    def post(self, count: int) -> list[asyncio.Task[httpx.Response]]:
        body = {"data": "x", "jobType": "pdf2image"}
        return [asyncio.create_task(self.client.post("/put", json=body)) for _ in range(count)]

    async def after_starts(self, count: int, then: Callable[[], None]) -> None:
        """Call `then` when so many jobs have begun from now on."""
        with self.lab.trace.feed.subscribe() as events:
            async with asyncio.timeout(PATIENCE_S):
                while count:
                    event = await events.next()
                    count -= event is not None and event["event"] == "start"
        then()

    def hired(self) -> asyncio.Event:
        """Set when another worker has been hired into the pdf pool."""
        loop, event, hire = asyncio.get_running_loop(), asyncio.Event(), self.lab.pdf.hire

        def tell(name: str, runner: Seat) -> None:
            hire(name, runner)
            loop.call_soon_threadsafe(event.set)

        self.lab.pdf.hire = tell  # type: ignore[method-assign]
        return event


@pytest.mark.parametrize("retries", [0, 1])
def test_a_worker_that_is_killed_takes_no_request_with_it_when_one_retry_is_allowed(
    tmp_path: Path, retries: int
) -> None:
    async def story(address: str, victim: DaskProcess) -> tuple[Counter[int], Lab]:
        with lab_of(address, tmp_path, time_scale=0.05, retries=retries) as lab:
            async with client_of(lab) as client:
                told = Story(lab, client)
                killing = asyncio.create_task(told.after_starts(2, victim.kill))
                await asyncio.sleep(0)  # it listens
                answers = await asyncio.gather(*told.post(8))
                await killing
            return Counter(answer.status_code for answer in answers), lab

    with cluster(workers=2) as (address, processes):
        statuses, lab = asyncio.run(story(address, processes[1]))
    assert statuses == ({200: 8} if retries else {200: 7, 503: 1})
    assert lab.snapshot().ledger.balances
    assert lab.snapshot().ledger.outcomes["lost"] == 1 - retries


def test_without_its_scheduler_a_server_says_503_and_goes_on_when_there_is_one_again(
    tmp_path: Path,
) -> None:
    async def lost(told: Story, boss: DaskProcess) -> None:
        killing = asyncio.create_task(told.after_starts(1, boss.kill))
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            answers = await asyncio.gather(*told.post(4))
        await killing
        answers += [await told.client.post("/put", json={"data": "", "jobType": "pdf2image"})]
        assert [answer.status_code for answer in answers] == [503] * 5
        assert {answer.json()["outcome"] for answer in answers} == {"lost"}
        assert "Retry-After" in answers[0].headers
        ready = await told.client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "lost"})

    async def story(boss: DaskProcess, address: str) -> None:
        with lab_of(address, tmp_path, time_scale=0.01) as lab:
            async with client_of(lab) as client:
                told = Story(lab, client)
                lab.settings.__dict__["time_scale"] = 10.0
                await lost(told, boss)
                lab.settings.__dict__["time_scale"] = 0.0
                hired = told.hired()
                with scheduler(int(address.rpartition(":")[2])), worker(address):
                    async with asyncio.timeout(PATIENCE_S):
                        await hired.wait()
                    assert (await client.get("/readyz")).status_code == 200
                    assert [r.status_code for r in await asyncio.gather(*told.post(2))] == [200] * 2
            assert lab.snapshot().ledger.balances

    with scheduler() as boss:
        address = address_of(boss)
        with worker(address):
            asyncio.run(story(boss, address))


def test_a_worker_that_joins_is_given_jobs(
    external: tuple[str, list[DaskProcess]], tmp_path: Path
) -> None:
    async def story(address: str) -> None:
        with lab_of(address, tmp_path, time_scale=0) as lab:
            async with client_of(lab) as client:
                hired = Story(lab, client).hired()
                with worker(address, threads=1):
                    async with asyncio.timeout(PATIENCE_S):
                        await hired.wait()
                    answers = await asyncio.gather(*Story(lab, client).post(2))
                    names = {answer.json()["data"]["result"]["workerName"] for answer in answers}
                    assert len(names) == 2

    asyncio.run(story(external[0]))


# What cannot be used is said at the start


def test_a_scheduler_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_S", 0.2)
    settings = Settings(runner="dask", dask_scheduler="tcp://127.0.0.1:9")
    with pytest.raises(StartupError, match="no Dask scheduler"), Seats(settings):
        pass


def test_a_scheduler_without_workers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "FIRST_WORKER_S", 0.2)
    with scheduler() as boss:
        settings = Settings(runner="dask", dask_scheduler=address_of(boss))
        with pytest.raises(StartupError, match="dask worker tcp://"), Seats(settings):
            pass


def test_a_worker_without_the_package_is_said(tmp_path: Path) -> None:
    (tmp_path / "labserver").mkdir()
    (tmp_path / "labserver/__init__.py").touch()  # in the way of the real one
    with scheduler() as boss, worker(address_of(boss), PYTHONPATH=str(tmp_path)):
        settings = Settings(runner="dask", dask_scheduler=address_of(boss))
        with pytest.raises(StartupError, match=r"labserver.*install labserver"), Seats(settings):
            pass


@pytest.mark.parametrize(
    ("greeting", "problem"),
    [
        (Greeting("0.0.7", "3.11.7", 1), "labserver 0.0.7"),
        (Greeting(__version__, "2.7.18", 1), "Python 2.7.18"),
        (StartupError("poppler is not installed"), "poppler is not installed"),
    ],
)
def test_a_worker_that_is_unlike_the_server_is_said(
    greeting: Greeting | Exception, problem: str
) -> None:
    assert problem in _problem(greeting)


@pytest.mark.parametrize(
    ("scheduler", "said"),
    [
        ("tcp://192.0.2.1:8786", "--dask-allow-plain"),
        ("tcp://scheduler.lan:8786", "--dask-allow-plain"),
        ("tls://192.0.2.1:8786", "--dask-tls-ca"),
    ],
)
def test_a_way_on_which_others_could_speak_is_not_taken(scheduler: str, said: str) -> None:
    settings = Settings(runner="dask", dask_scheduler=scheduler)
    with pytest.raises(StartupError, match=said), connected(settings, 1.0):
        pass


@pytest.mark.parametrize("runner", ["auto", "process"])
def test_only_dask_has_a_scheduler(runner: str) -> None:
    with pytest.raises(StartupError, match="--dask-scheduler"):
        Settings.of(runner=runner, dask_scheduler="tcp://127.0.0.1:8786")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes the certificate")
def test_over_tls_with_a_certificate_of_ones_own(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    openssl = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=lab"
    subprocess.run([*openssl.split(), "-keyout", key, "-out", cert], check=True, stderr=DEVNULL)
    flags = ("--tls-ca-file", str(cert), "--tls-cert", str(cert), "--tls-key", str(key))
    with scheduler(0, "--protocol", "tls", *flags) as boss, worker(address_of(boss), *flags):
        settings = Settings(
            runner="dask",
            dask_scheduler=address_of(boss),
            dask_tls_ca=cert,
            dask_tls_cert=cert,
            dask_tls_key=key,
        )
        assert address_of(boss).startswith("tls://")
        with Seats(settings) as seats:
            assert seats.run(Pages(2), stop_in(), ignore).pages == 2
