"""Who goes first on a busy machine."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from labserver import priority


def slice_ns() -> int:
    """How long the kernel lets the calling thread run at a time."""
    about = Path(f"/proc/self/task/{threading.get_native_id()}/sched")
    found = re.search(r"se\.slice\s*:\s*(\d+)", about.read_text()) if about.exists() else None
    if found is None:
        pytest.skip("this kernel does not tell a thread's slice")
    return int(found[1])


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
