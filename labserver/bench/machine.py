"""What a run was made on: the machine and the versions, as run.json records them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from datetime import date
from pathlib import Path

import psutil

from labserver import __version__

PACKAGES = (
    "fastapi", "uvicorn", "aiohttp", "pdf2image", "pypdfium2", "isal", "pyvips", "pyvips-binary",
    "distributed",
)  # fmt: skip


def machine() -> dict[str, object]:
    """The processor, its cores, the memory and the system. No host name: a run may be published."""
    return {
        "cpu": _cpu_name(),
        "cores": usable_cores(),
        "physical_cores": psutil.cpu_count(logical=False) or usable_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "os": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def today_on(host: dict[str, object]) -> str:
    """The day and the `machine()`, two lines: what a reader must know of the figures below them."""
    return (
        f"{date.today()}: {host['cpu']}, {host['cores']} cores, {host['memory_gb']} GB,\n"
        f"{host['os']}, Python {host['python']}"
    )


def versions() -> dict[str, str]:
    """The versions of all that a figure may depend on."""
    packages = {name: version for name in PACKAGES if (version := _version(name))}
    return {"labserver": __version__, "poppler": poppler_version(), **packages}


def _version(package: str) -> str:
    """Of an installed package; empty for an extra that is not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def usable_cores() -> int:
    """Cores that this process may run on, which a container or `taskset` may have limited."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if found is not None:
            return found[1].strip()
    return platform.processor() or platform.machine()


def poppler_version() -> str:
    """What `pdftoppm` says that it is, or "not installed"."""
    try:
        printed = subprocess.run(["pdftoppm", "-v"], capture_output=True, text=True, timeout=10)
    except FileNotFoundError:
        return "not installed"
    found = re.search(r"version ([\d.]+)", printed.stderr + printed.stdout)
    return found[1] if found else "unknown"
