"""Each request from both sides: what its client saw and what the server's trace says of its job."""

# The two sides share a clock: on one machine `monotonic_ns` counts from the same moment in every
# process (Linux CLOCK_MONOTONIC, macOS mach_absolute_time, Windows' performance counter). A run
# against a server elsewhere has no trace, and then only its own side.

from __future__ import annotations

import numpy as np
import pandas as pd

from labserver.bench.store import Run
from labserver.bench.timeline import jobs, moment

MOMENTS = ("intended_s", "sent_s", "submit_s", "start_s", "settle_s", "reply_s", "done_s")


def join(run: Run) -> pd.DataFrame:
    """A row a request, all phases, with the columns of requests.csv and those of its job.

    Moments, in seconds since the run began: `intended_s`, `sent_s`, `submit_s` (enqueued or
    refused), `start_s` (NaN: it never ran), `settle_s` (its outcome was decided), `reply_s`
    (the server began to send its answer; NaN in runs from before that was noted), `done_s`
    (received), and `left_s`, when its worker or its place was really free again.

    Parts, in ms: `latency_ms` = `wait_ms` + `service_ms` + `overhead_ms`, from the intended time;
    the overhead is again `send_lag_ms` (intended to sent) + `way_in_ms` (to the queue) +
    `way_out_ms` (from the outcome to the client). They are NaN where the server has told nothing.
    """
    table: pd.DataFrame = run.requests.merge(
        _fates(run.events), how="left", left_on="job_id", right_index=True
    )
    # As a refused or expired job has not started, its wait ends with its outcome.
    started_s = table["start_s"].fillna(table["settle_s"])
    table["latency_ms"] = 1000 * (table["done_s"] - table["intended_s"])
    table["wait_ms"] = (1000 * (started_s - table["submit_s"])).fillna(table["queue_ms"])
    table["service_ms"] = (1000 * (table["settle_s"] - started_s)).fillna(table["process_ms"])
    table["overhead_ms"] = table["latency_ms"] - table["wait_ms"] - table["service_ms"]
    table["send_lag_ms"] = 1000 * (table["sent_s"] - table["intended_s"])
    table["way_in_ms"] = 1000 * (table["submit_s"] - table["sent_s"])
    table["way_out_ms"] = 1000 * (table["done_s"] - table["settle_s"])
    return table


def out_of_order(joined: pd.DataFrame) -> pd.DataFrame:
    """The rows of answered requests whose moments are not in the order of `MOMENTS`.

    A client that has gone is not held to it: the server may hear of its request only afterwards.
    """
    answered = joined[joined["status"] != 0]
    at_s = answered[list(MOMENTS)].astype(float).ffill(axis=1).to_numpy()
    return answered[np.any(np.diff(at_s, axis=1) < 0, axis=1)]


def _fates(events: pd.DataFrame) -> pd.DataFrame:
    """By job_id: submit_s, start_s, settle_s, reply_s and left_s, of refused jobs too."""
    told = jobs(events)[["submit_s", "start_s", "settle_s", "left_s"]]
    told["settle_s"] = told["settle_s"].fillna(told["left_s"])
    refused = moment(events, "reject")
    turned_away = pd.DataFrame(dict.fromkeys(("submit_s", "settle_s", "left_s"), refused))
    fates = pd.concat([told, turned_away]) if len(turned_away) else told
    return fates.join(moment(events, "reply").rename("reply_s"))
