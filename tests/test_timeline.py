"""The trace as jobs and as counts."""

import pandas as pd
import pytest

from labserver.bench.records import EVENT_COLUMNS, Cell
from labserver.bench.timeline import depth, jobs, jobs_of, lost_tries

ROWS = [
    (1.0, "submit", "pdf", "a", "w1", 0, 1, 0, ""),
    (1.0, "start", "pdf", "a", "w1", 0, 1, 0, ""),
    (2.0, "submit", "pdf", "b", "", 1, 1, 0, ""),
    (2.5, "submit", "pdf", "c", "", 2, 1, 0, ""),
    (2.6, "reject", "pdf", "d", "", 2, 1, 0, "rejected"),
    (3.0, "settle", "pdf", "a", "w1", 2, 1, 0, "killed"),
    (4.000002, "drop", "pdf", "b", "", 1, 0, 0, "expired"),
    (4.0, "end", "pdf", "a", "w1", 0, 1, 0, "killed"),
    (4.1, "start", "pdf", "c", "w1", 0, 1, 0, ""),
]


@pytest.fixture
def events() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=list(EVENT_COLUMNS))


def test_a_job_is_followed_through_its_life(events: pd.DataFrame) -> None:
    job = jobs(events).loc["a"]
    assert (job["submit_s"], job["start_s"], job["settle_s"], job["left_s"]) == (1, 1, 3, 4)
    assert (job["pool"], job["worker"], job["outcome"]) == ("pdf", "w1", "killed")


def test_a_dropped_job_never_ran(events: pd.DataFrame) -> None:
    job = jobs(events).loc["b"]
    assert pd.isna(job["start_s"])
    assert job["left_s"] == 4.000002


def test_a_refused_job_is_none(events: pd.DataFrame) -> None:
    assert list(jobs(events).index) == ["a", "b", "c"]


def test_a_cell_has_the_jobs_submitted_in_it_to_the_end_of_the_trace(events: pd.DataFrame) -> None:
    told = jobs_of(events, Cell("x", 2, 1, "measured", "Burst(n=2)", 2.0, 3.0))
    assert list(told["left_s"]) == [4.000002, 4.1]


def test_depth_keeps_the_order_of_the_trace_where_times_lag(events: pd.DataFrame) -> None:
    """An end is noted after the drop that it led to, with an earlier time: its counts stay."""
    steps = depth(events, "pdf")
    assert list(steps["waiting"]) == [0, 1, 2, 1, 0]
    assert steps["t_s"].is_monotonic_increasing


def test_an_empty_trace_has_no_jobs(events: pd.DataFrame) -> None:
    assert jobs(events.iloc[:0]).empty
    assert depth(events, "message").empty


RETRIED = [
    (1.0, "submit", "pdf", "a", "w1", 0, 1, 0, ""),
    (1.0, "start", "pdf", "a", "w1", 0, 1, 0, ""),
    (1.5, "submit", "pdf", "b", "", 1, 1, 0, ""),
    (3.0, "retry", "pdf", "a", "w1", 1, 0, 0, ""),
    (3.5, "start", "pdf", "a", "w2", 0, 1, 0, ""),
    (5.0, "end", "pdf", "a", "w2", 0, 0, 0, "completed"),
]


def test_a_job_that_lost_its_worker_counts_from_its_last_start() -> None:
    events = pd.DataFrame(RETRIED, columns=list(EVENT_COLUMNS)[: len(RETRIED[0])])
    job = jobs(events).loc["a"]
    assert (job["submit_s"], job["start_s"], job["left_s"], job["worker"]) == (1, 3.5, 5, "w2")
    assert lost_tries(events).values.tolist() == [["a", "w1", 1.0, 3.0]]
