"""The hockey stick and the percentile plot: they show a run's numbers, where there is reason to."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from fake_rates import fake_rates
from fake_run import fake_run
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.text import Text

from labserver.bench.forecasts import forecasts
from labserver.bench.stats import quantile, samples_needed
from labserver.bench.store import Run
from labserver.plots import FIGURES, STUDIES, draw_study, hockey_stick, percentiles
from labserver.plots.percentiles import BEYOND, highest_quantile


@pytest.fixture(scope="module")
def exponential(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fake_rates(tmp_path_factory.mktemp("exponential"), (0.5, 0.8), jobs=1000)


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("fixed")
    return fake_rates(folder, (0.5, 0.8), jobs=1000, service="fixed", verdict="INVALID")


@pytest.fixture(scope="module")
def one_load(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fake_rates(tmp_path_factory.mktemp("one"), (0.7,), jobs=800, repeats=1)


def sent_late(run: Run) -> Run:
    """As a generator that sends one a second, however many are due."""
    rows = run.requests.copy()
    shift_s = np.linspace(0, 2, len(rows))
    rows["sent_s"] += shift_s
    rows["done_s"] += shift_s
    return dataclasses.replace(run, requests=rows)


def axes_of(figure: Figure) -> Axes:
    return figure.axes[0]


def texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.findobj(Text)]
    return " ".join(found).replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")


def labels(figure: Figure) -> list[str]:
    return [str(line.get_label()) for line in axes_of(figure).lines]


def test_the_stick_has_the_measured_means_on_it(exponential: Run) -> None:
    (dots,) = (c for c in axes_of(hockey_stick(exponential)).containers)
    assert isinstance(dots, ErrorbarContainer)
    found = forecasts(exponential)
    assert found is not None
    expected = 1 + 1000 * found.table["measured"] / found.table["service_ms"]
    assert dots.lines[0].get_ydata() == pytest.approx(expected.to_numpy())
    assert dots.lines[0].get_xdata() == pytest.approx(found.table["rho"].to_numpy())


def test_several_sweeps_share_one_stick(exponential: Run, fixed: Run) -> None:
    said = texts(hockey_stick([exponential, fixed]))
    for phrase in ("M/M/2", "M/D/2", "exponential service", "fixed service", "R = S"):
        assert phrase in said
    assert "INVALID" in said
    assert "INVALID" not in texts(hockey_stick(exponential))


def test_what_no_theory_is_of_is_not_drawn(tmp_path: Path) -> None:
    closed = fake_run(tmp_path / "closed", (1, 2), 1)
    assert "no point below the capacity" in texts(hockey_stick(closed))
    over = fake_rates(tmp_path / "over", (1.5,), jobs=200, queue_size=8)
    assert "no point below the capacity" in texts(hockey_stick(over))
    for run in (closed, over):
        assert not FIGURES["07-hockey-stick"].suits(run)


def test_every_completed_request_is_on_the_curve(one_load: Run) -> None:
    lines = axes_of(percentiles(one_load)).lines
    grey = [line for line in lines if line.get_color() == BEYOND and len(line.get_xdata())]
    (firm,) = (line for line in lines if "PDFs/s" in str(line.get_label()))
    drawn = {*firm.get_ydata(), *grey[0].get_ydata()}
    assert drawn == set(one_load.measured["latency_s"])
    assert firm.get_xdata()[-1] <= 1 / (1 - highest_quantile(800)) < grey[0].get_xdata()[-1]


def test_the_marked_percentiles_are_those_of_the_statistics(one_load: Run) -> None:
    latency_s = one_load.measured["latency_s"]
    found = quantile(latency_s, 0.99)
    (marks,) = (line for line in axes_of(percentiles(one_load)).lines if line.get_marker() == "o")
    assert len(marks.get_xdata()) == 3
    assert found.low <= marks.get_ydata()[-1] <= found.high
    assert "p99 is" in texts(percentiles(one_load))


@pytest.mark.parametrize("n", [6, 29, 59, 299, 5000])
def test_the_highest_quantile_is_the_last_with_a_bound(n: int) -> None:
    q = highest_quantile(n)
    assert samples_needed(q) <= n
    assert samples_needed(1 - 0.99 * (1 - q)) > n


def test_a_second_clock_is_drawn_only_when_it_tells_something_else(one_load: Run) -> None:
    assert not [label for label in labels(percentiles(one_load)) if "send time" in label]
    late = percentiles(sent_late(one_load))
    assert [label for label in labels(late) if "send time" in label]
    assert "counted from the send time" in texts(late)


def test_percentiles_suit_one_load_that_went_on(
    one_load: Run, exponential: Run, tmp_path: Path
) -> None:
    suits = FIGURES["10-percentiles"].suits
    assert suits(one_load)
    assert not suits(exponential)
    assert not suits(fake_run(tmp_path / "burst", (64,), 1))
    few = dataclasses.replace(one_load, requests=one_load.requests.iloc[:20])
    assert not suits(few)
    assert "too few" in texts(percentiles(dataclasses.replace(few, requests=few.requests[:1])))


def test_the_studies_are_drawn_from_a_folder_of_runs(
    exponential: Run, fixed: Run, tmp_path: Path
) -> None:
    assert [path.stem for path in draw_study([exponential, fixed], tmp_path)] == [
        name for name, drawing in STUDIES.items() if drawing.suits([exponential, fixed])
    ]
    assert (tmp_path / "07-hockey-stick.png").stat().st_size < 120_000
