"""The command line, as its users type it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import until
from fake_run import fake_run

from labserver import __version__
from labserver.bench.store import read_run
from labserver.bench.sweep import FULL, QUICK, Plan, plan_of
from labserver.cli import main
from labserver.errors import StartupError
from labserver.settings import Settings


def labserver(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labserver", *arguments],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        env={"COLUMNS": "200", "PATH": "/nowhere", "TERM": "dumb"},
    )  # fmt: skip


def test_the_version() -> None:
    assert labserver("--version").stdout.strip() == __version__


@pytest.mark.parametrize("command", ["serve", "sweep", "load"])
def test_every_setting_is_a_flag(command: str) -> None:
    shown = labserver(command, "--help").stdout
    for name in Settings.model_fields:
        assert "--" + name.replace("_", "-") in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pdf-workers", "0"], "--pdf-workers"),
        (["--sample", "no-such.pdf"], "no-such.pdf is not there"),
        (["serve", "--nonsense"], "No such option: --nonsense"),
    ],
)
def test_a_server_that_cannot_start_says_why_in_one_line(arguments: list[str], said: str) -> None:
    ended = labserver(*arguments)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("sweep --quick --full", "name one of them"),
        ("sweep --concurrency x", "not like 1-16"),
        ("sweep --rate x", "not like 0.5,0.8"),
        ("sweep --rate 1 --quick", "a plan of its own"),
        ("load", "one of --rate R"),
        ("load --burst 1 --timeout 0", "above 0 s"),
        ("sweep --pdf no-such.pdf", "no-such.pdf cannot be read"),
        ("sweep --pdf no-such.pdf --versus loop", "no-such.pdf cannot be read"),
        ("load --burst 1 --pdf no-such.pdf", "no-such.pdf cannot be read"),
        ("load --burst 1 --url http://127.0.0.1:1 --pdf data/page.pdf", "--pdf cannot change it"),
        ("load --burst 1 --url http://127.0.0.1:1", "no labserver answers there"),
        ("load --burst 1 --url http://127.0.0.1:1 --pdf-workers 8", "--pdf-workers cannot change"),
        ("plot no-such-run", "not a finished run"),
        ("predict no-such-run", "not a finished run"),
        ("predict no-such-run --out a.txt", "written as .png or as .csv"),
    ],
)
def test_a_mistake_is_one_line_with_status_2(
    arguments: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["labserver", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "a mistake leaves nothing behind"


def test_a_forecast_is_printed_and_written(tmp_path: Path) -> None:
    fake_run(tmp_path / "run", (1, 2), 2)
    for name in ("a.csv", "a.png"):
        told = labserver(
            "predict", str(tmp_path / "run"), "--workers", "8", "--cores", "8", "--threads", "16",
            "--concurrency", "1,8", "--out", str(tmp_path / name),
        )  # fmt: skip
        assert told.returncode == 0, told.stderr
        assert "8 workers, 8 cores (16 threads): a forecast" in told.stdout
        assert (tmp_path / name).stat().st_size > 100


def test_without_poppler_serve_says_what_to_install(data: Path) -> None:
    ended = labserver("--sample", str(data / "page.pdf"))
    assert ended.returncode == 2
    assert "poppler" in ended.stderr
    assert "install" in ended.stderr
    assert "--engine pdfium" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_an_interrupted_sweep_says_where_it_has_left_what_it_had(tmp_path: Path) -> None:
    run = tmp_path / "run"
    log = run / "server.log"
    # Whoever runs the tests may ignore interrupts, and so would what they start.
    hearing = "from signal import *; signal(SIGINT, default_int_handler); "
    flags = ["sweep", "--concurrency", "1", "--engine", "sleep", "--out", str(run)]
    with subprocess.Popen(
        [sys.executable, "-c", hearing + "from labserver.cli import main; main()", *flags],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until(lambda: log.exists() and "ready" in log.read_text(), "no server was started")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == f"labserver: interrupted; what was measured is in {run}, marked INVALID\n"
    assert read_run(run).info.verdict == "INVALID"


def test_plans() -> None:
    def plan(**flags: object) -> Plan:
        given = {"quick": False, "full": False, "concurrency": None, "repeats": None, "seed": 0}
        return plan_of(**(given | flags))  # type: ignore[arg-type]

    assert plan() == plan(quick=True) == QUICK
    assert plan(full=True) == FULL
    assert plan(concurrency="1-3,8").concurrency == (1, 2, 3, 8)
    assert plan(concurrency="1-3,8").mode == "custom"
    with pytest.raises(StartupError):
        plan(repeats=0)
    with pytest.raises(StartupError):
        plan(concurrency="0")


def test_a_plan_runs_every_point_in_an_order_that_its_seed_decides() -> None:
    plan = Plan((1, 2, 3), repeats=2, seed=7)
    assert sorted(plan.points()) == [(n, r) for n in (1, 2, 3) for r in (1, 2)]
    assert plan.points() == Plan((1, 2, 3), repeats=2, seed=7).points()
    assert any(Plan((1, 2, 3), 2, seed=s).points() != plan.points() for s in range(5))
