"""One load from end to end, on a server of its own and on one that runs already."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labserver.bench.checks import checks
from labserver.bench.client import Client
from labserver.bench.join import join
from labserver.bench.launch import ServerProcess, launch
from labserver.bench.load import Burst, ClosedLoop
from labserver.bench.openloop import OpenLoop
from labserver.bench.report import Report
from labserver.bench.retry import Patience
from labserver.bench.store import Run, read_run
from labserver.bench.trial import Trial, run_trial
from labserver.errors import StartupError
from labserver.plots import draw_all
from labserver.settings import Settings
from labserver.theory.retries import Retry

SIMULATED = Settings(
    engine="sleep", time_scale=0.05, pdf_workers=2, pdf_queue_size=2, rate_limit="off"
)


def put(trial: Trial, target: Settings | str, folder: Path, token: str | None = None) -> Run:
    return asyncio.run(run_trial(trial, target, folder, token=token, progress=False))


@pytest.fixture(scope="module")
def retried(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A burst of 10 on 2 workers with room for 4: those refused try again until they are served."""
    trial = Trial(
        Burst(10), patience=Patience(retry=Retry(40, 0.05, jitter=1), obey_retry_after=False)
    )
    return put(trial, SIMULATED, tmp_path_factory.mktemp("trial") / "run")


def test_every_attempt_is_a_row_of_its_own(retried: Run) -> None:
    rows = retried.measured
    attempts = rows.groupby("first")["attempt"].agg(["size", "max", "min"])
    assert len(attempts) == 10
    assert (attempts["size"] == attempts["max"]).all()
    assert (attempts["min"] == 1).all()
    assert Counter(rows["outcome"])["rejected"] == len(rows) - 10 > 0
    firsts = rows[rows["attempt"] == 1]
    assert (firsts["first"] == firsts["request"]).all()
    assert f"10 requests took {len(rows)} attempts" in str(Report(retried)).replace("\n  ", " ")


def test_a_run_tells_in_a_line_what_it_holds(retried: Run) -> None:
    assert f": custom load, 1 cell, {len(retried.measured)} requests, " in repr(retried)


def test_a_real_run_is_told_from_both_sides(retried: Run) -> None:
    assert [str(check) for check in checks(retried) if check.name.startswith("order")] != []
    table = join(retried)
    assert table[["submit_s", "settle_s", "reply_s", "overhead_ms"]].notna().all(axis=None)
    assert (table[["send_lag_ms", "way_in_ms", "way_out_ms", "wait_ms"]] >= 0).all(axis=None)
    assert table["reply_s"].between(table["settle_s"], table["done_s"]).all()
    completed = table[table["status"] == 200]
    assert completed["service_ms"].tolist() == pytest.approx(
        completed["process_ms"].tolist(), abs=0.01
    )
    trace = json.loads((retried.path / "trace.json").read_text())
    assert len([e for e in trace["traceEvents"] if e["ph"] == "b"]) == len(table)


def test_clients_that_disconnect_are_told_so_by_both_sides(tmp_path: Path) -> None:
    trial = Trial(Burst(3), patience=Patience(timeout_s=0.05))
    run = put(trial, SIMULATED, tmp_path / "run")
    assert Counter(run.measured["outcome"]) == {"timeout": 3}
    assert run.info.ledger["outcomes"]["abandoned"] == 3
    assert [str(check) for check in checks(run) if not check.ok] == []
    assert "in 3 attempts the client went" in str(Report(run))


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    settings = SIMULATED.model_copy(update={"token": "let me in"})
    with launch(Settings.of(**settings.model_dump(exclude_unset=True))) as server:
        yield server


def test_a_server_that_runs_already_is_known_by_its_answers(
    server: ServerProcess, tmp_path: Path
) -> None:
    """What it had counted before is not ours."""
    for name in ("first", "run"):
        run = put(Trial(ClosedLoop(2, rounds=3)), server.url, tmp_path / name, "let me in")
    assert run.info.ledger["received"] == 7
    assert Counter(run.requests["outcome"]) == {"completed": 7}
    assert (run.info.server["pdf_workers"], run.info.server["engine"]) == (2, None)
    assert run.info.simulated
    assert run.events.empty
    assert run.samples["client_cpu_s"].notna().all()
    assert [str(check) for check in checks(run) if not check.ok] == []
    text = str(Report(run))
    assert "a server that ran already" in text
    assert "memory: not recorded" in text
    assert draw_all(run, tmp_path / "plots")
    assert "let me in" not in (run.path / "run.json").read_text()


