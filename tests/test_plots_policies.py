"""The figures of a study of policies: goodput against load, and the cliff in the queue's length."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fake_run import fake_run
from matplotlib.axes import Axes
from test_plots import texts

from labserver.bench.cells import capacity_per_s, goodputs, places_of, policy_of
from labserver.bench.records import Cell, Request
from labserver.bench.store import Run, read_run, read_runs, write_run
from labserver.bench.twin import twin
from labserver.plots import STUDIES, cliff, draw_study, goodput
from labserver.theory.arrivals import Poisson
from labserver.theory.discipline import FIFO, CoDel, DeadlineSkip, Lifo
from labserver.theory.distributions import Fixed
from labserver.theory.simulation import Outcome
from labserver.theory.simulator import simulate

WORKERS, SERVICE_S, DEADLINE_S = 2, 0.1, 0.6
CAPACITY_PER_S = WORKERS / SERVICE_S
RULES = {
    "fifo": FIFO,
    "lifo": Lifo(),
    "deadline": DeadlineSkip(SERVICE_S),
    "codel": CoDel(DEADLINE_S / 4, DEADLINE_S / 2),
}
STATUS = {"COMPLETED": 200, "REJECTED": 503, "SHED": 503, "EXPIRED": 504, "KILLED": 504}


def open_run(
    folder: Path,
    loads: Sequence[float] = (1.5,),
    q: int = 4,
    discipline: str = "fifo",
    shed: bool = False,
) -> Run:
    """A run as a server would give it, whose jobs do what the simulator says."""
    base = fake_run(folder, (1,), 1, simulated=True).info
    rows, cells = [], []
    for n, load in enumerate(loads):
        begin_s, cell = 100.0 * n, f"rate{load:g}-r1"
        ran = simulate(
            Poisson(load * CAPACITY_PER_S, 120), Fixed(SERVICE_S), servers=WORKERS, queue_size=q,
            deadline_s=DEADLINE_S, discipline=RULES["deadline" if shed else discipline],
        )  # fmt: skip
        for came, ended, code in zip(ran.arrival_s, ran.end_s, ran.outcome, strict=True):
            at_ns, done_ns = (round(1e9 * (begin_s + t)) for t in (came, ended))
            name = Outcome(code).name
            rows.append(
                Request(
                    len(rows), cell, "measured", 0, at_ns, at_ns, done_ns, STATUS[name],
                    name.lower(), process_ms=1000 * SERVICE_S,
                ).row(0)
            )  # fmt: skip
        end_s = begin_s + ran.duration_s
        about = (cell, 0, 1, "measured", f"OpenLoop({load})", begin_s, end_s)
        cells.append(Cell(*about, rate_per_s=load * CAPACITY_PER_S))  # type: ignore[arg-type]
    server = {
        **base.server, "pdf_workers": WORKERS, "pdf_queue_size": q // WORKERS,
        "pdf_timeout": DEADLINE_S, "discipline": discipline, "shed": shed,
    }  # fmt: skip
    write_run(folder, dataclasses.replace(base, server=server, cells=cells), {"requests": rows})
    return read_run(folder)


@pytest.fixture(scope="module")
def lengths(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Queues on both sides of c(T − S)/S = 10, and two cures in the longest."""
    folder = tmp_path_factory.mktemp("lengths")
    for q in (4, 8, 12, 40):
        open_run(folder / f"q{q:02}", q=q)
    open_run(folder / "q40-lifo", q=40, discipline="lifo")
    open_run(folder / "q40-shed", q=40, shed=True)
    return read_runs(folder)


