"""A run under way: it puts loads on a server, keeps everything, and saves it as a folder."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from labserver.bench.checks import checks
from labserver.bench.client import Attempt, Client
from labserver.bench.host import Host
from labserver.bench.launch import ServerProcess
from labserver.bench.load import Load
from labserver.bench.machine import machine, versions
from labserver.bench.records import NS_PER_S, Cell, Phase, Request, RunInfo, seconds
from labserver.bench.retry import PATIENT, Patience, Retrying
from labserver.bench.sampler import Probe, ResourceSampler
from labserver.bench.sentinel import sentinel_ms
from labserver.bench.store import Run, read_run, write_info, write_run
from labserver.priority import hastened

INTERRUPTED = "interrupted: not all of it was measured. Run it again to its end."
IDLE_WITHIN_S = 120.0
IDLE_POLL_S = 0.05
# An idle server still answers the probe; one that converts takes a core or more.
IDLE_LOOK_S = 0.25
IDLE_CPU_SHARE = 0.4

Rows = list[dict[Hashable, Any]]
Keep = Callable[[Request], None]


class Recording:
    """Everything measured so far. It is saved even when it is not complete, and then says so."""

    def __init__(
        self,
        folder: Path,
        host: Host,
        *,
        kind: Literal["sweep", "load"],
        mode: Literal["quick", "full", "custom"],
        seed: int,
        client: dict[str, Any],
        path: str = "/put",
    ) -> None:
        self._folder = folder
        self._host = host
        self._path = path
        self._seed = seed
        self.client = client  # what run.json says of our side; it may grow until the run is saved
        self._about: dict[str, Any] = {"kind": kind, "mode": mode, "seed": seed, "client": client}
        self._origin_ns = time.monotonic_ns()
        self._started_at = datetime.now(UTC)
        self._requests: list[Request] = []
        self._cells: list[Cell] = []
        self._samples: list[dict[str, Any]] = []
        self._probes: list[dict[str, Any]] = []
        self._ledger: dict[str, Any] = {}
        self._complete = False

    @asynccontextmanager
    async def of(
        self, server: ServerProcess | str, *, token: str | None = None
    ) -> AsyncIterator[None]:
        """Watch `server` while cells are run in this block, and take its ledger at the end.

        Of a server that is only known by its URL, neither CPU nor memory is watched.
        """
        url, watched = (server, None) if isinstance(server, str) else (server.url, server)
        async with Client(url, token=token) as self._client:
            stats = await self._client.stats()
            before = stats["ledger"]
            for name, pool in stats["pools"].items():  # on a cluster no setting says how many
                self._host.server[f"{name}_workers"] = pool["workers"]
            self._sampler = sampler = ResourceSampler(watched, self._origin_ns)
            probe = Probe(self._client, self._origin_ns)
            self._samples, self._probes = sampler.rows, probe.rows
            with sampler, short_collections(), hastened():
                async with probe:
                    yield
            self._ledger = _since(before, (await self._client.stats())["ledger"])
        self._complete = True

    async def cell(
        self,
        load: Load,
        job: dict[str, str],
        repeat: int,
        phase: Phase,
        on_answer: Callable[[], object] = lambda: None,
        patience: Patience = PATIENT,
        beside: AbstractAsyncContextManager[None] | None = None,
    ) -> list[Request]:
        """Put `load` on the server, one `job` a request, and wait until nothing of it runs.

        `beside` is entered while the load goes on. Returns the last attempt of each request.
        """

        def keep(request: Request) -> None:
            self._requests.append(request)
            on_answer()

        name = _cell_name(load, repeat)
        send = self._sender(job, name, phase, patience, keep)
        await self._connect(load.concurrency)
        async with self._as_cell(name, load, repeat, phase), beside or nullcontext():
            return await load.run(Retrying(send, patience, self._seed))

    def _sender(
        self, job: dict[str, str], cell: str, phase: Phase, patience: Patience, keep: Keep
    ) -> Attempt:
        return self._client.sender(
            job,
            path=self._path,
            cell=cell,
            phase=phase,
            timeout_s=patience.timeout_s,
            keep=keep,
        )

    async def _connect(self, n: int) -> None:
        await self._client.connect(n)

    @asynccontextmanager
    async def _as_cell(
        self, name: str, load: Load, repeat: int, phase: Phase
    ) -> AsyncIterator[None]:
        """Let what is done while this is entered be a cell, which ends when nothing of it runs.

        The sentinel runs before it and after.
        """
        before_ms = await self._sentinel_ms()
        started_s = self._now_s()
        try:
            yield
        finally:  # an interrupted cell is told of too
            cell = Cell(
                name, load.concurrency, repeat, phase, repr(load), started_s, self._now_s(),
                load.rate_per_s, before_ms,
            )  # fmt: skip
            self._cells.append(cell)
        await self._idle()
        self._cells[-1] = replace(cell, sentinel_after_ms=await self._sentinel_ms())

    async def _sentinel_ms(self) -> list[float]:
        """What the sentinel reads; nothing before simulated work, which takes no CPU."""
        return [] if self._host.simulated else await asyncio.to_thread(sentinel_ms)

    def save(self, trace: Path | None = None) -> Run:
        """Write the run with the server's `trace`; it checks itself, and says what it found."""
        _cut_places(self._folder / "server.log")
        events, lags = _read_trace(trace, self._origin_ns)
        write_run(
            self._folder,
            self._info(),
            {
                "requests": (request.row(self._origin_ns) for request in self._requests),
                "events": events,
                "samples": _with_lag(self._samples, lags),
                "probes": self._probes,
            },
        )
        run = read_run(self._folder)
        warnings = [] if self._complete else [INTERRUPTED]
        warnings += [str(check) for check in checks(run) if not check.ok]
        if warnings:
            write_info(self._folder, replace(run.info, warnings=warnings, verdict="INVALID"))
            run = read_run(self._folder)
        return run

    def _info(self) -> RunInfo:
        pages = max((request.pages for request in self._requests), default=0)
        return RunInfo(
            name=self._folder.name,
            started_at=self._started_at.isoformat(timespec="seconds"),
            command=["python", "-m", "labserver", *_without_token(sys.argv[1:])],
            server=self._host.server,
            document={**self._host.document, "pages": pages},
            machine=machine(),
            versions=versions(),
            simulated=not pages if self._host.simulated is None else self._host.simulated,
            cells=self._cells,
            ledger=self._ledger,
            **self._about,
        )

    async def _idle(self) -> None:
        """Wait until the server does nothing any more, so that cells do not overlap."""
        deadline = time.monotonic() + IDLE_WITHIN_S
        while await self._works():
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"the server still works {IDLE_WITHIN_S:g} s after its last answer"
                )
            await asyncio.sleep(IDLE_POLL_S)

    async def _works(self) -> bool:
        """Whether a job waits or runs, stopped ones included, or something unseen takes CPU.

        The gallery's work is in no pool, and goes on after its 504.
        """
        pools = (await self._client.stats())["pools"].values()
        if any(pool["busy"] or pool["waiting"] for pool in pools):
            return True
        before_s = await asyncio.to_thread(self._sampler.tree_cpu_s)
        await asyncio.sleep(IDLE_LOOK_S)
        used_s = await asyncio.to_thread(self._sampler.tree_cpu_s) - before_s
        return abs(used_s) > IDLE_CPU_SHARE * IDLE_LOOK_S

    def _now_s(self) -> float:
        return seconds(time.monotonic_ns(), self._origin_ns)


