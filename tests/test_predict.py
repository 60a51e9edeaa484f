"""The forecast of a sweep: what it rests on, what it says, and how it is held against a run."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from fake_run import fake_run

from labserver.bench.cells import alone_s, throughputs
from labserver.bench.model import Model
from labserver.bench.predict import backtests, model_of, own_loads, predict, same_work
from labserver.bench.store import Run, read_run
from labserver.bench.target import Target, target_of
from labserver.errors import StartupError
from labserver.theory.closed import repairman
from labserver.theory.distributions import Empirical, Exponential
from labserver.theory.sharing import Cores

ROOT = Path(__file__).resolve().parent.parent
EIGHT = Target(workers=8, cores=8, threads=16, queue_size=20, timeout_s=60)
ONE_SECOND = Empirical([1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fake_run(tmp_path_factory.mktemp("run"), (1, 2, 4, 8, 16), 3)


def model(target: Target = EIGHT, **given: object) -> Model:
    return dataclasses.replace(Model(ONE_SECOND, target, Cores(target.cores), draws=5), **given)  # type: ignore[arg-type]


def test_it_foretells_a_server_that_shares_its_cores_fairly(run: Run) -> None:
    """The synthetic server does, so the model is right of it and must come out so."""
    (test, *_) = backtests(run)
    assert list(test.table.index) == [2, 4, 8, 16]
    assert np.abs(test.error).max() < 0.1
    means = throughputs(run).groupby("concurrency")["docs_per_s"].mean()
    assert list(test.table["measured_per_s"]) == pytest.approx(list(means.loc[2:]))


def test_equal_jobs_come_out_as_arithmetic_says() -> None:
    sweep = model().sweep([1, 8, 9, 16])
    assert list(sweep["last_s"]) == pytest.approx([1, 1, 2, 2])
    assert list(sweep["docs_per_s"]) == pytest.approx([1, 8, 4.5, 8])
    assert list(sweep["queue_s"]) == pytest.approx([0, 0, 1 / 9, 0.5])
    assert list(sweep["mean_s"]) == pytest.approx([1, 1, 10 / 9, 1.5])


def test_a_deadline_and_a_full_queue_cost_what_they_cost() -> None:
    small = Target(workers=2, cores=1, threads=1, queue_size=1, timeout_s=3)
    row = model(small).sweep([6]).loc[6]  # two find no room, two end at 2 s, two are too late
    assert row["completed"] == pytest.approx(2 / 6)
    assert row["last_s"] == pytest.approx(3)
    assert row["docs_per_s"] == pytest.approx(2 / 3)


def test_a_faster_core_divides_every_time() -> None:
    fast = model(dataclasses.replace(EIGHT, speed=2.0)).sweep([16]).loc[16]
    assert fast["last_s"] == pytest.approx(1)


def test_clients_who_think_are_the_repairmans() -> None:
    target = Target(workers=4, cores=2, threads=2, queue_size=20, timeout_s=math.inf)
    rng = np.random.default_rng(0)
    service = Empirical(Exponential(0.5).draw(rng, 4000))
    sweep = Model(service, target, Cores(2), think_s=0.0, draws=30).sweep([8])
    said = repairman(8, service.mean_s, 4, 0.0, cores=2)
    assert sweep.loc[8, "docs_per_s"] == pytest.approx(float(said.throughput_per_s), rel=0.1)


def test_the_interval_is_as_wide_as_s_is_unsure() -> None:
    def width(times_s: list[float]) -> float:
        sweep = Model(Empirical(times_s), EIGHT, Cores(8)).sweep([1])
        return float((sweep["docs_per_s_high"] / sweep["docs_per_s_low"]).iloc[0])

    assert width([0.99, 1.01]) > 1.2  # of two, Student's t knows next to nothing
    assert width([0.99, 1.01] * 20) < 1.05
    assert math.isnan(width([1.0]))


def test_the_seed_decides(run: Run) -> None:
    first, again, other = (predict(run, at_once=[8], seed=s).table for s in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_cores_that_slow_each_other_are_a_case_of_their_own(tmp_path: Path) -> None:
    run = fake_run(tmp_path, (1, 2, 4), 2)
    slow = run.requests["cell"].str.startswith(("n02", "n04"))
    run.requests.loc[slow, "done_s"] += 1.0
    alone, slowed = backtests(run)
    assert (alone.error > 0.1).all()
    assert slowed.cores.full_speed < 0.9
    assert list(slowed.table.index) == [4]  # N = 2 gave the speed, so it is no test of it
    said = predict(run, EIGHT, at_once=[8])
    assert set(said.sweeps) == {"cores", "slowed"}
    ratio = said.sweeps["slowed"]["docs_per_s"] / said.sweeps["cores"]["docs_per_s"]
    assert ratio.loc[8] == pytest.approx(slowed.cores.full_speed, rel=0.02)


def test_threads_count_only_for_more_workers_than_cores(run: Run) -> None:
    many = dataclasses.replace(EIGHT, workers=16)
    sweeps = predict(run, many, at_once=[16]).sweeps
    ratio = sweeps["16 threads"]["docs_per_s"] / sweeps["cores"]["docs_per_s"]
    assert ratio.loc[16] == pytest.approx(2, rel=0.05)
    few = predict(run, EIGHT, at_once=[16])
    assert "16 threads" not in few.sweeps
    assert "16 threads change nothing here" in str(few)


def test_it_says_what_it_rests_on(run: Run) -> None:
    for text in (str(predict(run, EIGHT)), predict(run, EIGHT)._repr_html_()):
        for phrase in ("a forecast", "Synthetic CPU, 2 cores", "3 jobs alone", "processor sharing",
                       "Not modelled", "off by"):  # fmt: skip
            assert phrase in text


def test_a_run_of_one_n_is_predicted_for_1_to_16_and_says_that_it_is_untested(
    tmp_path: Path,
) -> None:
    run = fake_run(tmp_path, (1,), 2)
    assert own_loads(run) == tuple(range(1, 17))
    assert "Untested" in str(predict(run, EIGHT, at_once=[4]))


def test_simulated_work_shares_no_cores(tmp_path: Path) -> None:
    run = fake_run(tmp_path, (1, 8), 1, simulated=True)
    assert target_of(run).cores == 8
    assert "SIMULATED WORK" in str(predict(run, at_once=[8]))


def test_a_run_without_a_job_alone_is_refused_with_the_remedy(tmp_path: Path) -> None:
    run = fake_run(tmp_path, (2, 4), 1)
    assert backtests(run) == []
    with pytest.raises(StartupError, match="sweep --concurrency 1"):
        predict(run)


@pytest.mark.parametrize(
    "wrong", [{"workers": 0}, {"cores": 0}, {"threads": 1}, {"speed": 0.0}, {"speed": math.nan}]
)
def test_a_machine_that_cannot_be_is_refused(run: Run, wrong: dict[str, float]) -> None:
    with pytest.raises(StartupError):
        target_of(run, **wrong)  # type: ignore[arg-type]


def test_the_models_service_times_are_the_runs_own(run: Run) -> None:
    assert list(model_of(run).service.samples_s) == pytest.approx(list(alone_s(run)))


@pytest.mark.parametrize(
    "name", [f.parent.name for f in sorted((ROOT / "results").glob("sweep-*/run.json"))]
)
def test_a_kept_sweep_is_foretold_roughly_and_better_when_slowed(name: str) -> None:
    tests = backtests(read_run(ROOT / "results" / name))
    alone, slowed = (test.error.abs().max() for test in tests)
    assert alone < 0.35
    assert slowed < min(alone, 0.15)


def test_a_model_is_held_only_against_the_same_work(run: Run, tmp_path: Path) -> None:
    other = fake_run(tmp_path, (1, 8), 2, seed=3)
    assert same_work(run, other)
    for part, change in (
        ("server", {"dpi": 50}),
        ("client", {"path": "/gallery/original/put"}),
        ("versions", {"poppler": "0.1"}),
        ("machine", {"cores": 3}),
        ("document", {"name": "another.pdf"}),
    ):
        changed = {part: {**getattr(other.info, part), **change}}
        unlike = dataclasses.replace(other, info=dataclasses.replace(other.info, **changed))
        assert not same_work(run, unlike)
