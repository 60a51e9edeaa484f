"""A run as a trace that ui.perfetto.dev and chrome://tracing open: a row a worker, on one clock.

The form is Google's "Trace Event Format"; its times are in µs. It adds nothing to what the run has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from labserver.bench.records import Cell
from labserver.bench.timeline import depth, jobs

CLIENT = 1  # the process of our side; the pools follow
CELLS = 1  # its row of cells

Event = dict[str, Any]


def trace_of(cells: Sequence[Cell], requests: pd.DataFrame, events: pd.DataFrame) -> dict[str, Any]:
    """The trace as a JSON object, from what run.json, requests.csv and events.csv hold.

    The client has a slice a cell and one a request, the latter asynchronous, as requests overlap. A
    pool has a row a worker with a slice a job, in it the part that was for nobody, and an instant a
    page; a counter of its waiting and running jobs; an instant at each refusal.
    """
    until_s = float(events["t_s"].max()) if len(events) else 0.0
    told: list[Event] = [*_client(cells), *_requests(requests)]
    for number, pool in enumerate(sorted(set(events["pool"]) - {""}), start=CLIENT + 1):
        mine = events[events["pool"] == pool]
        told += [*_pool(number, str(pool), mine), *_jobs(number, mine, until_s)]
        told += [*_pages(number, mine), *_refusals(number, mine), *_depth(number, mine, str(pool))]
    return {"displayTimeUnit": "ms", "traceEvents": told}


def _client(cells: Sequence[Cell]) -> Iterator[Event]:
    yield _name("process_name", CLIENT, 0, "client")
    yield _name("thread_name", CLIENT, CELLS, "cells")
    for cell in cells:
        yield _slice(
            CLIENT, CELLS, cell.cell, "cell", cell.started_s, cell.ended_s,
            {"load": cell.load, "phase": cell.phase},
        )  # fmt: skip


def _requests(requests: pd.DataFrame) -> Iterator[Event]:
    for row in _rows(requests):
        about = {
            "name": f"{row.status} {row.outcome}".strip(),
            "cat": "request",
            "id": int(row.request),
            "pid": CLIENT,
            "tid": 0,
        }
        args = {"job": row.job_id, "attempt": int(row.attempt), "sent": _us(row.sent_s)}
        yield {"ph": "b", "ts": _us(row.intended_s), "args": args, **about}
        yield {"ph": "e", "ts": _us(row.done_s), **about}


def _pool(pid: int, pool: str, events: pd.DataFrame) -> Iterator[Event]:
    yield _name("process_name", pid, 0, f"{pool} pool")
    for worker in sorted(set(events["worker"]) - {""}, key=_row):
        yield _name("thread_name", pid, _row(worker), worker)


def _jobs(pid: int, events: pd.DataFrame, until_s: float) -> Iterator[Event]:
    for job in _rows(jobs(events).dropna(subset=["start_s"])):
        left_s = until_s if pd.isna(job.left_s) else job.left_s
        row, args = _row(job.worker), {"job": job.Index, "outcome": job.outcome}
        yield _slice(pid, row, job.outcome or "running", "job", job.start_s, left_s, args)
        if job.settle_s < left_s:
            begin_s = max(job.settle_s, job.start_s)
            yield _slice(pid, row, "for nobody", "job", begin_s, left_s, args)


def _pages(pid: int, events: pd.DataFrame) -> Iterator[Event]:
    for page in _rows(events[events["event"] == "page"]):
        yield _instant(pid, _row(page.worker), f"page {page.page:.0f}", page.t_s, page.job_id, "t")


def _refusals(pid: int, events: pd.DataFrame) -> Iterator[Event]:
    for refusal in _rows(events[events["event"] == "reject"]):
        yield _instant(pid, 0, f"503 {refusal.outcome}", refusal.t_s, refusal.job_id, "p")


def _depth(pid: int, events: pd.DataFrame, pool: str) -> Iterator[Event]:
    for step in _rows(depth(events, pool)):
        counts = {"running": int(step.busy), "waiting": int(step.waiting)}
        yield {"ph": "C", "name": "jobs", "ts": _us(step.t_s), "pid": pid, "tid": 0, "args": counts}


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    """Its rows, with the columns as attributes."""
    return iter(table.itertuples())


def _name(kind: str, pid: int, tid: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": name}}


def _slice(
    pid: int, tid: int, name: str, category: str, from_s: float, to_s: float, args: Event
) -> Event:
    begin_us = _us(from_s)
    return {
        "ph": "X", "name": name, "cat": category, "pid": pid, "tid": tid,
        "ts": begin_us, "dur": max(0, _us(to_s) - begin_us), "args": args,
    }  # fmt: skip


def _instant(pid: int, tid: int, name: str, at_s: float, job_id: str, scope: str) -> Event:
    return {
        "ph": "i", "name": name, "cat": "job", "pid": pid, "tid": tid,
        "ts": _us(at_s), "s": scope, "args": {"job": job_id},
    }  # fmt: skip


def _us(at_s: float) -> int:
    return round(1e6 * at_s)


def _row(worker: str) -> int:
    """The worker's number, that ends its name."""
    found = re.search(r"\d+$", worker)
    return int(found[0]) if found else 0
