"""The drain rate, and the Retry-After that comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labserver.jobs.crew import PoolSnapshot
from labserver.server.drainrate import LEAST_S, MOST_S, WINDOW, DrainRate

FULL = PoolSnapshot(workers=8, busy=8, waiting=160, capacity=160, dispatch="least-busy")


def test_it_is_the_rate_at_which_workers_come_free() -> None:
    rate = DrainRate(60)
    for busy_s in (3.0, 5.0):
        rate.job_ended(busy_s)
    assert rate.per_s(8) == pytest.approx(2.0)
    assert rate.retry_after_s(FULL) == pytest.approx(80.0)
    assert rate.retry_after_s(replace(FULL, waiting=40)) == pytest.approx(20.0)


def test_before_any_job_has_ended_each_is_taken_to_need_its_deadline() -> None:
    assert DrainRate(60).retry_after_s(replace(FULL, waiting=8)) == pytest.approx(60.0)


def test_the_old_is_forgotten() -> None:
    rate = DrainRate(60)
    rate.job_ended(1000.0)
    for _ in range(WINDOW):
        rate.job_ended(4.0)
    assert rate.per_s(8) == pytest.approx(2.0)


def test_it_is_bounded_on_both_sides() -> None:
    rate = DrainRate(60)
    rate.job_ended(0.0)
    assert rate.retry_after_s(FULL) == LEAST_S
    slow = DrainRate(3600)
    assert slow.retry_after_s(FULL) == MOST_S
    assert slow.retry_after_s(replace(FULL, waiting=0)) == LEAST_S
