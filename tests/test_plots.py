"""The figures of a run: that they show its numbers, and are drawn from any run at all."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from fake_run import House, fake_run
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from labserver.bench.cells import Calibration, calibrate, cell_of, throughputs
from labserver.bench.store import Run, read_runs
from labserver.bench.summary import summary
from labserver.bench.timeline import jobs_of
from labserver.errors import RunFormatError
from labserver.plots import (
    FIGURES,
    draw_all,
    gantt,
    latency,
    latency_ecdf,
    queue_depth,
    save,
    throughput,
    time_bars,
)
from labserver.plots.style import INK, LOOK, canvas, figure_of
from labserver.plots.throughput import burst_throughput

TIGHT = House(workers=2, queue_size=2, timeout_s=9)
RUNS = {
    "sweep": {},
    "refused and late": {"house": TIGHT, "verdict": "INVALID"},
    "one cell": {"concurrency": (8,), "repeats": 1},
    "one request": {"concurrency": (1,), "repeats": 1},
    "none completed": {"house": House(timeout_s=0.5)},
    "1 to 16": {"concurrency": range(1, 17), "repeats": 2, "simulated": True},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    made = {name: fake_run(folder / name, **options) for name, options in RUNS.items()}
    sweep = made["sweep"]
    made["no data"] = dataclasses.replace(
        sweep, **{t: getattr(sweep, t).iloc[:0] for t in ("requests", "events", "samples")}
    )
    made["no cell"] = dataclasses.replace(
        made["no data"], info=dataclasses.replace(sweep.info, cells=[])
    )
    return made


def axes_of(figure: Figure) -> Axes:
    return figure.axes[0]


def texts(figure: Figure) -> str:
    """Everything written on the figure, legends included, a blank for a line's end."""
    found = [text.get_text() for text in figure.findobj(mpl.text.Text)]
    return " ".join(found).replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("shape", [*RUNS, "no data", "no cell"])
def test_every_figure_is_drawn_from_any_run(runs: dict[str, Run], shape: str) -> None:
    for drawing in FIGURES.values():
        figure = drawing.draw(runs[shape])
        figure.draw_without_rendering()
        assert texts(figure)


@pytest.mark.parametrize("shape", ["refused and late", "1 to 16"])
def test_the_files_are_small_and_the_same_each_time(
    runs: dict[str, Run], shape: str, tmp_path: Path
) -> None:
    paths = draw_all(runs[shape], tmp_path / "plots")
    suiting = [name for name, drawing in FIGURES.items() if drawing.suits(runs[shape])]
    assert [path.stem for path in paths] == suiting
    assert max(path.stat().st_size for path in paths) < 120_000
    again = tmp_path / "again.png"
    save(gantt(runs[shape]), again)
    assert again.read_bytes() == (tmp_path / "plots" / "03-gantt.png").read_bytes()


def test_a_server_that_tells_no_times_gets_every_figure_all_the_same(tmp_path: Path) -> None:
    run = fake_run(tmp_path / "run", (1, 2), 1)
    for column in ("queue_ms", "process_ms", "total_ms"):
        run.requests[column] = float("nan")
    untraced = dataclasses.replace(run, events=run.events.iloc[:0])
    assert draw_all(untraced, tmp_path / "plots")


def test_pyplot_stays_out() -> None:
    program = "import labserver.plots, sys; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_drawing_leaves_the_settings_as_they_were(runs: dict[str, Run]) -> None:
    time_bars(runs["sweep"])
    assert [key for key in LOOK if mpl.rcParams[key] != mpl.rcParamsDefault[key]] == []


def test_a_notebook_shows_a_figure_by_itself(runs: dict[str, Run]) -> None:
    assert throughput(runs["sweep"])._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_says_where_it_comes_from(runs: dict[str, Run], name: str) -> None:
    said = texts(FIGURES[name].draw(runs["1 to 16"]))
    for phrase in ("Synthetic CPU, 2 cores", "synthetic.pdf", "seed 1", "n = 272", "custom"):
        assert phrase in said
    assert "SIMULATED WORK" in said


@pytest.mark.parametrize("name", FIGURES)
def test_only_an_invalid_run_is_stamped(runs: dict[str, Run], name: str) -> None:
    assert "INVALID" in texts(FIGURES[name].draw(runs["refused and late"]))
    assert "INVALID" not in texts(FIGURES[name].draw(runs["sweep"]))


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_can_be_part_of_another(runs: dict[str, Run], name: str) -> None:
    figure = Figure()
    left, _ = figure.subplots(1, 2)
    assert FIGURES[name].draw(runs["sweep"], ax=left) is figure
    drawn = any(part.has_data() for part in (left, *left.child_axes))
    assert drawn or not FIGURES[name].suits(runs["sweep"])
    assert "seed 1" not in texts(figure)


