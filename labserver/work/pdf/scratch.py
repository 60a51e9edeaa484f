"""Scratch folders for page rasters: in memory where the system has such a place."""

from __future__ import annotations

import os
import shutil
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
def scratch_folder() -> Iterator[Path]:
    """A new folder that is gone, with all in it, when the block is left."""
    root = scratch_root()
    root.mkdir(mode=0o700, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_own() -> None:
    """Remove all scratch of this process, when it ends."""
    shutil.rmtree(scratch_root(), ignore_errors=True)


def remove_stale() -> None:
    """Remove what killed servers left: their process is gone and nothing has changed lately."""
    for folder in scratch_root().parent.glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX)
        if owner.isdecimal() and not psutil.pid_exists(int(owner)) and _untouched(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _untouched(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > STALE_AFTER_S
    except FileNotFoundError:
        return False
