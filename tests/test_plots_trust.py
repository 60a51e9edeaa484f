"""The figures of whether a run is to be trusted, and of a loop that is late."""

import dataclasses
from pathlib import Path

import matplotlib as mpl
import pytest
from fake_run import House, fake_run
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labserver.bench.cells import calibrate, during_measured
from labserver.bench.checks import checks, little_law
from labserver.bench.store import Run
from labserver.plots import STUDIES, draw_study, inflation, loop_lag, validity
from labserver.plots.inflation import has_service
from labserver.plots.loop_lag import answered, has_probes
from labserver.plots.validity import little_ratios


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fake_run(tmp_path_factory.mktemp("runs") / "run", (1, 2, 4, 16), 2)


def texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.findobj(mpl.text.Text)]
    return " ".join(found).replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")


def panels(figure: Figure) -> list[Axes]:
    return figure.axes[0].child_axes


def named(run: Run, name: str) -> Run:
    return dataclasses.replace(run, info=dataclasses.replace(run.info, name=name))


def slower(run: Run, factor: float) -> Run:
    """The run with its probes answered so many times later, and named for it."""
    probes = run.probes.assign(
        done_s=run.probes["sent_s"] + factor * (run.probes["done_s"] - run.probes["sent_s"])
    )
    return named(dataclasses.replace(run, probes=probes), f"times {factor:g}")


def test_loop_lag_shows_each_probe_of_the_measured_cells(run: Run) -> None:
    time, share = panels(loop_lag(run))
    inside = during_measured(run, run.probes["sent_s"])
    assert 0 < inside.sum() < len(run.probes)
    took_ms = 1000 * (run.probes["done_s"] - run.probes["sent_s"])[inside]
    (dots,) = time.lines
    assert sorted(dots.get_ydata()) == pytest.approx(sorted(took_ms))
    probes, own = share.lines
    assert max(probes.get_xdata()) == pytest.approx(took_ms.max())
    assert max(own.get_xdata()) < max(probes.get_xdata())
    assert f"{took_ms.quantile(0.99):.2f} ms, half of them" in texts(loop_lag(run))


def test_loop_lag_names_the_best_and_the_worst_of_several(run: Run) -> None:
    said = texts(loop_lag([slower(run, 100), slower(run, 1), slower(run, 10)]))
    p99_ms = answered(run)["took_ms"].quantile(0.99)
    assert f"within {p99_ms:.2f} ms by times 1, {100 * p99_ms:.0f} ms by times 100" in said


def test_loop_lag_claims_no_p99_of_a_few_probes(run: Run) -> None:
    few = dataclasses.replace(
        run, probes=run.probes[during_measured(run, run.probes["sent_s"])][:9]
    )
    assert "Each /livez probe was answered within" in texts(loop_lag(few))
    none = dataclasses.replace(run, probes=run.probes[:0])
    assert "no answer of /livez" in texts(loop_lag(none))
    assert has_probes([run, few])
    assert not has_probes([run, none])


def test_inflation_is_the_service_beside_others_over_that_alone(run: Run) -> None:
    given = calibrate(run)
    assert given is not None
    line = next(line for line in inflation(run).axes[0].lines if line.get_label() == "measured")
    assert list(line.get_xdata()) == [1, 2, 4, 8]  # of 16 only 8 are at work at once
    rows = run.measured.query("concurrency == 4").groupby("cell")["process_ms"].mean()
    assert line.get_ydata()[2] == pytest.approx(rows.mean() / 1000 / given.service_s)


def test_inflation_of_simulated_work_shares_no_core(tmp_path: Path) -> None:
    simulated = fake_run(tmp_path, (1, 4), 1, simulated=True)
    figure = inflation(simulated)
    assert "simulated work shares no core" in texts(figure)
    law = figure.axes[0].lines[-1]
    assert set(law.get_ydata()) == {1}


def test_inflation_wants_jobs_alone_and_together(run: Run, tmp_path: Path) -> None:
    together = fake_run(tmp_path / "8", (8,), 1)
    alone = dataclasses.replace(together, requests=together.requests.iloc[:0])
    assert has_service(run)
    assert not has_service([run, alone])
    assert "no job was alone" in texts(inflation(alone))


def test_validity_shows_the_data_of_four_checks(run: Run) -> None:
    figure = validity(run)
    said = texts(figure)
    assert f"All {len(checks(run))} checks of this run hold" in said
    assert "FAILS" not in said
    drift = panels(figure)[2].lines[0]
    assert len(drift.get_xdata()) == 2 * 8  # before and after each cell
    little = panels(figure)[3].lines[0]
    assert list(little.get_ydata()) == pytest.approx([1] * 8, abs=1e-4)


def test_validity_points_at_what_fails(run: Run) -> None:
    late = run.requests.assign(sent_s=run.requests["sent_s"] + 2, done_s=run.requests["done_s"] + 2)
    starved = dataclasses.replace(run, requests=late, events=run.events.iloc[:0])
    said = texts(validity(starved))
    assert f"1 of {len(checks(starved))} checks fail: send lag p99 / service time" in said
    assert "FAILS: send lag p99" in said
    assert "the server has told of no job" in said


def test_a_trace_that_contradicts_itself_leaves_the_band(run: Run) -> None:
    wrong = dataclasses.replace(run, events=run.events.assign(busy=2 * run.events["busy"]))
    check = little_law(wrong)
    assert check is not None
    assert not check.ok
    assert (little_ratios(wrong) > 1.05).all()


def test_a_study_of_both_is_drawn(run: Run, tmp_path: Path) -> None:
    other = fake_run(tmp_path / "other", (1, 4), 1, house=House(cores=4), verdict="INVALID")
    paths = draw_study([run, named(other, "other")], tmp_path / "plots")
    assert {"13-loop-lag", "14-inflation"} <= {path.stem for path in paths}
    for name in ("13-loop-lag", "14-inflation"):
        said = texts(STUDIES[name].draw([run, named(other, "other")]))
        assert "other" in said
        assert "INVALID" in said
