"""Cores, memory, the clock rate and the power: what there is, and what may be used of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil

from labserver.bench.machine import machine, usable_cores
from labserver.doctor.cgroup import CGROUP, cpu_quota, memory_limit
from labserver.doctor.finding import Finding, judged
from labserver.settings import Settings
from labserver.work.pdf.poppler import PIXELS_PER_CALL
from labserver.work.pdf.scratch import MEMORY_BACKED, scratch_root

CPUS = Path("/sys/devices/system/cpu")
GB, MB = 10**9, 10**6
BYTES_PER_PIXEL = 3
LEAST_MEMORY = GB // 2  # what eight documents at once took at their peak
MEMORY = 2 * GB


def cores(root: Path = CGROUP) -> Finding:
    """The cores that may be used, and whether a quota of time takes some of them away again."""
    usable, quota = usable_cores(), cpu_quota(root)
    there, physical = psutil.cpu_count() or usable, machine()["physical_cores"]
    said = f"{machine()['cpu']}: {usable} of {there} hardware threads, on {physical} cores"
    if quota is None or quota >= usable:
        return judged("cores", said)
    return judged(
        "cores",
        f"{said}; but a cgroup's quota gives {quota:g} cores' time",
        warn="the quota stops all work for a part of each 0.1 s, and forecasts count the cores: "
        "give the container cores of its own instead (docker: --cpuset-cpus 0-1, not --cpus 2)",
    )


def memory(root: Path = CGROUP) -> Finding:
    """The memory that is free, a cgroup's limit included."""
    machines = psutil.virtual_memory()
    limit = memory_limit(root)
    free = machines.available if limit is None else min(machines.available, limit)
    said = f"{free / GB:.1f} GB free of {machines.total / GB:.1f} GB"
    if limit is not None:
        said += f", of which a cgroup lets us have {limit / GB:.1f} GB"
    return judged(
        "memory",
        said,
        warn="" if free >= MEMORY else "close other programs, or take fewer --pdf-workers",
        fail="" if free >= LEAST_MEMORY else "eight documents at once want 0.6 GB: free some",
    )


def page_files() -> Finding:
    """Room for the rasters that lie between poppler and the PNG writer."""
    place = scratch_root().parent
    return room_for_pages(place, shutil.disk_usage(place).free)


def room_for_pages(place: Path, free: int) -> Finding:
    """Whether so many bytes in `place` are enough for every worker of a default server."""
    workers = int(Settings.model_fields["pdf_workers"].default)
    wanted = workers * PIXELS_PER_CALL * BYTES_PER_PIXEL
    said = f"{free / MB:,.0f} MB free in {place}, {workers} workers want {wanted / MB:.0f}"
    if place != MEMORY_BACKED:
        said += "; this system has no memory-backed place for them"
    larger = "make it larger (docker: --shm-size 1g), or take fewer --pdf-workers"
    return judged("page files", said, fail="" if free >= wanted else larger)


def clock_rate(cpus: Path = CPUS) -> Finding:
    """What decides a core's clock rate, where the system tells."""
    governors = {_read(file) for file in cpus.glob("cpu[0-9]*/cpufreq/scaling_governor")}
    no_turbo, boost = _read(cpus / "intel_pstate/no_turbo"), _read(cpus / "cpufreq/boost")
    turbo = no_turbo == "0" or boost == "1"
    if not governors and not no_turbo and not boost:
        return Finding("ok", "clock rate", "not told (a virtual machine, or not Linux)")
    said = (
        f"governor {', '.join(sorted(governors)) or 'not told'}, turbo {'on' if turbo else 'off'}"
    )
    remedies = []
    if governors - {"performance", ""}:
        remedies.append("a core may begin slowly: sudo cpupower frequency-set -g performance")
    if turbo:
        remedies.append(
            "one job alone runs faster than each of several: what its time foretells is too good "
            "(predict's 'slowed' counts that in)"
        )
    return judged("clock rate", said, warn="; ".join(remedies))


def power() -> Finding:
    """Whether the machine lives on its battery."""
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is None:
        return Finding("ok", "power", "no battery")
    plugged = battery.power_plugged is not False
    said = f"battery at {battery.percent:.0f} %, {'plugged in' if plugged else 'not plugged in'}"
    return judged("power", said, warn="" if plugged else "plug it in: it saves power by being slow")


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
