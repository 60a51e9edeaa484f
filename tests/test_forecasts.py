"""Theory against a sweep of rates: it agrees with a server that is the simulator, and says where
another one differs.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest
from fake_rates import fake_rates
from fake_run import fake_run

from labserver.bench.forecasts import (
    COLUMNS,
    SETTLING,
    Forecasts,
    Pool,
    _errors,
    forecasts,
    settled,
)
from labserver.bench.report import Report
from labserver.bench.store import Run
from labserver.theory.queues import mdc_wait, mmc_wait, mmck


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fake_rates(tmp_path_factory.mktemp("steady"), (0.5, 0.7), jobs=3000)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fake_rates(tmp_path_factory.mktemp("full"), (1.2, 1.6), jobs=1500, queue_size=8)


def of(run: Run) -> Forecasts:
    found = forecasts(run)
    assert found is not None
    return found


def test_an_exponential_server_is_mmc(steady: Run) -> None:
    table = of(steady).table
    assert table["quantity"].tolist() == ["wait_s", "wait_s"]
    assert table["model"].tolist() == ["M/M/2", "M/M/2"]
    assert table["model_error"].abs().max() < 0.15
    assert table["forecast"].to_numpy() == pytest.approx(mmc_wait(table["rate_per_s"], 0.03, 2))
    assert table["rho"].tolist() == pytest.approx([0.5, 0.7], rel=0.05)


def test_a_full_house_is_mmck(full: Run) -> None:
    table = of(full).table
    lost = table[table["quantity"] == "p503"]
    assert lost["model"].tolist() == ["M/M/2/18", "M/M/2/18"]
    expected = mmck(lost["rate_per_s"].to_numpy(), 0.03, 2, 16)
    assert lost["forecast"].to_numpy() == pytest.approx(expected.p_reject)
    assert lost["model_error"].abs().max() < 0.03
    assert (lost["low"] < lost["measured"]).all()
    refused = full.measured.groupby("rate_per_s")["status"].apply(lambda s: (s == 503).mean())
    assert lost["measured"].to_numpy() == pytest.approx(refused.to_numpy(), abs=0.02)


def test_fixed_work_is_mdc_and_where_jobs_are_refused_the_simulator() -> None:
    endless = Pool(2, 400, "fixed", "poisson").expects(60, 0.03)
    assert (endless.model, endless.p_reject) == ("M/D/2", 0)
    assert endless.wait_s == pytest.approx(mdc_wait(60, 0.03, 2))
    full = Pool(2, 16, "fixed", "poisson").expects(80, 0.03)
    assert full.model == "simulator"
    assert full.p_reject == pytest.approx(1 - 1 / 1.2, abs=0.02)
    assert Pool(2, 16, "fixed", "even").expects(60, 0.03).wait_s == 0


def test_what_a_server_adds_shows_against_the_replay(steady: Run, tmp_path: Path) -> None:
    assert of(steady).table["replayed_s"].to_numpy() == pytest.approx(
        of(steady).table["measured"].to_numpy(), abs=1e-5
    )
    late = of(fake_rates(tmp_path, (0.5,), repeats=1, jobs=500, late_s=0.004)).table
    assert (late["measured"] - late["replayed_s"]).item() > 0.0039


def test_the_first_part_of_each_point_is_left_out(steady: Run) -> None:
    rows, lasted_s = settled(steady)
    for cell in steady.info.cells:
        mine = rows[rows["cell"] == cell.cell]["intended_s"]
        assert mine.max() - mine.min() == pytest.approx(lasted_s[cell.cell], rel=0.02)
    assert len(rows) == pytest.approx((1 - SETTLING) * len(steady.measured), rel=0.05)


def test_one_repeat_has_no_interval_to_be_inside_of(tmp_path: Path) -> None:
    table = of(fake_rates(tmp_path, (0.5,), repeats=1, jobs=300)).table
    assert table["low"].isna().all()
    assert not table["inside"].any()


def test_hardly_off_is_not_off_by_minus_nothing() -> None:
    off = pd.Series([-0.001, -0.0004, -0.02])
    assert _errors(off, pd.Series([False, True, True])) == ["+0%", "+0.0 points", "-2.0 points"]


def test_it_stands_in_the_report_and_in_a_file(full: Run, tmp_path: Path) -> None:
    text = str(Report(full))
    assert "of 4 models are inside the measured interval" in text
    assert max(map(len, text.splitlines())) <= 120
    page = Report(full)._repr_html_()
    assert "M/M/2/18" in page
    assert re.search(r"<td>[\d.]+&nbsp;ms</td>", page)  # no line ends between them
    of(full).save(tmp_path / "forecasts.csv")
    saved = pd.read_csv(tmp_path / "forecasts.csv")
    assert tuple(saved) == COLUMNS
    assert saved["measured"].to_numpy() == pytest.approx(of(full).table["measured"].to_numpy())


@pytest.mark.parametrize(
    "server",
    [{"dispatch": "least-busy"}, {"shed": True}, {"discipline": "lifo"}, {"service": "x.txt"}],
)
def test_no_model_of_another_server(steady: Run, server: dict[str, object]) -> None:
    info = dataclasses.replace(steady.info, server={**steady.info.server, **server})
    assert forecasts(dataclasses.replace(steady, info=info)) is None


def test_no_model_of_a_closed_sweep_or_of_real_work(steady: Run, tmp_path: Path) -> None:
    assert forecasts(fake_run(tmp_path, (1, 2), 1, simulated=True)) is None
    real = dataclasses.replace(steady, info=dataclasses.replace(steady.info, simulated=False))
    assert forecasts(real) is None
    assert "theory" not in str(Report(real))