def test_statuses_differ_in_grey() -> None:
    weights = np.array([0.2126, 0.7152, 0.0722])
    greys = sorted(float(weights @ to_rgb(INK[key].colour)) for key in ("200", "429", "503", "504"))
    assert min(np.diff(greys)) > 0.1
    assert len({ink.marker for ink in INK.values()}) == len({i.hatch for i in INK.values()}) == 6


def test_throughput_shows_each_repeat_and_holds_out_the_large_n(runs: dict[str, Run]) -> None:
    lines = {line.get_label(): line for line in axes_of(throughput(runs["sweep"])).lines}
    cells = throughputs(runs["sweep"])
    fitted, held_out = lines["one repeat"], lines["one repeat, held out of the fit"]
    assert sorted(fitted.get_xdata()) == [1, 1, 2, 2, 4, 4, 8, 8]
    assert list(held_out.get_xdata()) == [16, 16]
    shown = [*fitted.get_ydata(), *held_out.get_ydata()]
    assert sorted(shown) == pytest.approx(sorted(cells["docs_per_s"]))


def test_throughput_has_no_model_without_a_job_alone(runs: dict[str, Run]) -> None:
    figure = throughput(runs["one cell"])
    assert "no model" in texts(figure)
    assert "cap" not in texts(figure)


def test_throughput_of_nothing_says_so(runs: dict[str, Run]) -> None:
    assert "no completed request" in texts(throughput(runs["none completed"]))


def test_throughput_title_tells_where_it_stops(runs: dict[str, Run]) -> None:
    means = throughputs(runs["sweep"]).groupby("concurrency")["docs_per_s"].mean()
    first = means.index[np.flatnonzero(means >= 0.95 * means.max())[0]]
    assert f"Throughput stops growing at N = {first}" in texts(throughput(runs["sweep"]))


@pytest.mark.parametrize(
    ("workers", "cores", "n", "rounds_of_s"),
    [(8, 8, 8, 1), (8, 8, 9, 2), (8, 8, 16, 2), (8, 2, 8, 4), (8, 2, 9, 5), (8, 2, 11, 5.5)],
)
def test_a_burst_goes_in_rounds(workers: int, cores: int, n: int, rounds_of_s: float) -> None:
    given = Calibration(service_s=3.0, n=1, workers=workers, cores=cores, think_s=0)
    assert burst_throughput(np.array([n]), given) == pytest.approx(n / (3.0 * rounds_of_s))


def test_the_burst_model_meets_bursts_of_equal_jobs(runs: dict[str, Run]) -> None:
    """The synthetic server does share its cores fairly; its jobs differ by a few per cent."""
    run = runs["sweep"]
    given = calibrate(run)
    assert given is not None
    means = throughputs(run).groupby("concurrency")["docs_per_s"].mean()
    predicted = burst_throughput(means.index.to_numpy(), given)
    assert means.to_numpy() == pytest.approx(predicted, rel=0.1)


def test_latency_shows_every_reply(runs: dict[str, Run]) -> None:
    run = runs["refused and late"]
    ax = axes_of(latency(run))
    dots = [line for line in ax.lines if line.get_label()[:3] in ("200", "503", "504")]
    assert sum(len(line.get_xdata()) for line in dots) == len(run.measured)
    assert {line.get_marker() for line in dots} == {INK[k].marker for k in ("200", "503", "504")}


def test_latency_title_is_of_completed_requests(runs: dict[str, Run]) -> None:
    run = runs["refused and late"]
    median_s = summary(run)["p50_s"].iloc[-1]
    assert f"Median latency at N = 16: {median_s:.2f} s" in texts(latency(run))
    assert "No request completed" in texts(latency(runs["none completed"]))


def test_gantt_has_a_bar_a_job_and_tells_the_work_for_nobody(runs: dict[str, Run]) -> None:
    run = runs["none completed"]
    told = jobs_of(run.events, cell_of(run)).dropna(subset=["start_s"])
    late, nobody = [], []
    figure = gantt(run)
    for bar in axes_of(figure).patches:
        of_late = bar.get_hatch() == INK["504"].hatch
        (late if of_late else nobody).append(bar.get_width())
    assert len(late) == len(told)
    assert sum(late) == pytest.approx((told["settle_s"] - told["start_s"]).sum())
    assert sum(nobody) == pytest.approx((told["left_s"] - told["settle_s"]).sum())
    assert sum(nobody) > 0
    assert "100 % of it on work that did not complete" in texts(figure)


