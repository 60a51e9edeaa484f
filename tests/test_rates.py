"""Rates in units of the capacity: the plan of them, and how the capacity is found."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from labserver.bench.cells import calibrate
from labserver.bench.load import ClosedLoop
from labserver.bench.rates import RatePlan, busy_rate_per_s, crowd, pool_of, rate_plan_of
from labserver.bench.records import Request
from labserver.bench.report import Report
from labserver.bench.sweep import sweep
from labserver.errors import StartupError
from labserver.plots import draw_all
from labserver.settings import Settings


def answer(sent_s: float, done_s: float, process_ms: float, status: int = 200) -> Request:
    sent_ns, done_ns = round(1e9 * sent_s), round(1e9 * done_s)
    return Request(
        0, "", "calibration", 0, sent_ns, sent_ns, done_ns, status, process_ms=process_ms
    )


def test_every_repeat_of_a_rate_has_arrivals_of_its_own() -> None:
    plan = RatePlan((0.5, 1.5), seconds=2, repeats=3, seed=4)
    loads = plan.loads(capacity_per_s=10)
    assert sorted((load.rate_per_s, repeat) for load, repeat in loads) == [
        (rate, repeat) for rate in (5, 15) for repeat in (1, 2, 3)
    ]
    assert len({load.seed for load, _ in loads}) == 6
    assert loads == plan.loads(capacity_per_s=10)
    assert any(RatePlan((0.5, 1.5), 2, 3, seed=s).loads(10) != loads for s in range(5))


def test_capacity_is_of_the_jobs_while_all_workers_were_busy() -> None:
    """The last request is sent at 4 s; what ends after it had the machine more to itself."""
    answers = [answer(0, 2, 1000), answer(2, 4, 3000), answer(4, 5, 100), answer(1, 1, 0, 503)]
    assert busy_rate_per_s(answers, workers=4) == pytest.approx(4 / 2)


def test_no_job_no_capacity() -> None:
    with pytest.raises(StartupError, match="no job completed"):
        busy_rate_per_s([answer(0, 1, 5, status=504)], workers=1)


def test_the_pool_of_a_job() -> None:
    settings = Settings(pdf_workers=3, pdf_queue_size=2, message_workers=1, message_queue_size=7)
    assert pool_of(settings, "pdf2image") == (3, 6)
    assert pool_of(settings, "message") == (1, 7)


def test_flags_ask_for_rates() -> None:
    plan = rate_plan_of("0.5,1.2", seconds="9", repeats=None, arrivals="even", seed=3)
    assert plan == RatePlan((0.5, 1.2), 9, 2, "even", seed=3)
    plan = rate_plan_of("0.5,1.2", seconds="9,4", repeats=1, arrivals="even", seed=3)
    assert plan.each_s == (9, 4)


@pytest.mark.parametrize(
    ("rates", "seconds"),
    [("x", "9"), ("0", "9"), ("", "9"), ("1,1", "9"), ("1", "0"), ("1", "x"), ("1,2", "9,9,9")],
)
def test_rates_that_make_no_sense_are_refused(rates: str, seconds: str) -> None:
    with pytest.raises(StartupError):
        rate_plan_of(rates, seconds=seconds, repeats=1, arrivals="even", seed=3)


def test_a_rate_lasts_for_a_time_of_its_own() -> None:
    loads = RatePlan((0.5, 2), seconds=(3, 1), repeats=2).loads(10)
    assert {(load.rate_per_s, load.seconds) for load, _ in loads} == {(5, 3), (20, 1)}


def test_the_capacity_of_short_jobs_is_taken_from_many_and_of_long_ones_from_a_few() -> None:
    short, long = [answer(0, 0.01, 10)], [answer(0, 3, 3000)]
    assert crowd(2, 20, short, for_s=5) == ClosedLoop(4, seconds=5)
    assert crowd(2, 20, long, for_s=5) == ClosedLoop(4, rounds=3)
    assert crowd(8, 0, short, for_s=5).clients == 8


def test_a_sweep_of_rates_calibrates_itself_and_is_drawn(tmp_path: Path) -> None:
    settings = Settings(engine="sleep", time_scale=0.02, pdf_workers=2, pdf_queue_size=1)
    plan = RatePlan((0.5, 2.0), seconds=1.0, repeats=1, arrivals="even")
    run = asyncio.run(sweep(plan, settings, tmp_path / "run", progress=False))
    capacity_per_s = run.info.client["capacity_per_s"]
    assert capacity_per_s <= 2 / 0.12  # sleeping for 0.12 s never takes less
    rates = sorted(cell.rate_per_s for cell in run.info.cells if cell.phase == "measured")
    assert rates == pytest.approx([0.5 * capacity_per_s, 2 * capacity_per_s])
    refused = run.measured[run.measured["status"] == 503]
    assert set(refused["rate_per_s"]) == {rates[1]}
    found = calibrate(run)
    assert found is not None
    assert (found.n, found.workers) == (3, 2)
    text = str(Report(run))
    assert "rate/s" in text
    assert " 2.00 " in text
    assert {path.stem for path in draw_all(run, tmp_path / "plots")} == {
        "03-gantt", "04-queue", "05-status", "11-latency-ecdf", "13-loop-lag", "17-validity",
    }  # fmt: skip


def test_a_capacity_that_is_known_is_not_measured(tmp_path: Path) -> None:
    settings = Settings(engine="sleep", time_scale=0.01, pdf_workers=2, dispatch="shared")
    plan = RatePlan((0.5,), seconds=0.3, repeats=1, arrivals="even", capacity_per_s=40.0)
    run = asyncio.run(sweep(plan, settings, tmp_path / "run", progress=False))
    assert run.info.client["capacity_per_s"] == 40.0
    assert [(cell.phase, cell.rate_per_s) for cell in run.info.cells] == [
        ("warmup", 0.0),
        ("measured", 20.0),
    ]
