"""Who goes first on a busy machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from labserver import priority


def slice_ns() -> int:
    """How long the kernel lets the calling thread run at a time."""
    about = Path(f"/proc/self/task/{threading.get_native_id()}/sched")
    found = in_sched(about.read_text()) if about.exists() else None
    if found is None:
        pytest.skip("this kernel does not tell a thread's slice")
    return found


def in_sched(about: str) -> int | None:
    found = re.search(r"se\.slice\s*:\s*(\d+)", about)
    return int(found[1]) if found else None


def test_a_hastened_thread_has_a_short_slice_and_a_thread_it_starts_the_usual_one() -> None:
    usual = slice_ns()
    slices: list[int] = []

    def hasten() -> None:
        with priority.hastened():
            slices.append(slice_ns())
            started = threading.Thread(target=lambda: slices.append(slice_ns()))
            started.start()
            started.join()
        slices.append(slice_ns())

    thread = threading.Thread(target=hasten)
    thread.start()
    thread.join()
    if slices[0] == usual:
        pytest.skip("this kernel knows no slice of a thread's own, or does not let it be set")
    assert slices == [priority.SLICE_NS, usual, usual]
    assert slice_ns() == usual


GIVES_WAY = """
import subprocess, sys
from labserver import priority

priority.give_way()
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="priority has another name there")
def test_what_gives_way_is_last_and_so_is_what_it_starts() -> None:
    told = subprocess.run(
        [sys.executable, "-c", GIVES_WAY, "print(__import__('os').getpriority(0, 0))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(told.stdout) == priority.LOWEST > os.getpriority(os.PRIO_PROCESS, 0)


def test_what_gives_way_has_a_long_slice_and_so_has_what_it_starts() -> None:
    usual = slice_ns()
    told = subprocess.run(
        [sys.executable, "-c", GIVES_WAY, "print(open('/proc/self/sched').read())"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    if (found := in_sched(told.stdout)) == usual:
        pytest.skip("this kernel knows no slice of a thread's own, or does not let it be set")
    assert found == priority.PATIENT_SLICE_NS


class Busy:
    """The file of a session's priority, which takes none the first `times`."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.taken: list[str] = []

    def write_text(self, text: str) -> None:
        self.times -= 1
        if self.times >= 0:
            raise BlockingIOError
        self.taken.append(text)


@pytest.mark.parametrize("refusals", [0, 2, 3])
def test_a_session_that_cannot_be_lowered_yet_is_a_little_later_but_not_for_ever(
    refusals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Busy(refusals)
    monkeypatch.setattr(priority, "AUTOGROUP", file)
    monkeypatch.setattr(priority, "TRIES", 3)
    monkeypatch.setattr(priority, "TRY_EVERY_S", 0)
    assert priority.lower_session() == (refusals < 3)
    assert file.taken == ([str(priority.SESSION)] if refusals < 3 else [])