def test_gantt_hatches_the_try_that_lost_its_worker(runs: dict[str, Run]) -> None:
    run = runs["sweep"]
    job_id = jobs_of(run.events, cell_of(run)).index[-1]
    events = run.events
    started = events[(events["event"] == "start") & (events["job_id"] == job_id)]
    lost = started.assign(t_s=started["t_s"] - 0.5)
    events = pd.concat([events, lost, lost.assign(t_s=lost["t_s"] + 0.25, event="retry")])
    figure = gantt(dataclasses.replace(run, events=events.sort_values("t_s")))
    hatched = [b for b in axes_of(figure).patches if b.get_hatch() == INK["wasted"].hatch]
    assert [bar.get_width() for bar in hatched] == [pytest.approx(0.25)]
    assert "of it on work that did not complete" in texts(figure)


def test_gantt_fills_a_row_while_its_worker_has_a_job(runs: dict[str, Run]) -> None:
    run = runs["sweep"]
    told = jobs_of(run.events, cell_of(run))
    bars = axes_of(gantt(run)).patches
    assert sum(bar.get_width() for bar in bars) == pytest.approx(
        (told["left_s"] - told["start_s"]).sum()
    )
    assert {bar.get_facecolor()[:3] for bar in bars} == {to_rgb(INK["200"].colour)}


def test_gantt_has_a_row_for_idle_workers_too(runs: dict[str, Run]) -> None:
    figure = gantt(runs["sweep"], cell="n01-r2")
    assert len(axes_of(figure).get_yticks()) == 8
    assert "worker 8" in texts(figure)
    assert "0 %" in texts(figure)


@pytest.mark.parametrize("draw", [gantt, queue_depth])
def test_an_unknown_cell_is_refused(runs: dict[str, Run], draw: Callable[..., Figure]) -> None:
    with pytest.raises(ValueError, match="no measured cell 'n99'"):
        draw(runs["sweep"], cell="n99")


def test_queue_depth_marks_each_503_and_the_capacity(runs: dict[str, Run]) -> None:
    run = runs["refused and late"]
    cell = cell_of(run)
    refused = int((run.requests[run.requests["cell"] == cell.cell]["status"] == 503).sum())
    figure = queue_depth(run)
    assert f"16 PDFs at once: {refused} turned away" in texts(figure)
    assert "capacity K = 6" in texts(figure)
    marks = next(line for line in axes_of(figure).lines if "503" in str(line.get_label()))
    assert len(marks.get_xdata()) == refused


def test_queue_depth_leaves_a_far_capacity_to_the_text(runs: dict[str, Run]) -> None:
    figure = queue_depth(runs["sweep"])
    assert "room for K = 168" in texts(figure)
    assert "capacity" not in texts(figure)
    assert axes_of(figure).get_ylim()[1] < 40


def test_ecdf_has_a_curve_an_outcome(runs: dict[str, Run]) -> None:
    run = runs["refused and late"]
    said = texts(latency_ecdf(run))
    for status, count in run.measured["status"].value_counts().items():
        assert f"{count} of {len(run.measured)}" in said
        assert INK[str(status)].label in said
    assert "deadline, 9 s" in said


def test_bars_are_stacked_up_to_the_mean_latency(runs: dict[str, Run]) -> None:
    run = runs["sweep"]
    tops = [
        [bar.get_y() + bar.get_height() for bar in bars]
        for bars in axes_of(time_bars(run)).containers
    ]
    done = run.measured
    assert tops[0] == pytest.approx(list(done.groupby("concurrency")["process_ms"].mean() / 1000))
    assert tops[-1] == pytest.approx(list(done.groupby("concurrency")["latency_s"].mean()))


def test_several_runs_share_one_footer(tmp_path: Path) -> None:
    for name, levels in (("a", (1, 2)), ("b", (1,))):
        fake_run(tmp_path / name, levels, 1)
    with canvas(read_runs(tmp_path)) as ax:
        said = texts(figure_of(ax))
    assert "Synthetic CPU, 2 cores" in said
    assert "2 runs, n = 4" in said


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunFormatError, match="nor a folder of such"):
        read_runs(tmp_path)
