"""Scratch folders: for page rasters, in memory where the system has such a place; for programs."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MEMORY_BACKED = Path("/dev/shm")
PREFIX = "labserver-"
STALE_AFTER_S = 600


def scratch_root() -> Path:
    """The folder under which this process keeps its scratch folders."""
    memory = MEMORY_BACKED.is_dir() and os.access(MEMORY_BACKED, os.W_OK)
    return (MEMORY_BACKED if memory else Path(tempfile.gettempdir())) / f"{PREFIX}{os.getpid()}"


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """A new folder under a root that is gone, with all in it, when the block is left."""
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder that may be there and that another may remove at the same time."""
    shutil.rmtree(folder, ignore_errors=True)


def program_folder() -> Path:
    """A new folder for programs of this process, which it keeps until `remove_own`.

    In memory, where no system sweeps out what lay unused for days, unless a container forbids to
    run programs from there. Its name cannot be foreseen, so nobody else can have put one there.
    """
    parent = scratch_root().parent
    if sys.platform == "linux" and os.statvfs(parent).f_flag & os.ST_NOEXEC:
        parent = Path(tempfile.gettempdir())
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=parent))


def remove_own() -> None:
    """Remove all scratch of this process, when it ends."""
    for folder, owner in _all():
        if owner == os.getpid():
            shutil.rmtree(folder, ignore_errors=True)


def remove_stale() -> None:
    """Remove what killed servers left: their process is gone and nothing has changed lately."""
    for folder, owner in _all():
        if not psutil.pid_exists(owner) and _untouched(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _all() -> Iterator[tuple[Path, int]]:
    """Every scratch folder on this machine, with the id of the process that made it."""
    for parent in {scratch_root().parent, Path(tempfile.gettempdir())}:
        for folder in parent.glob(f"{PREFIX}*"):
            owner = folder.name.removeprefix(PREFIX).partition("-")[0]
            if owner.isdecimal():
                yield folder, int(owner)


def _untouched(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > STALE_AFTER_S
    except FileNotFoundError:
        return False
