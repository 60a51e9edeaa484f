"""Three times as much as the server can do, for a while, by clients who leave and who try again.

SOAK_SECONDS=60 keeps it up for a minute, with at least 1,000 looks at the ledger.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import idle, until
from test_hostile import children

from labserver.bench.client import Client
from labserver.bench.launch import ServerProcess, launch
from labserver.bench.load import ClosedLoop
from labserver.bench.openloop import OpenLoop
from labserver.bench.rates import busy_rate_per_s
from labserver.bench.retry import Patience, Retrying
from labserver.settings import Settings
from labserver.theory.retries import Retry

SECONDS = float(os.environ.get("SOAK_SECONDS", "6"))
WARM_UP_S = 4.0
LOOKS_PER_S = 40
WORKERS, KEEP_JOBS = 2, 20
PDF = {"data": "soak", "jobType": "pdf2image"}
MESSAGE = {"data": "soak", "jobType": "message"}
RETRY = Retry(3, 0.05, jitter=1.0)
PATIENCES = {
    "waits": Patience(retry=RETRY),
    "leaves": Patience(timeout_s=0.3, retry=RETRY),
    "insists": Patience(retry=RETRY, obey_retry_after=False),
}


@dataclass(frozen=True)
class Holdings:
    """What a server holds that could leak."""

    threads: int
    files: int
    children: Counter[str]

    def no_more_than(self, other: Holdings) -> bool:
        return (
            self.threads <= other.threads
            and self.files <= other.files
            and self.children <= other.children
        )


def holdings(server: ServerProcess) -> Holdings:
    process = psutil.Process(server.pid)
    files = process.num_handles() if psutil.WINDOWS else process.num_fds()
    return Holdings(process.num_threads(), files, children(server.pid))


def memory_mb(server: ServerProcess) -> float:
    return float(psutil.Process(server.pid).memory_info().rss) / 1e6


class Watch:
    """Looks at the ledger all the time, each time by a connection of its own."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.unbalanced: list[dict[str, Any]] = []
        self.memory_mb: list[float] = []
        self.outcomes: Counter[str] = Counter()

    def __repr__(self) -> str:
        ended = ", ".join(f"{n} {outcome}" for outcome, n in (+self.outcomes).items())
        memory_mb = f"{self.memory_mb[0]:.0f} to {self.memory_mb[-1]:.0f} MB"
        return f"{len(self.memory_mb)} looks at the ledger, {memory_mb}: {ended}"

    async def look_until(self, over: asyncio.Event) -> None:
        async with Client(self.server.url) as client:
            while not over.is_set():
                ledger = (await client.stats())["ledger"]
                self.outcomes = Counter(ledger["outcomes"])
                held = ledger["waiting"] + ledger["running"] + self.outcomes.total()
                if ledger["received"] != held:
                    self.unbalanced.append(ledger)
                self.memory_mb.append(memory_mb(self.server))
                await asyncio.sleep(1 / LOOKS_PER_S)


async def soak(server: ServerProcess, watch: Watch, seconds: float) -> None:
    async with Client(server.url) as client:
        alone = await ClosedLoop(WORKERS * 2, rounds=5).run(client.sender(PDF))
        rate_per_s = 3 * busy_rate_per_s(alone, WORKERS)
        over = asyncio.Event()
        watching = asyncio.create_task(watch.look_until(over))
        loads = [
            OpenLoop(rate_per_s / len(PATIENCES), seconds, seed=seed).run(
                Retrying(client.sender(PDF, timeout_s=patience.timeout_s), patience, seed)
            )
            for seed, patience in enumerate(PATIENCES.values())
        ]
        messages = OpenLoop(3.0, seconds).run(client.sender(MESSAGE, timeout_s=2.0))
        await asyncio.gather(*loads, messages)
        over.set()
        await watching


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("engine", ["poppler", "pdfium"])
def test_nothing_is_lost_and_nothing_grows(engine: str, data: Path, tmp_path: Path) -> None:
    settings = Settings(
        engine=engine,
        sample=data / "page.pdf",
        dpi=400,
        output_dir=tmp_path / "out",
        pdf_workers=WORKERS,
        pdf_queue_size=8,
        pdf_timeout=1.0,
        message_timeout=1.0,
        rate_limit="off",
        keep_jobs=KEEP_JOBS,
    )
    with launch(settings) as server:
        asyncio.run(soak(server, Watch(server), WARM_UP_S))  # after it, it has all that it needs
        until(lambda: idle(server.url), "the first time left work behind")
        before, watch = holdings(server), Watch(server)
        asyncio.run(soak(server, watch, SECONDS))
        until(lambda: idle(server.url), "work went on that nobody waits for")
        until(lambda: holdings(server).no_more_than(before), f"more than {before}")
    print(watch)
    assert not watch.unbalanced
    assert {"completed", "rejected", "killed", "abandoned"} <= set(+watch.outcomes)
    third = len(watch.memory_mb) // 3  # the first may still meet what takes memory once
    assert max(watch.memory_mb[-third:]) < 1.1 * max(watch.memory_mb[third:-third])
    assert len(list((tmp_path / "out" / "pdf2image").iterdir())) == KEEP_JOBS
