"""What the operating system grants: files, folders and ports."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

from labserver.doctor.finding import Finding, judged

LEAST_FILES, FILES = 128, 1024
LEAST_DISK, DISK = 10**8, 2 * 10**9  # a hundred jobs of 17 pages are kept: 2 GB


def output_folder(folder: Path) -> Finding:
    """Whether the pages of finished jobs can be written, and how many."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    said = f"{folder}: {free / 1e9:.1f} GB free"
    if not os.access(there, os.W_OK):
        return Finding("fail", "output", f"{said}, but not ours to write", "name an --output-dir")
    remedy = "name an --output-dir with more room, or --keep-jobs fewer"
    return judged(
        "output", said, warn=remedy if free < DISK else "", fail=remedy if free < LEAST_DISK else ""
    )


def open_files() -> Finding:
    """How many files and connections a process may have open."""
    if sys.platform == "win32":
        return Finding("ok", "open files", "Windows sets no limit that matters here")
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return files_allowed(sys.maxsize if soft == resource.RLIM_INFINITY else soft)


def files_allowed(limit: int) -> Finding:
    """Whether so many open files are enough."""
    said = "as many as wanted" if limit == sys.maxsize else f"{limit} at once"
    remedy = f"each request under way takes one or more: ulimit -n {4 * FILES}"
    return judged(
        "open files",
        said,
        warn=remedy if limit < FILES else "",
        fail=remedy if limit < LEAST_FILES else "",
    )


def port_is_free(port: int, host: str = "127.0.0.1") -> Finding:
    """Whether a server can listen on the loopback address, at `port` or at any."""
    if _can_bind(host, port):
        return Finding("ok", "port", f"{host}:{port} is free")
    if _can_bind(host, 0):
        remedy = "end what listens there, or serve with --port 0, which takes a free one"
        return Finding("warn", "port", f"{host}:{port} is taken; others are free", remedy)
    return Finding(
        "fail", "port", f"cannot listen on {host} at all", "a sandbox forbids it: leave it"
    )


def _can_bind(host: str, port: int) -> bool:
    with socket.socket() as listener:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            return False
        return True