def test_no_server_is_said_before_anything_is_written(
    server: ServerProcess, tmp_path: Path
) -> None:
    server.stop()
    with pytest.raises(StartupError, match="no labserver answers there"):
        put(Trial(Burst(1)), server.url, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_messages_go_to_their_own_pool(tmp_path: Path) -> None:
    settings = Settings(time_scale=0.01, message_workers=2, engine="sleep")
    run = put(Trial(Burst(3), job="message"), settings, tmp_path / "run")
    assert set(run.events["pool"]) == {"message"}
    assert run.info.simulated
    text = str(Report(run))
    assert "simulated work (message)" in text
    assert "2 workers" in text
    assert draw_all(run, tmp_path / "plots")


def test_a_request_under_way_at_the_end_is_counted(server: ServerProcess, tmp_path: Path) -> None:
    async def interrupted() -> None:
        run = asyncio.create_task(
            run_trial(
                Trial(Burst(4)), server.url, tmp_path / "run", token="let me in", progress=False
            )
        )
        async with Client(server.url, token="let me in") as client:
            while (await client.stats())["ledger"]["waiting"] < 2:
                pass
        run.cancel()
        await run

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted())
    run = read_run(tmp_path / "run")
    assert run.info.verdict == "INVALID"
    assert Counter(run.requests["outcome"]) == {"completed": 1, "unfinished": 4}
    assert set(run.measured["concurrency"]) == {4}


def test_what_is_done_to_the_server_meanwhile_is_told(tmp_path: Path) -> None:
    """A pause of the server is longer than any job, and nothing is lost in it."""

    async def stall(server: ServerProcess) -> None:
        await server.pause(for_s=0.5)

    trial = Trial(ClosedLoop(1, seconds=1.5))
    settings = SIMULATED.model_copy(update={"time_scale": 0.005})
    run = asyncio.run(run_trial(trial, settings, tmp_path / "run", meanwhile=stall, progress=False))
    assert run.measured["latency_s"].max() > 0.45
    assert run.measured["latency_s"].median() < 0.2
    assert "meanwhile: stall" in str(Report(run))
    assert [str(check) for check in checks(run) if not check.ok] == []


def test_an_error_meanwhile_is_the_trials_own(tmp_path: Path) -> None:
    async def fails(server: ServerProcess) -> None:
        raise RuntimeError("meanwhile")

    with pytest.raises(RuntimeError, match="meanwhile"):
        asyncio.run(
            run_trial(Trial(Burst(1)), SIMULATED, tmp_path / "run", meanwhile=fails, progress=False)
        )
    assert read_run(tmp_path / "run").info.verdict == "INVALID"


@contextmanager
def starving(starved: bool) -> Iterator[None]:
    """A thread of this process that holds the interpreter's lock whenever it can."""
    over = threading.Event()

    def spin() -> None:
        while not over.is_set():
            sum(range(10_000))

    thread = threading.Thread(target=spin)
    interval_s = sys.getswitchinterval()
    try:
        if starved:
            sys.setswitchinterval(0.05)
            thread.start()
        yield
    finally:
        over.set()
        sys.setswitchinterval(interval_s)
        if starved:
            thread.join()


@pytest.mark.parametrize(("starved", "verdict"), [(False, "valid"), (True, "INVALID")])
def test_a_run_whose_generator_was_starved_says_so(
    tmp_path: Path, starved: bool, verdict: str
) -> None:
    trial = Trial(OpenLoop(8, 1.5, "even"))
    settings = SIMULATED.model_copy(update={"time_scale": 0.1, "pdf_workers": 8})

    async def beside(server: ServerProcess) -> None:
        with starving(starved):
            await asyncio.sleep(1.5)

    run = asyncio.run(
        run_trial(trial, settings, tmp_path / "run", meanwhile=beside, progress=False)
    )
    assert run.info.verdict == verdict, run.info.warnings
    late = [check for check in checks(run) if check.name.startswith("send lag")]
    assert [check.ok for check in late] == [not starved]
    assert Report(run).verdict == verdict