@pytest.fixture(scope="module")
def rates(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("rates")
    open_run(folder / "long", (0.5, 1.0, 1.5), q=40)
    open_run(folder / "codel", (0.5, 1.0, 1.5), q=40, discipline="codel")
    return read_runs(folder)


def lines_of(ax: Axes) -> dict[str, tuple[list[float], list[float]]]:
    return {str(x.get_label()): (list(x.get_xdata()), list(x.get_ydata())) for x in ax.lines}  # type: ignore[arg-type]


def test_a_run_says_its_policy_and_its_places(lengths: list[Run]) -> None:
    assert [policy_of(run) for run in lengths] == ["fifo"] * 4 + ["lifo", "fifo + shed"]
    assert [places_of(run) for run in lengths] == [4, 8, 12, 40, 40, 40]


def test_capacity_is_what_was_measured_first_else_what_the_jobs_took(lengths: list[Run]) -> None:
    run = lengths[0]
    assert capacity_per_s(run) == pytest.approx(CAPACITY_PER_S)
    told = dataclasses.replace(
        run, info=dataclasses.replace(run.info, client={"capacity_per_s": 7})
    )
    assert capacity_per_s(told) == 7


def test_goodput_is_never_above_what_was_offered(rates: list[Run]) -> None:
    for run in rates:
        table = goodputs(run)
        assert (table["goodput_per_s"] <= table["offered_per_s"]).all()
        assert table["offered_per_s"].to_numpy() == pytest.approx(table["rate_per_s"], rel=0.25)


def test_the_twin_of_a_simulated_run_is_its_equal(lengths: list[Run], rates: list[Run]) -> None:
    for run in lengths:
        measured = goodputs(run)["goodput_per_s"].iloc[0]
        assert twin(run).goodput_per_s == pytest.approx(measured, rel=1e-3)
    assert twin(lengths[0], queue_size=40).goodput_per_s == pytest.approx(
        twin(lengths[3]).goodput_per_s
    )
    codel = next(run for run in rates if policy_of(run) == "codel")
    for cell, goodput_per_s in goodputs(codel)["goodput_per_s"].items():
        assert twin(codel, str(cell)).goodput_per_s == pytest.approx(goodput_per_s, rel=1e-3)


def test_the_cliff_shows_each_run_and_stands_where_the_deadline_says(lengths: list[Run]) -> None:
    ax = cliff(lengths).axes[0]
    lines = lines_of(ax)
    q, shares = lines["fifo"]
    assert q == [4, 8, 12, 40]
    measured = [goodputs(run)["goodput_per_s"].iloc[0] / CAPACITY_PER_S for run in lengths]
    assert shares == pytest.approx(measured[:4])
    (edge,) = ax.collections
    assert edge.get_label() == "Q = c(T − S)/S"
    assert edge.get_segments()[0][0][0] == pytest.approx(10)  # type: ignore[attr-defined]
    at, curve = lines["fifo, simulated"]
    assert np.interp(8, at, curve) > 0.9 > 0.8 > np.interp(20, at, curve)


def test_the_cliffs_title_tells_the_fall_and_a_cure(lengths: list[Run]) -> None:
    said = texts(cliff(lengths))
    assert "used in time with a queue of" in said
    assert "with one of 40, and" in said
    assert "1.50 × capacity, c = 2, S = 100 ms, T = 6.00 S: behind 10 others" in said
    assert "is used in time with Q = 8" in texts(cliff(lengths[:2]))


def test_without_one_queue_there_is_no_simulation(lengths: list[Run]) -> None:
    split = [
        dataclasses.replace(
            run,
            info=dataclasses.replace(
                run.info, server={**run.info.server, "dispatch": "least-busy"}
            ),
        )
        for run in lengths
    ]
    assert "fifo, simulated" not in lines_of(cliff(split).axes[0])


def test_goodput_has_a_curve_a_policy(rates: list[Run]) -> None:
    figure = goodput(rates)
    lines = lines_of(figure.axes[0])
    assert {"codel", "fifo", "capacity, c/S"} <= lines.keys()
    loads, shares = lines["fifo"]
    assert loads == pytest.approx([0.5, 1, 1.5], rel=0.25)
    assert shares[0] == pytest.approx(loads[0], rel=0.1)
    assert shares[2] < lines["codel"][1][2]
    assert "% of it is used in time with codel" in texts(figure)


def test_a_study_gets_the_figures_that_suit_it(
    lengths: list[Run], rates: list[Run], tmp_path: Path
) -> None:
    ours = {"06-goodput", "08-loss", "09-cliff"}  # a loss is one of a full queue alone
    assert ours & {path.stem for path in draw_study(lengths, tmp_path)} == {"09-cliff"}
    assert ours & {path.stem for path in draw_study(rates, tmp_path)} == {"06-goodput"}


@pytest.mark.parametrize("name", ["06-goodput", "09-cliff"])
def test_runs_that_are_no_such_study_say_so(name: str, tmp_path: Path) -> None:
    closed = [fake_run(tmp_path / "a", (1, 2), 1), fake_run(tmp_path / "b", (1,), 1)]
    assert not STUDIES[name].suits(closed)
    figure = STUDIES[name].draw(closed)
    assert "no open loop" in texts(figure) or "differ in more" in texts(figure)
