"""The report of a run: its numbers against hand counts, its text and its HTML."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_run import House, fake_run

from labserver.bench.cells import calibrate, cell_of, throughputs
from labserver.bench.health import health
from labserver.bench.records import Cell, Request, RunInfo
from labserver.bench.report import Report, _spread
from labserver.bench.store import Run, read_run, write_run
from labserver.bench.summary import summary
from labserver.bench.wording import joined


def request(cell: str, phase: str, times_s: tuple[float, float, float], **more: object) -> Request:
    intended, sent, done = (round(1e9 * t) for t in times_s)
    fields = {"request": 0, "client": 0, "status": 200, "outcome": "completed", "pages": 3}
    return Request(cell=cell, phase=phase, intended_ns=intended, sent_ns=sent, done_ns=done,
                   **{**fields, **more})  # fmt: skip


@pytest.fixture
def by_hand(tmp_path: Path) -> Run:
    """Two repeats of N = 2 that take 4 s and 5 s, the second with a 504; one N = 1; a warm-up."""
    requests = [
        request("w", "warmup", (0, 0, 9), process_ms=9000, queue_ms=0),
        request("a", "measured", (10, 10, 12), process_ms=1500, queue_ms=400),
        request("a", "measured", (10, 10.1, 14), process_ms=1500, queue_ms=2400),
        request("b", "measured", (20, 20, 22), process_ms=1500, queue_ms=400),
        request("b", "measured", (20, 20, 25), status=504, outcome="killed", pages=0),
        request("c", "measured", (30, 30, 31), process_ms=900, queue_ms=50),
    ]
    cells = [
        Cell("w", 1, 1, "warmup", "Burst(n=1)", 0, 9),
        Cell("a", 2, 1, "measured", "Burst(n=2)", 10, 14),
        Cell("b", 2, 2, "measured", "Burst(n=2)", 20, 25),
        Cell("c", 1, 1, "measured", "Burst(n=1)", 30, 31),
    ]
    base = fake_run(tmp_path / "base", (1,), 1).info
    info = RunInfo.from_json({**base.to_json(), "cells": [], "ledger": {}})
    info = dataclasses.replace(info, cells=cells)
    samples = [
        {"t_s": 1, "server_rss_mb": 100, "children_rss_mb": 20, "scratch_mb": 5},
        {"t_s": 12, "server_rss_mb": 90, "children_rss_mb": 50, "scratch_mb": 7},
    ]
    probes = [{"sent_s": 9.5, "done_s": 9.9, "status": 200}] + [
        {"sent_s": 10 + i / 1000, "done_s": 10 + i / 1000 + i / 1e5, "status": 200 if i else 0}
        for i in range(301)
    ]
    tables = {"requests": [r.row(0) for r in requests], "samples": samples, "probes": probes}
    write_run(tmp_path / "run", info, tables)
    return read_run(tmp_path / "run")


def test_counts_are_of_measured_requests(by_hand: Run) -> None:
    row = summary(by_hand).loc[2]
    counts = [row[name] for name in ("repeats", "requests", "200", "503", "504", "other")]
    assert counts == [2, 4, 3, 0, 1, 0]
    assert summary(by_hand)["requests"].sum() == 5


def test_throughput_is_completed_over_first_intended_to_last_reply(by_hand: Run) -> None:
    """2/4 s and 1/5 s: 0.35 ± t(0.975, 1)·s/√2 = 0.35 ± 12.706·0.15."""
    row = summary(by_hand).loc[2]
    assert row["docs_per_s"] == pytest.approx(0.35)
    assert row["docs_per_s_high"] - row["docs_per_s"] == pytest.approx(12.706 * 0.15, rel=1e-4)
    assert row["pages_per_s"] == pytest.approx((6 / 4 + 3 / 5) / 2)


def test_one_repeat_has_no_interval(by_hand: Run) -> None:
    row = summary(by_hand).loc[1]
    assert row["docs_per_s"] == 1
    assert np.isnan(row["docs_per_s_low"])


def test_the_parts_add_up_to_the_latency(by_hand: Run) -> None:
    row = summary(by_hand).loc[2]
    assert (row["p50_s"], row["max_s"]) == (2, 4)
    assert row["overhead_ms"] == pytest.approx(100)
    parts = row["queue_ms"] + row["process_ms"] + row["overhead_ms"]
    assert parts == pytest.approx(1000 * (2 + 4 + 2) / 3)


def test_calibration_is_of_the_jobs_alone(by_hand: Run) -> None:
    found = calibrate(by_hand)
    assert found is not None
    assert (found.service_s, found.n, found.servers) == (0.9, 1, 2)


def test_simulated_work_shares_no_cores(tmp_path: Path) -> None:
    found = calibrate(fake_run(tmp_path, (1,), 1, simulated=True))
    assert found is not None
    assert found.servers == 8


def test_a_cell_is_found_by_name_or_by_size(by_hand: Run) -> None:
    assert cell_of(by_hand).cell == "a"
    assert cell_of(by_hand, "c").concurrency == 1
    with pytest.raises(ValueError, match="no measured cell 'x'"):
        cell_of(by_hand, "x")


def test_health_is_of_the_measured_cells(by_hand: Run) -> None:
    found = health(by_hand)
    assert (found.peak_mb, found.server_peak_mb) == (147, 100)
    assert (found.probes, found.probes_failed) == (301, 1)
    assert found.livez_max_ms == pytest.approx(3)
    assert found.livez_p99_ms is not None
    assert found.livez_p99_ms.n == 300
    assert found.loop_lag_p99_ms is None


def test_a_reply_is_timed_from_the_end_of_the_work(tmp_path: Path) -> None:
    run = fake_run(tmp_path, (2,), 2)
    ends = run.events[run.events["event"] == "end"]
    replies = ends.assign(event="reply", t_s=ends["t_s"] + 0.0005)
    noted = dataclasses.replace(run, events=pd.concat([run.events, replies]))
    found = health(noted)
    assert found.sent_ms.tolist() == pytest.approx([0.5] * 4)  # that of the warm-up is not told
    assert (found.reply_ms > found.sent_ms).all()
    assert "sending the reply: median 0.5 ms, max 0.5 ms (4 jobs)" in str(Report(noted))
    assert health(run).reply_ms.equals(found.reply_ms)
    assert "sending the reply" not in str(Report(run))


def test_p95_wants_59_samples(tmp_path: Path) -> None:
    table = summary(fake_run(tmp_path, (8, 16), 4))
    assert np.isnan(table.loc[8, "p95_s"])
    assert table.loc[16, "p95_s_low"] <= table.loc[16, "p95_s"] <= table.loc[16, "max_s"]
    shown = str(Report(read_run(tmp_path)))
    assert "max" in next(line for line in shown.splitlines() if line.startswith(" 8 "))
    assert "p95" in next(line for line in shown.splitlines() if line.startswith("16 "))


def test_every_request_is_in_a_column(tmp_path: Path) -> None:
    house = House(workers=2, queue_size=2, timeout_s=9)
    run = fake_run(tmp_path, (4, 16), 2, house=house)
    table = summary(run)
    assert (table[["200", "503", "504", "other"]].sum(axis=1) == table["requests"]).all()
    assert table["503"].sum() == (run.measured["outcome"] == "rejected").sum() > 0
    assert table["504"].sum() > 0


def test_a_run_without_a_completed_request_has_a_table(tmp_path: Path) -> None:
    table = summary(fake_run(tmp_path, (2,), 2, house=House(timeout_s=0.5)))
    assert table.loc[2, "docs_per_s"] == 0
    assert np.isnan(table.loc[2, "p50_s"])
    assert " – " in str(Report(read_run(tmp_path)))


def test_a_run_without_a_request_has_a_report(by_hand: Run) -> None:
    empty = dataclasses.replace(by_hand, requests=by_hand.requests.iloc[:0])
    assert "no request" in str(Report(empty))
    assert throughputs(empty).empty


def test_the_text_fits_a_terminal_and_says_the_verdict(tmp_path: Path) -> None:
    run = fake_run(tmp_path, range(1, 17), 3, verdict="INVALID", warnings=["the clock " * 20])
    lines = str(Report(run)).splitlines()
    assert max(map(len, lines)) <= 100
    assert "synthetic: INVALID" in lines[0]
    assert any(line.startswith("WARNING the clock") for line in lines)


def test_a_check_that_fails_makes_the_report_invalid(tmp_path: Path) -> None:
    run = fake_run(tmp_path, (1,), 1)
    assert Report(run).verdict == "valid"
    late = dataclasses.replace(
        run, requests=run.requests.assign(intended_s=run.requests["intended_s"] - 2)
    )
    assert Report(late).verdict == "INVALID"
    assert "WARNING send lag" in str(Report(late))


def test_a_saved_warning_is_not_said_twice(tmp_path: Path) -> None:
    run = fake_run(tmp_path, (1,), 1)
    late = dataclasses.replace(
        run, requests=run.requests.assign(intended_s=run.requests["intended_s"] - 2)
    )
    info = dataclasses.replace(run.info, warnings=Report(late).warnings)
    assert len(Report(dataclasses.replace(late, info=info)).warnings) == 1


def test_html_shows_the_table_and_escapes_names(tmp_path: Path) -> None:
    run = fake_run(tmp_path, (1, 2), 1)
    document = {**run.info.document, "name": "<b>&.pdf", "pages": 1}
    run = dataclasses.replace(run, info=dataclasses.replace(run.info, document=document))
    page = Report(run)._repr_html_()
    assert "&lt;b&gt;&amp;.pdf (1 page)" in page
    assert page.count("<tr") == 3


def test_phrases_break_only_between_them() -> None:
    assert joined(["one two", "three", "four"], width=15) == ["one two · three", "four"]
    assert joined(["a" * 30], width=15) == ["a" * 15] * 2


def test_times_have_the_farthest_tail_that_there_are_samples_for() -> None:
    def told(jobs: int) -> str:
        return _spread(pd.Series(np.linspace(1, 2, jobs)))

    assert told(300).startswith("median 1.5 ms, p99 2.0 [")
    assert told(100).startswith("median 1.5 ms, p95 2.0 [")
    assert told(20) == "median 1.5 ms, max 2.0 ms (20 jobs)"
