"""The bare loop: the same pages without a server, and nothing left of it, however it ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from labserver.bench.bareloop import BareLoop
from labserver.bench.host import own_host
from labserver.bench.launch import launch
from labserver.bench.load import Burst
from labserver.bench.predict import can_backtest
from labserver.bench.report import Report
from labserver.bench.sentinel import AGREEING
from labserver.bench.store import read_run
from labserver.bench.sweep import Plan
from labserver.bench.target import target_of
from labserver.bench.versus import Contender, contender, versus
from labserver.errors import LaunchError, StartupError
from labserver.plots import draw_all, draw_study
from labserver.settings import SAMPLE, Settings
from labserver.work.pdf import scratch

PAGE = SAMPLE.with_name("page.pdf")
PLAN = Plan((1, 3), 2)
PATIENCE_S = 30


def scratch_of(processes: list[psutil.Process]) -> list[Path]:
    """The scratch folders that these processes have left."""
    parents = {scratch.scratch_root().parent, Path(tempfile.gettempdir())}
    names = [f"{scratch.PREFIX}{process.pid}*" for process in processes]
    return [path for name in names for parent in parents for path in parent.glob(name)]


def converts(process: psutil.Process) -> bool:
    """Whether the process has a pdftoppm that draws a page."""
    return any(child.name() == "pdftoppm" for child in process.children(recursive=True))


@pytest.mark.parametrize("engine", ["poppler", "pdfium"])
def test_a_server_is_held_against_the_same_work_without_one(tmp_path: Path, engine: str) -> None:
    settings = Settings(engine=engine, sample=PAGE, dpi=40, pdf_workers=2)
    theirs = contender("loop", settings)
    ours = Contender("labserver", settings)
    pair = asyncio.run(versus(PLAN, ours, theirs, tmp_path, progress=False))
    loop = pair.base
    for cell in (*loop.info.cells, *pair.other.info.cells):
        assert min(len(cell.sentinel_before_ms), len(cell.sentinel_after_ms)) >= AGREEING
    for run in (loop, pair.other):  # the work is done in children, which stay
        used_s = run.samples["children_cpu_s"]
        assert used_s.iloc[-1] > used_s.iloc[0]
    assert [effect.load for effect in pair.effects] == [1, 3]
    assert loop.path == tmp_path / "loop"
    assert len(loop.measured) == sum(n for n, _ in PLAN.points())
    assert set(loop.measured["error"].fillna("")) == {""}
    assert set(loop.measured["pages"]) == {1}
    assert set(loop.measured["worker"]) == {"loopWorker_0", "loopWorker_1"}
    assert (loop.measured["queue_ms"] >= 0).all()
    assert f"{engine}, 2 processes, no server" in str(Report(loop))
    assert not can_backtest(loop)
    with pytest.raises(StartupError, match="bare loop"):
        target_of(loop)
    draw_all(loop, tmp_path / "plots")
    draw_study([loop, pair.other], tmp_path / "plots")
    assert not psutil.Process().children()


def test_simulated_work_has_no_loop_to_be_held_against() -> None:
    with pytest.raises(StartupError, match="--engine sleep"):
        contender("loop", Settings(engine="sleep"))


def test_interrupted_it_leaves_no_process_and_no_scratch(tmp_path: Path) -> None:
    processes: list[psutil.Process] = []

    async def interrupted() -> None:
        settings = Settings(pdf_workers=2)
        loop = BareLoop(tmp_path, own_host(settings), settings, PLAN, {})
        async with loop.running():
            converting = asyncio.create_task(loop.cell(Burst(4), {}, 1, "measured"))
            while not any(map(converts, psutil.Process().children())):  # noqa: ASYNC110 - others do
                await asyncio.sleep(0.01)
            processes.extend(psutil.Process().children(recursive=True))
            converting.cancel()
            await converting

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(asyncio.wait_for(interrupted(), PATIENCE_S))
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    assert alive == []
    assert scratch_of(processes) == []
    run = read_run(tmp_path)
    assert run.info.verdict == "INVALID"
    assert "interrupted" in run.info.warnings[0]


KILLED = """
import sys
from labserver.bench.launch import launch
from labserver.settings import Settings

loop = launch(Settings(pdf_workers=2), command="loop")
print("up", flush=True)
sys.stdin.read()
"""


def test_it_ends_when_the_one_that_started_it_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().strip() == b"up"
        processes = psutil.Process(parent.pid).children(recursive=True)
        assert len(processes) >= 3
        parent.kill()
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    assert alive == []
    assert scratch_of(processes) == []


def test_a_document_that_it_cannot_convert_is_told_in_its_log(tmp_path: Path) -> None:
    settings = Settings(sample=SAMPLE.with_name("not-a-pdf.pdf"), pdf_workers=1)
    with pytest.raises(LaunchError, match="not a PDF"):
        launch(settings, log=tmp_path / "log", command="loop")
