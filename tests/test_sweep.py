"""The sweep from end to end on simulated work, and the run's folder that it leaves."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest

from labserver.bench import sweep as sweep_module
from labserver.bench.checks import checks
from labserver.bench.load import Burst
from labserver.bench.recording import INTERRUPTED
from labserver.bench.records import NS_PER_S, Cell, Request, RunInfo
from labserver.bench.store import TABLES, Run, read_run
from labserver.bench.sweep import Plan, sweep
from labserver.errors import RunFormatError, StartupError
from labserver.plots import FIGURES, draw_all
from labserver.settings import Settings

SIMULATED = Settings(engine="sleep", time_scale=0.02, pdf_workers=2, pdf_queue_size=1)


def run_sweep(plan: Plan, folder: Path, settings: Settings = SIMULATED) -> Run:
    return asyncio.run(sweep(plan, settings, folder, progress=False))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """2 workers and 2 places to wait: of 8 at once, 4 are refused."""
    return run_sweep(Plan((1, 2, 8), repeats=2), tmp_path_factory.mktemp("runs") / "run")


def test_the_folder_is_complete_and_the_server_gone(run: Run) -> None:
    names = {path.name for path in run.path.iterdir() if path.is_file()}
    assert names >= {"run.json", "trace.json", "server.log"} | {f"{table}.csv" for table in TABLES}
    assert not psutil.Process(os.getpid()).children()


def test_the_run_is_valid_and_says_what_it_was(run: Run) -> None:
    assert (run.info.verdict, run.info.warnings) == ("valid", [])
    assert all(check.ok for check in checks(run))
    assert run.info.simulated
    assert not any(c.sentinel_before_ms or c.sentinel_after_ms for c in run.info.cells)
    assert run.info.server["pdf_workers"] == 2
    assert run.info.machine["cores"]
    assert str(Path.home()) not in (run.path / "run.json").read_text()


def test_every_request_is_there_and_both_ledgers_agree(run: Run) -> None:
    assert Counter(run.requests["status"]) == {200: 1 + 2 * (1 + 2 + 4), 503: 2 * 4}
    assert Counter(run.requests["outcome"]) == {
        name: count for name, count in run.info.ledger["outcomes"].items() if count
    }
    assert len(run.measured) == 2 * (1 + 2 + 8)
    assert set(run.measured["concurrency"]) == {1, 2, 8}
    assert (run.measured["latency_s"] > 0).all()


def test_the_trace_tells_of_the_same_jobs(run: Run) -> None:
    completed = run.requests[run.requests["status"] == 200]
    ended = run.events[run.events["event"] == "end"]
    assert set(ended["job_id"]) == set(completed["job_id"])
    refused = run.events[run.events["event"] == "reject"]
    assert len(refused) == 8
    assert run.events["t_s"].is_monotonic_increasing
    assert set(ended["worker"]) == {"pdfWorker1", "pdfWorker2"}


def test_the_server_was_watched(run: Run) -> None:
    assert run.samples["loop_lag_ms"].notna().any()
    assert (run.samples["server_rss_mb"] > 1).all()
    assert (run.probes["status"] == 200).all()
    assert len(run.probes) > 5


def test_it_is_drawn_from_its_folder_alone(run: Run, tmp_path: Path) -> None:
    paths = draw_all(read_run(run.path), tmp_path / "plots")
    assert [path.stem for path in paths] == [
        name for name, drawing in FIGURES.items() if drawing.suits(run)
    ]
    again = draw_all(read_run(run.path), tmp_path / "again")
    assert [p.read_bytes() for p in paths] == [p.read_bytes() for p in again]


def test_a_folder_that_holds_a_run_is_not_overwritten(run: Run) -> None:
    with pytest.raises(StartupError, match="holds a run already"):
        run_sweep(Plan((1,), repeats=1), run.path)


def test_an_interrupted_sweep_keeps_what_it_has_and_is_invalid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sweep_module.Recording.cell

    async def cell(self: object, load: object, *about: object) -> None:
        if load == Burst(2):
            raise asyncio.CancelledError
        await real(self, load, *about)  # type: ignore[arg-type]

    monkeypatch.setattr(sweep_module.Recording, "cell", cell)
    with pytest.raises(asyncio.CancelledError):
        run_sweep(Plan((1, 2), repeats=1, seed=1), tmp_path / "run")
    run = read_run(tmp_path / "run")
    assert run.info.verdict == "INVALID"
    assert run.info.warnings[0] == INTERRUPTED
    assert len(run.requests) >= 1
    assert not psutil.Process(os.getpid()).children()


def test_the_log_does_not_tell_where_this_machine_keeps_its_modules(tmp_path: Path) -> None:
    """A blocked loop is logged with the stack that blocks it."""
    blocking = Settings(engine="sleep", runner="inline", time_scale=0.15, pdf_workers=1)
    run = run_sweep(Plan((1,), repeats=1), tmp_path / "run", blocking)
    log = (run.path / "server.log").read_text()
    assert f'File "labserver{os.sep}' in log
    assert not [place for place in sys.path if place and f'"{place}{os.sep}' in log]


def test_a_deadline_is_seen_as_504(tmp_path: Path) -> None:
    settings = SIMULATED.model_copy(update={"time_scale": 1.0, "pdf_timeout": 0.1})
    run = run_sweep(Plan((3,), repeats=1), tmp_path / "run", settings)
    assert Counter(run.measured["status"]) == {504: 3}
    # The third, whose deadline comes a moment after the others', may still be begun in that moment.
    assert Counter(run.measured["outcome"])["killed"] >= 2
    assert set(run.measured["outcome"]) <= {"killed", "expired"}
    assert run.info.verdict == "valid"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "run.json").unlink(), "not a finished run"),
        (lambda folder: (folder / "events.csv").unlink(), r"events\.csv is missing"),
        (lambda folder: (folder / "run.json").write_text("{"), r"run\.json"),
        (lambda folder: (folder / "probes.csv").write_text("a,b\n"), "lacks the columns"),
    ],
)
def test_a_spoilt_folder_says_what_is_wrong_with_it(
    run: Run, tmp_path: Path, spoil: object, said: str
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for path in run.path.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    spoil(folder)  # type: ignore[operator]
    with pytest.raises(RunFormatError, match=said):
        read_run(folder)


def test_a_run_of_another_schema_is_refused(run: Run) -> None:
    data = json.loads((run.path / "run.json").read_text())
    with pytest.raises(ValueError, match="schema version 99"):
        RunInfo.from_json({**data, "schema_version": 99})
    with pytest.raises(ValueError, match="does not know: colour"):
        RunInfo.from_json({**data, "colour": "red"})
    del data["machine"]
    with pytest.raises(ValueError, match="machine"):
        RunInfo.from_json(data)


def test_records_check_themselves() -> None:
    with pytest.raises(ValueError, match="out of order"):
        Request(0, "", "measured", 0, intended_ns=2, sent_ns=1, done_ns=3, status=200)
    with pytest.raises(ValueError, match="at least 1"):
        Cell("a", 0, 1, "measured", "", 0, 1)
    with pytest.raises(ValueError, match="ends before"):
        Cell("a", 1, 1, "measured", "", 1, 0)
    request = Request(0, "", "measured", 0, 2 * NS_PER_S, 3 * NS_PER_S, 4 * NS_PER_S, 200)
    row = request.row(origin_ns=NS_PER_S)
    assert (row["intended_s"], row["sent_s"], row["done_s"]) == (1, 2, 3)
