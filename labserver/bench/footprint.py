"""What a process takes up: its memory, what it has started, and its files in memory.

Looking must cost little: what it costs is taken from the server that is being measured.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

import psutil

OWN_MEMORY = re.compile(rb"^Rss(?:Anon|File):\s+(\d+) kB", re.MULTILINE)
GONE = (FileNotFoundError, ProcessLookupError)


def resident(pid: int) -> int:
    """Bytes of a process in memory, without those that it maps of files in memory.

    `size` counts these. Elsewhere than on Linux, where they cannot be told apart, it is all bytes.
    Raises psutil.NoSuchProcess when it has gone.
    """
    if sys.platform != "linux":
        everything: int = psutil.Process(pid).memory_info().rss
        return everything
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except GONE as error:
        raise psutil.NoSuchProcess(pid) from error
    return 1024 * sum(int(kb) for kb in OWN_MEMORY.findall(status))


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
    with suppress(*GONE):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(*GONE):
                children += map(int, (thread / "children").read_bytes().split())
    return children


def size(folder: Path) -> int:
    """Bytes of all files below `folder`, which come and go while this looks."""
    size = 0
    for where, _, files in os.walk(folder):  # a folder that has gone is passed over
        for name in files:
            with suppress(FileNotFoundError):
                size += Path(where, name).stat().st_size
    return size
