"""A saved open load, simulated again: what can be, and that it knows what the server did."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_run import fake_run

from labserver.bench.parity import AGAIN, ALONE, parity_points
from labserver.bench.records import Cell, Request
from labserver.bench.replay import can_replay, replay
from labserver.bench.store import Run, read_run, write_run
from labserver.bench.twin import twin
from labserver.theory.simulation import Outcome

RATE_PER_S = 6.0
SERVICE_S = 0.5


def open_run(folder: Path, *, simulated: bool = True) -> Run:
    """A server of two workers and a queue of two each, with a deadline of 2 s, done by hand."""
    like = fake_run(folder / "like", (1,), 1, simulated=simulated).info
    rows, free_s = [], [0.0, 0.0]
    arrivals_s = np.cumsum(np.random.default_rng(0).exponential(1 / RATE_PER_S, 60))
    starts_s: list[float] = []
    for number, at_s in enumerate(arrivals_s.tolist()):
        start_s = max(at_s, min(free_s))
        if sum(start > at_s for start in starts_s) >= 4:
            done_s, status, outcome = at_s, 503, "rejected"
        else:
            free_s[free_s.index(min(free_s))] = done_s = start_s + SERVICE_S
            starts_s.append(start_s)
            status, outcome = 200, "completed"
        when = (round(1e9 * (at_s + 1)), round(1e9 * (at_s + 1)), round(1e9 * (done_s + 1)))
        served = {"process_ms": 500.0, "queue_ms": 0.0} if status == 200 else {}
        request = Request(number, "r6", "measured", 0, *when, status, outcome, **served)  # type: ignore[arg-type]
        rows.append(request.row(0))
    cell = Cell("r6", 0, 1, "measured", "OpenLoop(6)", 1.0, 30.0, rate_per_s=RATE_PER_S)
    server = {**like.server, "pdf_workers": 2, "pdf_queue_size": 2, "pdf_timeout": 2.0}
    info = dataclasses.replace(like, name="open", kind="load", cells=[cell], server=server)
    write_run(folder / "open", info, {"requests": rows})
    return read_run(folder / "open")


def with_server(run: Run, **changed: object) -> Run:
    server = {**run.info.server, **changed}
    return dataclasses.replace(run, info=dataclasses.replace(run.info, server=server))


def test_the_same_arrivals_meet_the_same_fate(tmp_path: Path) -> None:
    run = open_run(tmp_path)
    refused = int((run.measured["status"] == 503).sum())
    assert refused > 0
    ran = twin(run, "r6")
    assert int((ran.outcome == Outcome.REJECTED).sum()) == refused
    (row,) = replay(run, draws=2).itertuples()
    assert row.rate_per_s == RATE_PER_S
    assert row.docs_per_s == pytest.approx(row.measured_per_s, rel=1e-6)
    assert row.docs_per_s_low == row.docs_per_s_high  # nothing is left to chance


@pytest.mark.parametrize(
    "changed",
    [
        lambda run: with_server(run, shed=True),
        lambda run: with_server(run, discipline="lifo"),
        lambda run: dataclasses.replace(
            run, info=dataclasses.replace(run.info, client={"meanwhile": "a pause"})
        ),
        lambda run: with_server(run, engine=None),
        lambda run: dataclasses.replace(run, requests=run.requests.assign(attempt=2)),
        lambda run: dataclasses.replace(run, requests=run.requests.assign(status=503)),
    ],
)
def test_what_the_simulator_knows_nothing_of_is_refused(
    tmp_path: Path, changed: Callable[[Run], Run]
) -> None:
    run = changed(open_run(tmp_path))
    assert not can_replay(run)
    with pytest.raises(ValueError, match="knows nothing of"):
        replay(run)


def test_workers_without_a_core_each_are_not_replayed(tmp_path: Path) -> None:
    run = open_run(tmp_path, simulated=False)
    assert can_replay(run)
    crowded = dataclasses.replace(run.info, machine={**run.info.machine, "cores": 1})
    assert not can_replay(dataclasses.replace(run, info=crowded))


def test_parity_has_a_point_a_forecast_and_none_of_an_invalid_run(tmp_path: Path) -> None:
    sweep = fake_run(tmp_path / "sweep", (1, 4, 8), 2)
    invalid = fake_run(tmp_path / "invalid", (1, 4), 2, verdict="INVALID")
    points = parity_points([sweep, invalid, open_run(tmp_path)])
    assert list(points[points["model"] == ALONE]["load"]) == ["N = 4", "N = 8"]
    assert list(points[points["model"] == AGAIN]["load"]) == ["6/s"]
    assert set(points["run"]) == {"synthetic", "open"}
    assert len(parity_points([invalid])) == 0