@contextmanager
def short_collections() -> Iterator[None]:
    """Keep what there is out of the garbage collector's sight while this is entered.

    A full collection of a notebook's 180,000 objects takes 60 ms and more, in which nothing is
    sent: longer than a short job takes.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _cell_name(load: Load, repeat: int) -> str:
    size = f"n{load.concurrency:02d}" if load.concurrency else f"rate{load.rate_per_s:.4g}"
    return f"{size}-r{repeat}"


def _since(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The ledger's growth: what a server had counted before we came is not ours."""
    outcomes = Counter(after["outcomes"])
    outcomes.subtract(before["outcomes"])
    return {**after, "received": after["received"] - before["received"], "outcomes": dict(outcomes)}


def _without_token(arguments: list[str]) -> list[str]:
    """The command line as a run may tell it to everybody."""
    hidden = ["…" if last == "--token" else this for last, this in pairwise(["", *arguments])]
    return ["--token=…" if this.startswith("--token=") else this for this in hidden]


def _cut_places(log: Path) -> None:
    """Cut from a log, which may be shown to everybody, where this machine keeps its modules."""
    if not log.exists():
        return
    text = log.read_bytes()
    for place in sorted(filter(None, sys.path), key=len, reverse=True):
        text = text.replace(os.fsencode(f'File "{place}{os.sep}'), b'File "')
    log.write_bytes(text)


def _read_trace(path: Path | None, origin_ns: int) -> tuple[Rows, pd.DataFrame]:
    """The server's trace as rows of events.csv, and its samples of the loop's lag apart."""
    if path is None or not path.exists():
        return [], pd.DataFrame({"t_s": [], "loop_lag_ms": []})
    trace = pd.read_csv(path, keep_default_na=False)
    trace["t_s"] = ((trace["t_ns"] - origin_ns) / NS_PER_S).round(6)
    is_lag = trace["event"] == "lag"
    lags = trace.loc[is_lag, ["t_s", "value"]].rename(columns={"value": "loop_lag_ms"})
    return trace[~is_lag].drop(columns=["t_ns", "value"]).to_dict("records"), lags


def _with_lag(samples: list[dict[str, Any]], lags: pd.DataFrame) -> Rows:
    """Each sample with the loop lag that was measured last before it; both come at 20 Hz."""
    if not samples:
        return []
    table = pd.DataFrame(samples).astype({"t_s": float})
    merged = pd.merge_asof(table, lags.astype({"t_s": float}).sort_values("t_s"), on="t_s")
    return merged.astype(object).where(merged.notna(), "").to_dict("records")
