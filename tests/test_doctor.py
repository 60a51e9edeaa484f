"""The doctor: that it complains of what is wrong, says what to do, and is quiet of what is not."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from labserver.doctor import examine, hardware, software, system, timing
from labserver.doctor.cgroup import cpu_quota, memory_limit
from labserver.doctor.finding import Finding, judged

MB = 10**6


def written(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        place = folder / name.replace("__", "/").replace("_dot_", ".")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content + "\n")
    return folder


def doctor(*arguments: str, path: str = "/nowhere") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labserver", "doctor", *arguments],
        capture_output=True, text=True, timeout=60, env={"PATH": path, "TERM": "dumb"},
    )  # fmt: skip


def test_it_looks_at_everything_once(tmp_path: Path) -> None:
    subjects = [finding.subject for finding in examine(tmp_path, 0)]
    assert len(subjects) == len(set(subjects)) == 18


def test_a_fail_is_its_exit_status_and_comes_with_the_remedy() -> None:
    told = doctor()  # there is no poppler on this PATH
    assert told.returncode == 1
    assert "fail  poppler" in told.stdout
    assert "--engine pdfium" in told.stdout
    assert "1 fail" in told.stdout
    assert told.stderr == ""


def test_what_is_not_ok_has_a_remedy_and_only_that() -> None:
    assert judged("a", "b", warn="c", fail="d") == Finding("fail", "a", "b", "d")
    assert judged("a", "b") == Finding("ok", "a", "b")
    with pytest.raises(ValueError, match="remedy"):
        Finding("warn", "a", "b")
    with pytest.raises(ValueError, match="remedy"):
        Finding("ok", "a", "b", "c")


def test_a_finding_is_told_in_lines_of_a_terminals_width() -> None:
    lines = str(Finding("warn", "subject", "said " * 40, "do " * 60)).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("warn  subject        said")
    assert sum("→" in line for line in lines) == 1


def test_dependencies_that_are_not_as_asked_are_named() -> None:
    asked = ["numpy>=1", "numpy>=999", "no-such-package>=1", "nothing-here; extra == 'lab'"]
    numpy, absent = software.missing(asked)
    assert "numpy>=999 (found" in numpy
    assert absent == "no-such-package>=1 (found nothing)"


def test_an_old_poppler_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "find_program", lambda name: name)
    for version, level in (("0.62.0", "warn"), ("22.12.0", "ok"), ("25.03.0", "ok")):
        monkeypatch.setattr(software, "poppler_version", lambda version=version: version)
        assert software.poppler().level == level


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu_dot_max": "150000 100000"}, 1.5),
        ({"cpu_dot_max": "max 100000"}, None),
        ({"cpu_dot_max": "max 100000", "a__cpu_dot_max": "50000 100000"}, 0.5),
        ({"cpu__cpu_dot_cfs_quota_us": "200000", "cpu__cpu_dot_cfs_period_us": "100000"}, 2.0),
        ({"cpu__cpu_dot_cfs_quota_us": "-1", "cpu__cpu_dot_cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_a_quota_of_time_is_found_in_both_kinds_of_cgroup(
    tmp_path: Path, files: dict[str, str], quota: float | None
) -> None:
    own = written(tmp_path / "proc", cgroup="0::/a/b") / "cgroup"
    assert cpu_quota(written(tmp_path / "root", **files), own) == quota


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory_dot_max": "max", "a__b__memory_dot_max": "1000"}, 1000),
        ({"memory__memory_dot_limit_in_bytes": "9223372036854771712"}, None),
        ({"memory__memory_dot_limit_in_bytes": "5000"}, 5000),
    ],
)
def test_the_least_limit_on_memory_counts(
    tmp_path: Path, files: dict[str, str], limit: int | None
) -> None:
    own = written(tmp_path / "proc", cgroup="4:memory:/x\n0::/a/b") / "cgroup"
    assert memory_limit(written(tmp_path / "root", **files), own) == limit


def test_a_quota_below_the_cores_is_warned_of(tmp_path: Path) -> None:
    little = written(tmp_path, cpu_dot_max="50000 100000")
    finding = hardware.cores(little)
    assert finding.level == "warn"
    assert "0.5 cores' time" in finding.said
    assert hardware.cores(tmp_path / "none").level == "ok"


def test_little_memory_fails(tmp_path: Path) -> None:
    for limit, level in ((300 * MB, "fail"), (1000 * MB, "warn")):
        assert hardware.memory(written(tmp_path, memory_dot_max=str(limit))).level == level


def test_the_64_mb_that_docker_gives_are_not_enough_for_page_files() -> None:
    assert hardware.room_for_pages(hardware.MEMORY_BACKED, 64 * MB).level == "fail"
    assert hardware.room_for_pages(hardware.MEMORY_BACKED, 1000 * MB).level == "ok"


def test_turbo_and_governors_are_warned_of(tmp_path: Path) -> None:
    assert hardware.clock_rate(tmp_path).level == "ok"
    steady = written(
        tmp_path / "a",
        cpu0__cpufreq__scaling_governor="performance",
        intel_pstate__no_turbo="1",
    )
    assert hardware.clock_rate(steady).level == "ok"
    boosted = written(tmp_path / "b", cpufreq__boost="1")
    assert "turbo on" in hardware.clock_rate(boosted).said
    lazy = written(tmp_path / "c", cpu0__cpufreq__scaling_governor="powersave")
    assert "performance" in hardware.clock_rate(lazy).remedy


def test_a_machine_on_its_battery_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    battery = namedtuple("battery", "percent power_plugged")
    for state, level in ((battery(80.0, False), "warn"), (battery(80.0, True), "ok"), (None, "ok")):
        monkeypatch.setattr(psutil, "sensors_battery", lambda state=state: state, raising=False)
        assert hardware.power().level == level


def test_a_folder_that_cannot_be_written_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert system.output_folder(tmp_path / "not" / "yet").level in ("ok", "warn")
    monkeypatch.setattr(system.os, "access", lambda *_: False)
    assert system.output_folder(tmp_path).level == "fail"


def test_few_open_files_are_warned_of() -> None:
    levels = [system.files_allowed(limit).level for limit in (64, 256, 1024, sys.maxsize)]
    assert levels == ["fail", "warn", "ok", "ok"]


def test_a_port_in_use_is_warned_of() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert system.port_is_free(other.getsockname()[1]).level == "warn"
    assert system.port_is_free(0).level == "ok"


def test_a_busy_machine_is_warned_of() -> None:
    assert timing.busy(0.02, 0.0, 0.1, 2).level == "ok"
    assert timing.busy(0.30, 0.0, 0.1, 2).level == "warn"
    assert timing.busy(0.02, 0.0, 3.0, 2).level == "warn"
    assert "virtual machine" in timing.busy(0.02, 0.05, 0.1, 2).remedy


def test_clocks_and_timers_that_are_coarse_are_warned_of() -> None:
    assert timing.resolution(5e-8, "tsc").level == "ok"
    assert timing.resolution(0.0156, "").level == "warn"
    assert timing.resolution(1e-7, "hpet").level == "warn"
    assert timing.lateness([0.1, 0.2, 0.3]).level == "ok"
    assert timing.lateness([11.0, 12.0, 10.0]).level == "warn"
    assert timing.lateness([0.1, 0.1, 45.0]).level == "warn"
    assert timing.rounds([10.0, 10.1, 10.2]).level == "ok"
    assert timing.rounds([10.0, 14.0, 15.0]).level == "warn"
