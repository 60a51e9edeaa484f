"""What is seen of a server's memory, its children and its files, which come and go meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from labserver.bench.footprint import cpu_s, offspring, resident, size


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    for job in ("a", "b"):
        (tmp_path / job).mkdir()
        (tmp_path / job / "page.ppm").write_bytes(b"12345")
    return tmp_path


def test_it_counts_the_bytes_of_all_files_below(scratch: Path) -> None:
    assert size(scratch) == 10


def test_it_passes_over_what_has_gone(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = Path.stat

    def stat(self: Path, **how: bool) -> object:
        """Look at a file; the folder of the other job has gone by then."""
        seen = look(self, **how)
        if self.name == "page.ppm":
            shutil.rmtree(scratch / ("b" if self.parent.name == "a" else "a"), ignore_errors=True)
        return seen

    monkeypatch.setattr(Path, "stat", stat)
    assert size(scratch) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells them apart")
def test_a_file_in_memory_is_not_counted_again_by_who_maps_it() -> None:
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.truncate(32_000_000)
        before = resident(os.getpid())
        mapped = np.memmap(file.name, np.uint8, "r")
        assert mapped.sum() == 0  # every page of it has been looked at
        seen = psutil.Process().memory_info().rss
        assert seen - resident(os.getpid()) >= 32_000_000
        assert resident(os.getpid()) - before < 16_000_000


def test_a_process_that_has_gone_takes_up_nothing() -> None:
    process = psutil.Popen([sys.executable, "-c", ""])
    process.wait()
    for look in (resident, cpu_s):
        with pytest.raises(psutil.NoSuchProcess):
            look(process.pid)
    assert offspring(process.pid) == []


def test_cpu_time_is_what_psutil_says() -> None:
    before = psutil.Process().cpu_times()
    seen = cpu_s(os.getpid())
    after = psutil.Process().cpu_times()
    assert sum(before[:4]) - 0.011 <= seen <= sum(after[:4]) + 0.011  # a tick: each is rounded


TURNS = "import time\nwhile time.process_time() < 0.2:\n    pass"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a parent is not told of it")
def test_cpu_time_of_a_child_that_has_ended_is_its_parents() -> None:
    before = cpu_s(os.getpid())
    subprocess.run([sys.executable, "-c", TURNS], check=True)
    assert cpu_s(os.getpid()) - before >= 0.19


STARTS_ONE_IN_A_THREAD = """
import subprocess, sys, threading

def start():
    subprocess.run([sys.executable, "-c", "print(input(), flush=True)"])

threading.Thread(target=start).start()
"""


def test_children_of_children_are_offspring_whichever_thread_has_started_them() -> None:
    with psutil.Popen(
        [sys.executable, "-c", STARTS_ONE_IN_A_THREAD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        while not process.children():  # its own import of threading takes a moment
            time.sleep(0.01)
        seen = set(offspring(os.getpid()))
        assert {process.pid, process.children()[0].pid} <= seen
        assert seen == {child.pid for child in psutil.Process().children(recursive=True)}
        process.communicate(b"end\n")
    assert process.pid not in offspring(os.getpid())
