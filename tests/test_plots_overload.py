"""The figures of overload: statuses by load, losses by the queue's size, and a spike in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from fake_run import House, fake_run
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from labserver.bench.openloop import OpenLoop, Spike
from labserver.bench.records import Cell
from labserver.bench.stats import wilson
from labserver.bench.store import Run
from labserver.plots.loss import has_losses, loss, losses_of
from labserver.plots.metastability import has_spike, metastability, rates_after, trigger_of
from labserver.plots.status import status, status_shares
from labserver.theory.queues import mmck

CAPACITY_PER_S = 10.0


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    house = House(workers=2, queue_size=2)
    return fake_run(tmp_path_factory.mktemp("run") / "closed", (1, 2), 1, house=house)


def open_run(base: Run, statuses: dict[float, Sequence[int]], queue_size: int = 2) -> Run:
    """A run whose every rate is one cell of a second with those statuses, evenly spaced."""
    cells, tables = [], []
    for i, (rate, ends) in enumerate(statuses.items()):
        load = OpenLoop(rate, 1.0)
        cells.append(Cell(f"rate{i}", 0, 1, "measured", repr(load), i, i + 0.99, rate))
        tables.append(rows(cells[-1], i + np.arange(len(ends)) / len(ends), ends))
    server = {**base.info.server, "pdf_queue_size": queue_size, "service": "exponential"}
    client = {"capacity_per_s": CAPACITY_PER_S}
    info = replace(base.info, cells=cells, client=client, server=server, simulated=True)
    return replace(base, info=info, requests=pd.concat(tables, ignore_index=True))


def rows(cell: Cell, at_s: Sequence[float], statuses: Sequence[int]) -> pd.DataFrame:
    at_s = np.asarray(at_s)
    return pd.DataFrame(
        {"cell": cell.cell, "phase": "measured", "request": np.arange(len(at_s)),
         "intended_s": at_s, "sent_s": at_s, "done_s": at_s + 0.01, "status": statuses,
         "attempt": 1, "process_ms": 200.0, "pages": 0}
    )  # fmt: skip


def texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.findobj(mpl.text.Text)]
    return " ".join(found).replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")


def test_statuses_are_stacked_to_one_at_each_load(closed: Run) -> None:
    run = open_run(closed, {8.0: [200] * 8, 20.0: [503] * 10 + [504] * 2 + [429] * 1 + [200] * 7})
    shares = status_shares(run)
    assert shares.loc[20.0].to_dict() == pytest.approx(
        {"503": 0.5, "504": 0.1, "429": 0.05, "other": 0, "200": 0.35}
    )
    ax = status(run).axes[0]
    tops = {bar.get_x(): bar.get_y() + bar.get_height() for bar in ax.patches}
    assert list(tops.values()) == pytest.approx([1.0, 1.0])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.8", "2"]


def test_the_refused_stand_at_the_bottom_beside_the_fluid_line(closed: Run) -> None:
    run = open_run(closed, {20.0: [503] * 12 + [200] * 8})
    ax = status(run).axes[0]
    (refused,) = (bars for bars in ax.containers if bars.get_label() == "503 turned away")
    assert [(bar.get_y(), bar.get_height()) for bar in refused] == [(0, 0.6)]
    fluid = next(line for line in ax.lines if str(line.get_label()).startswith("1 − 1/ρ"))
    assert np.interp(2.0, *fluid.get_data()) == pytest.approx(0.5, abs=0.01)
    assert "At ρ = 2: 40 % completed (200), 60 % turned away (503)" in texts(ax.figure)


def test_statuses_of_a_closed_run_stand_by_its_concurrency(closed: Run) -> None:
    ax = status(closed).axes[0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "2"]
    assert "At N = 2: 100 % completed (200)" in texts(ax.figure)
    assert not ax.lines


def test_losses_are_by_the_whole_queue_and_the_load(closed: Run) -> None:
    runs = [
        open_run(closed, {12.0: [503] * 30 + [200] * 70}, queue_size=0),
        open_run(closed, {12.0: [503] * 20 + [200] * 80}, queue_size=4),
    ]
    found = losses_of(runs)
    assert found[["rho", "servers", "queue_size", "refused", "requests"]].to_numpy().tolist() == [
        [1.2, 2, 0, 30, 100],
        [1.2, 2, 8, 20, 100],
    ]
    said = texts(loss(runs))
    assert "At ρ = 1.2, Q = 0 turns away 30 %, Q = 8 still 20 %" in said
    assert "2 runs, n = 200" in said


def test_the_loss_curve_is_the_formula(closed: Run) -> None:
    runs = [open_run(closed, {12.0: [503, 200]}, queue_size=size) for size in (0, 4)]
    curve = loss(runs).axes[0].lines[0]
    assert curve.get_ydata() == pytest.approx([mmck(2.4, 1, 2, q).p_reject for q in range(9)])


def test_where_none_was_turned_away_the_upper_bound_is_marked(closed: Run) -> None:
    runs = [open_run(closed, {8.0: [200] * 50}, queue_size=size) for size in (0, 4)]
    bounds = [line for line in loss(runs).axes[0].lines if line.get_marker() == "v"]
    assert [line.get_ydata()[0] for line in bounds] == pytest.approx([wilson(0, 50).high] * 2)


def test_losses_want_open_loads_on_shared_queues_of_several_sizes(closed: Run) -> None:
    small, large = (open_run(closed, {12.0: [503, 200]}, queue_size=size) for size in (0, 4))
    assert has_losses([small, large])
    assert not has_losses([small, small])
    assert not has_losses([closed, small])
    apart = replace(
        large, info=replace(large.info, server={**large.info.server, "dispatch": "least-busy"})
    )
    assert not has_losses([small, apart])
    assert "no open load" in texts(loss([closed]))


def spiked(base: Run, after_per_s: int) -> Run:
    """Ten requests a second that complete, 2 s of 30/s that do not, then `after_per_s` of 10."""
    load = Spike(10.0, 30.0, at_s=3.0, spike_s=2.0, seconds=13.0)
    cell = Cell("rate10-r1", 0, 1, "measured", repr(load), 100.0, 114.0, 10.0)
    phases = [(0, 3, 10, 10), (3, 5, 30, 0), (5, 13, 10, after_per_s)]
    tables = []
    for begin_s, end_s, rate, served in phases:
        for second in range(begin_s, end_s):
            statuses = [200] * served + [504] * (rate - served)
            tables.append(rows(cell, 100 + second + np.arange(rate) / rate, statuses))
    first = pd.concat(tables, ignore_index=True)
    again = first[first["status"] == 504].assign(attempt=2)
    again[["sent_s", "done_s"]] += 0.5
    info = replace(base.info, cells=[cell], simulated=True)
    return replace(base, info=info, requests=pd.concat([first, again], ignore_index=True))


def test_the_trigger_is_read_from_the_load_as_it_is_saved(closed: Run) -> None:
    run = spiked(closed, 10)
    trigger = trigger_of(run.info.cells[0])
    assert trigger is not None
    assert (trigger.at_s, trigger.end_s, trigger.until_s) == (3.0, 5.0, 13.0)
    assert has_spike(run)
    assert not has_spike(closed)
    assert trigger_of(closed.info.cells[0]) is None


@pytest.mark.parametrize(
    ("after_per_s", "said"), [(10, "comes back: 10.0/s for 10.0/s"), (2, "stays down: 2.00/s")]
)
def test_goodput_is_held_to_what_is_offered_well_after_the_spike(
    closed: Run, after_per_s: int, said: str
) -> None:
    run = spiked(closed, after_per_s)
    trigger = trigger_of(run.info.cells[0])
    assert trigger is not None
    found = rates_after(run, run.info.cells[0], trigger)
    assert found == pytest.approx((after_per_s, 10), abs=0.2)
    assert f"After the spike the goodput {said}" in texts(metastability(run))


def test_a_load_that_ends_with_its_spike_has_no_after(closed: Run) -> None:
    run = spiked(closed, 10)
    cell = replace(run.info.cells[0], load=repr(Spike(10, 30, 3.0, 2.0, 6.0)))
    short = replace(run, info=replace(run.info, cells=[cell]))
    assert "no time after it" in texts(metastability(short))


def test_each_request_attempt_and_completion_is_in_the_timeline(closed: Run) -> None:
    run = spiked(closed, 2)
    steps = {}
    for patch in metastability(run).axes[0].patches:
        if isinstance(patch, StepPatch):
            values, edges, _ = patch.get_data()
            steps[str(patch.get_label()).split()[0]] = float(np.sum(values * np.diff(edges)))
    requests = run.requests
    assert steps == pytest.approx(
        {"goodput:": (requests["status"] == 200).sum(), "attempts": len(requests),
         "requests": (requests["attempt"] == 1).sum()}
    )  # fmt: skip


def test_a_run_without_a_spike_or_a_request_is_drawn_all_the_same(closed: Run) -> None:
    assert "What was offered" in texts(metastability(closed))
    assert "no request" in texts(metastability(replace(closed, requests=closed.requests.iloc[:0])))
    with pytest.raises(ValueError, match="no measured cell 'n99'"):
        metastability(closed, cell="n99")
