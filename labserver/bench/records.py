"""What a run is made of: a frozen record a request, a cell and a run. No files, no clocks."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal, Self

SCHEMA_VERSION = 1
LOOP = "loop"  # the `path` of a run without a server

Phase = Literal["warmup", "calibration", "measured"]
Verdict = Literal["valid", "INVALID"]
JobType = Literal["pdf2image", "message"]
Arrivals = Literal["poisson", "even"]
Policy = Literal["none", "immediate", "backoff", "jitter", "budget"]

NS_PER_S = 1_000_000_000


def seconds(t_ns: int, origin_ns: int) -> float:
    """A moment of the monotonic clock as seconds since a run began, to the microsecond."""
    return round((t_ns - origin_ns) / NS_PER_S, 6)


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as its client saw it.

    `intended_ns`, `sent_ns` and `done_ns` are `time.monotonic_ns`. `status` is 0 when no answer
    came; `outcome` is then "timeout" (the client went), "unfinished" (the run ended) or "none",
    and `error` says why. The server's own figures (`*_ms`, `worker`) are NaN or empty when it gave
    none.

    A client that tries again sends another request: its `attempt` is 2 or more, and `first` is the
    number of the first one, the request's own where it is that.
    """

    request: int
    cell: str
    phase: Phase
    client: int
    intended_ns: int
    sent_ns: int
    done_ns: int
    status: int
    outcome: str = ""
    job_id: str = ""
    worker: str = ""
    queue_ms: float = math.nan
    process_ms: float = math.nan
    total_ms: float = math.nan
    pages: int = 0
    bytes: int = 0
    retry_after_s: float = math.nan
    attempt: int = 1
    first: int = -1
    error: str = ""

    def __post_init__(self) -> None:
        if self.attempt == 1:
            object.__setattr__(self, "first", self.request)
        if not self.intended_ns <= self.sent_ns <= self.done_ns:
            raise ValueError(f"request {self.request}: intended, sent and done are out of order")

    def row(self, origin_ns: int) -> dict[str, Any]:
        """The record as a row of requests.csv: times in seconds since the run began."""
        row = dataclasses.asdict(self)
        for name in ("intended", "sent", "done"):
            row[f"{name}_s"] = seconds(row.pop(f"{name}_ns"), origin_ns)
        return {column: row[column] for column in REQUEST_COLUMNS}


REQUEST_COLUMNS = (
    "request", "cell", "phase", "client", "intended_s", "sent_s", "done_s", "status", "outcome",
    "job_id", "worker", "queue_ms", "process_ms", "total_ms", "pages", "bytes",
    "retry_after_s", "attempt", "first", "error",
)  # fmt: skip
EVENT_COLUMNS = (
    "t_s", "event", "pool", "job_id", "worker", "waiting", "busy", "page", "outcome",
)  # fmt: skip
SAMPLE_COLUMNS = (
    "t_s", "loop_lag_ms", "server_cpu_s", "client_cpu_s", "server_rss_mb", "children_rss_mb",
    "scratch_mb", "children_cpu_s",
)  # fmt: skip
LATER_COLUMNS = ("children_cpu_s",)  # which the older runs lack: NaN there
PROBE_COLUMNS = ("sent_s", "done_s", "status")


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of a sweep: a load put on the server once. Times count from the run's start.

    A load has a `concurrency` or a `rate_per_s`; the other is 0. The sentinels are the raw values
    of `sentinel.py` from just before and just after it.
    """

    cell: str
    concurrency: int
    repeat: int
    phase: Phase
    load: str
    started_s: float
    ended_s: float
    rate_per_s: float = 0.0
    sentinel_before_ms: list[float] = field(default_factory=list)
    sentinel_after_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        if (self.concurrency < 1) == (self.rate_per_s <= 0):
            raise ValueError(
                f"cell {self.cell}: a concurrency of at least 1 or a rate above 0/s, and not both"
            )
        if self.ended_s < self.started_s:
            raise ValueError(f"cell {self.cell}: it ends before it starts")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What run.json holds: how the run was made, on what, and whether it is to be trusted."""

    name: str
    kind: Literal["sweep", "load"]
    mode: Literal["quick", "full", "custom"]
    started_at: str
    seed: int
    command: list[str]
    server: dict[str, Any]
    client: dict[str, Any]
    document: dict[str, Any]
    machine: dict[str, Any]
    versions: dict[str, str]
    simulated: bool
    cells: list[Cell] = field(default_factory=list)
    ledger: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    verdict: Verdict = "valid"
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(
                f"run.json has schema version {self.schema_version}; this program reads version "
                f"{SCHEMA_VERSION}: read it with the labserver that wrote it, or run it again"
            )

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a record back. Raises ValueError when a field is missing, unknown or too new."""
        known = {f.name for f in dataclasses.fields(cls)}
        if unknown := sorted(set(data) - known):
            raise ValueError(
                f"run.json has fields this program does not know: {', '.join(unknown)}"
            )
        cells = [Cell(**cell) for cell in data.get("cells", [])]
        try:
            return cls(**{**data, "cells": cells})
        except TypeError as error:
            raise ValueError(f"run.json is not complete: {error}") from error
