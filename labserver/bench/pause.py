"""Stops a process for a while. It runs as a process of its own, and so resumes it whatever ends."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

import psutil


def hold(pid: int, for_s: float) -> None:
    """Suspend the process, and resume it after `for_s` seconds. One that has ended is let be."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.suspend()
        try:
            time.sleep(for_s)
        finally:
            process.resume()


if __name__ == "__main__":
    hold(int(sys.argv[1]), float(sys.argv[2]))
