"""A run under way: it puts loads on a server, keeps everything, and saves it as a folder."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from labserver.bench.checks import checks
from labserver.bench.client import Client
from labserver.bench.launch import ServerProcess
from labserver.bench.load import Load
from labserver.bench.machine import machine, versions
from labserver.bench.records import NS_PER_S, Cell, Phase, Request, RunInfo, seconds
from labserver.bench.sampler import Probe, ResourceSampler
from labserver.bench.store import Run, read_run, write_info, write_run
from labserver.settings import Settings

INTERRUPTED = "interrupted: not all of it was measured. Run it again to its end."
IDLE_WITHIN_S = 120.0
IDLE_POLL_S = 0.05

# What a setting says of the place where the server ran, and not of how it ran.
PLACES = {"host", "port", "sample", "output_dir", "trace", "stdin_guard", "log_level"}

Rows = list[dict[Hashable, Any]]


class Recording:
    """Everything measured so far. It is saved even when it is not complete, and then says so."""

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        *,
        kind: Literal["sweep", "load"],
        mode: Literal["quick", "full", "custom"],
        seed: int,
        client: dict[str, Any],
    ) -> None:
        self._folder = folder
        self._settings = settings
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
    async def of(self, server: ServerProcess) -> AsyncIterator[None]:
        """Watch `server` while cells are run in this block, and take its ledger at the end."""
        async with Client(server.url) as self._client:
            sampler = ResourceSampler(server.pid, server.scratch, self._origin_ns)
            probe = Probe(self._client, self._origin_ns)
            self._samples, self._probes = sampler.rows, probe.rows
            with sampler:
                async with probe:
                    yield
            self._ledger = (await self._client.stats())["ledger"]
        self._complete = True

    async def cell(
        self,
        load: Load,
        job: dict[str, str],
        concurrency: int,
        repeat: int,
        phase: Phase,
        on_answer: Callable[[], object],
    ) -> None:
        """Put `load` on the server, one `job` a request, and wait until nothing of it runs."""
        name = f"n{concurrency:02d}-r{repeat}"
        send = self._client.sender(job, cell=name, phase=phase)

        async def send_one(number: int, intended_ns: int) -> Request:
            request = await send(number, intended_ns)
            self._requests.append(request)
            on_answer()
            return request

        started_s = self._now_s()
        await load.run(send_one)
        cell = Cell(name, concurrency, repeat, phase, repr(load), started_s, self._now_s())
        self._cells.append(cell)
        await self._idle()

    def save(self, trace: Path) -> Run:
        """Write the run with the server's `trace`; it checks itself, and says what it found."""
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
        return RunInfo(
            name=self._folder.name,
            started_at=self._started_at.isoformat(timespec="seconds"),
            command=["python", "-m", "labserver", *sys.argv[1:]],
            server=self._settings.model_dump(mode="json", exclude=PLACES),
            document=_document(self._settings, self._requests),
            machine=machine(),
            versions=versions(),
            simulated=self._settings.engine == "sleep",
            cells=self._cells,
            ledger=self._ledger,
            **self._about,
        )

    async def _idle(self) -> None:
        """Wait until no job waits or runs, stopped ones included, so that cells do not overlap."""
        deadline = time.monotonic() + IDLE_WITHIN_S
        while any(
            pool["busy"] or pool["waiting"]
            for pool in (await self._client.stats())["pools"].values()
        ):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"the server still works {IDLE_WITHIN_S:g} s after its last answer"
                )
            await asyncio.sleep(IDLE_POLL_S)

    def _now_s(self) -> float:
        return seconds(time.monotonic_ns(), self._origin_ns)


def _document(settings: Settings, requests: Sequence[Request]) -> dict[str, Any]:
    if settings.engine == "sleep":
        return {"name": "simulated work", "pages": 0, "bytes": 0}
    content = settings.sample.read_bytes()
    return {
        "name": settings.sample.name,
        "pages": max((request.pages for request in requests), default=0),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _read_trace(path: Path, origin_ns: int) -> tuple[Rows, pd.DataFrame]:
    """The server's trace as rows of events.csv, and its samples of the loop's lag apart."""
    if not path.exists():
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
