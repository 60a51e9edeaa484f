"""The server's trace, read as jobs and as counts over time. It judges nothing."""

from __future__ import annotations

import heapq

import pandas as pd

from labserver.bench.records import Cell

LIFE = ["submit", "start", "settle", "end", "drop"]


def jobs(events: pd.DataFrame) -> pd.DataFrame:
    """A row a job that was let in, by job_id: pool, worker, outcome and the time of each step.

    The times are `submit_s`, `start_s` (NaN: it never ran), `settle_s` (its request was over before
    its work) and `left_s` (it ended or left the queue; NaN: not by the end of the trace). Of a job
    that lost its worker and was begun again, they are those of the last try.
    """
    told = events[events["event"].isin(LIFE)]
    by_job = told.groupby("job_id", sort=False)
    steps = told.groupby(["job_id", "event"], sort=False)["t_s"].last().unstack()
    table = steps.reindex(columns=LIFE).add_suffix("_s")
    table["left_s"] = table.pop("end_s").fillna(table.pop("drop_s"))
    for column in ("pool", "worker", "outcome"):
        table[column] = by_job[column].last()
    return table.dropna(subset=["submit_s"]).sort_values("submit_s")


def moment(events: pd.DataFrame, event: str) -> pd.Series[float]:
    """By job_id: when that happened to each job to which it did, in seconds of the run."""
    return events[events["event"] == event].set_index("job_id")["t_s"]


def lost_tries(events: pd.DataFrame) -> pd.DataFrame:
    """A row a try whose worker was lost: job_id, worker, `start_s` and `left_s`."""
    tries = events[events["event"].isin(["start", "retry"])]
    begun_s = tries.groupby("job_id")["t_s"].shift()
    lost = tries.assign(start_s=begun_s, left_s=tries["t_s"])[tries["event"] == "retry"]
    return lost[["job_id", "worker", "start_s", "left_s"]]


def jobs_of(events: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """The `jobs` that were submitted in a cell, followed to their end even past the cell's own.

    A job that had not left by the end of the trace is taken to leave there.
    """
    told = jobs(events)
    mine = told[told["submit_s"].between(cell.started_s, cell.ended_s)]
    return mine.fillna({"left_s": events["t_s"].max()})


def depth(events: pd.DataFrame, pool: str) -> pd.DataFrame:
    """The pool's `waiting` and `busy` as steps: each row holds from its `t_s` to the next.

    Rows keep the trace's order, the true one: their times may lag behind it by microseconds, which
    is evened out.
    """
    changes = events[(events["pool"] == pool) & events["event"].isin(["submit", "end", "drop"])]
    steps = changes[["t_s", "waiting", "busy"]].reset_index(drop=True)
    steps["t_s"] = steps["t_s"].cummax()
    return steps


def replayed_wait_s(told: pd.DataFrame, workers: int) -> pd.Series[float]:
    """By job_id: how long each of the `jobs` that ran would have waited, had no time been lost.

    It is the wait of the same submissions and times of work, first come, first served, before
    `workers` that take the next job the moment they are free.
    """
    ran = told.dropna(subset=["start_s", "left_s"])
    free_s = [0.0] * workers
    waits_s = []
    for submit_s, work_s in zip(ran["submit_s"], ran["left_s"] - ran["start_s"], strict=True):
        start_s = max(submit_s, heapq.heappop(free_s))
        heapq.heappush(free_s, start_s + work_s)
        waits_s.append(start_s - submit_s)
    return pd.Series(waits_s, index=ran.index)
