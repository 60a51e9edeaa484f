"""What a process takes up: its CPU time, its memory, what it has started, its files in memory.

Looking must cost little: what it costs is taken from the server that is being measured.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

import psutil

# The files of /proc are read without Path and psutil: a look at nine children took 1.1 to
# 1.5 ms of CPU in place of 3.6. Client and server wait while it lasts: with 8 PDFs at once, a trace
# of the scheduler showed it in a third of the slowest answers to /livez.
MOST_BYTES = 65_536
OWN_MEMORY = re.compile(rb"^Rss(?:Anon|File):\s+(\d+) kB", re.MULTILINE)
GONE = (FileNotFoundError, ProcessLookupError)
TICKS_PER_S = os.sysconf("SC_CLK_TCK") if sys.platform == "linux" else 1


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, with those of its children that it has waited for.

    On Windows and macOS without the children's. Raises psutil.NoSuchProcess when it has gone.
    """
    if sys.platform != "linux":
        return float(sum(psutil.Process(pid).cpu_times()[:4]))
    # proc(5): its second field is a name in parentheses, of any characters; the 14th to 17th are
    # utime, stime, cutime and cstime.
    fields = _told(pid, "stat").rpartition(b")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS_PER_S


def resident(pid: int) -> int:
    """Bytes of a process in memory, without those that it maps of files in memory.

    `size` counts these. Elsewhere than on Linux, where they cannot be told apart, it is all bytes.
    Raises psutil.NoSuchProcess when it has gone.
    """
    if sys.platform != "linux":
        everything: int = psutil.Process(pid).memory_info().rss
        return everything
    return 1024 * sum(int(kb) for kb in OWN_MEMORY.findall(_told(pid, "status")))


def offspring(pid: int) -> list[int]:
    """The processes that a process has started, those that they have started, and so on.

    Linux tells them of each; elsewhere every process of the system is looked at.
    """
    if not Path(f"/proc/{pid}/task/{pid}/children").exists():
        with suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(pid).children(recursive=True)]
        return []
    found = _children(pid)
    for child in found:  # grows meanwhile
        found += _children(child)
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(*GONE), os.scandir(f"/proc/{pid}/task") as threads:
        for thread in threads:
            with suppress(*GONE):
                children += map(int, _read(f"{thread.path}/children").split())
    return children


def _told(pid: int, file: str) -> bytes:
    """What Linux tells of a process. Raises psutil.NoSuchProcess when it has gone."""
    try:
        return _read(f"/proc/{pid}/{file}")
    except GONE as error:
        raise psutil.NoSuchProcess(pid) from error


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, MOST_BYTES)
    finally:
        os.close(file)


def size(folder: Path) -> int:
    """Bytes of all files below `folder`, which come and go while this looks."""
    size = 0
    for where, _, files in os.walk(folder):  # a folder that has gone is passed over
        for name in files:
            with suppress(FileNotFoundError):
                size += Path(where, name).stat().st_size
    return size
