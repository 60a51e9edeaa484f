"""Figure 16 and the figure of a forecast: that they show the numbers, and say what they are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import matplotlib as mpl
import pytest
from fake_run import fake_run
from matplotlib.figure import Figure

from labserver.bench.parity import ALONE, parity_points
from labserver.bench.predict import predict
from labserver.bench.store import Run
from labserver.bench.target import target_of
from labserver.plots import STUDIES, draw_study, parity, prediction, save


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [fake_run(folder / f"{seed}", (1, 2, 8), 2, seed=seed) for seed in (1, 2)]


def texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.findobj(mpl.text.Text)]
    return " ".join(found).replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")


def test_parity_shows_every_forecast_in_units_of_its_own_s(runs: list[Run]) -> None:
    points = parity_points(runs)
    points = points[points["model"] == ALONE]
    figure = parity(runs)
    (line,) = (
        bars.lines[0] for bars in figure.axes[0].containers if ALONE in str(bars.get_label())
    )
    assert list(line.get_xdata()) == pytest.approx(list(points["docs_per_s"] * points["service_s"]))
    assert list(line.get_ydata()) == pytest.approx(
        list(points["measured_per_s"] * points["service_s"])
    )


def test_paritys_title_counts_what_came_true(runs: list[Run]) -> None:
    points = parity_points(runs)
    off = points["docs_per_s"] / points["measured_per_s"] - 1
    near = int((off.abs() <= 0.1).sum())
    assert f"{near} of {len(points)} forecasts are within 10 %" in texts(parity(runs))


def test_parity_of_runs_that_tell_nothing_says_so(tmp_path: Path) -> None:
    lone = [fake_run(tmp_path / "a", (8,), 1), fake_run(tmp_path / "b", (8,), 1)]
    assert "no run that a forecast" in texts(parity(lone))
    assert not STUDIES["16-parity"].suits(lone)


def test_parity_says_that_work_was_simulated(runs: list[Run], tmp_path: Path) -> None:
    pretended = fake_run(tmp_path, (1, 4), 2, simulated=True)
    assert "1 of the runs did SIMULATED WORK" in texts(parity([*runs, pretended]))
    assert "SIMULATED" not in texts(parity(runs))


def test_a_study_draws_it_small(runs: list[Run], tmp_path: Path) -> None:
    (path,) = (p for p in draw_study(runs, tmp_path) if p.stem == "16-parity")
    assert path.stat().st_size < 120_000


def test_a_prediction_has_a_line_a_case(runs: list[Run], tmp_path: Path) -> None:
    target = target_of(runs[0], workers=16, cores=8, threads=16)
    said = predict(runs[0], target, at_once=[1, 8, 16])
    figure = prediction(said)
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert [list(line.get_ydata()) for line in lines] == [
        pytest.approx(list(sweep["docs_per_s"])) for sweep in said.sweeps.values()
    ]
    assert "Forecast: 16 workers, 8 cores (16 threads)" in texts(figure)
    assert "nothing here was measured" in texts(figure)
    save(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 120_000


def test_a_prediction_from_an_invalid_run_is_stamped(runs: list[Run]) -> None:
    bad = dataclasses.replace(runs[0].info, verdict="INVALID")
    said = predict(dataclasses.replace(runs[0], info=bad), at_once=[1, 8])
    assert "INVALID" in texts(prediction(said))
