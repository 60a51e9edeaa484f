"""What a Linux control group leaves a process, as containers are limited. None: no limit known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
SELF = Path("/proc/self/cgroup")
NO_LIMIT = 1 << 60  # version 1 writes a huge number for none


def cpu_quota(root: Path = CGROUP, own: Path = SELF) -> float | None:
    """Cores' worth of time, the least of those that the groups above us have."""
    found = []
    for folder in _folders(root, own):
        quota, period = _words(folder / "cpu.max", 2)
        if not quota:
            (quota,), (period,) = (
                _words(folder / f"cpu.cfs_{name}_us", 1) for name in ("quota", "period")
            )
        if quota.isdecimal() and period.isdecimal():
            found.append(int(quota) / int(period))
    return min(found, default=None)


def memory_limit(root: Path = CGROUP, own: Path = SELF) -> int | None:
    """Bytes, the least of those that the groups above us have."""
    words = (
        _words(folder / name, 1)[0]
        for folder in _folders(root, own)
        for name in ("memory.max", "memory.limit_in_bytes")
    )
    return min((int(w) for w in words if w.isdecimal() and int(w) < NO_LIMIT), default=None)


def _folders(root: Path, own: Path) -> Iterator[Path]:
    """The folders of our own groups and of all above them; a container sees its own as the root."""
    yield from (root, root / "cpu", root / "memory")
    for line in _lines(own):
        _, controllers, path = line.split(":", 2)
        top = root / controllers if controllers else root
        place = top / path.lstrip("/")
        while place != top and top in place.parents:
            yield place
            place = place.parent


def _words(file: Path, count: int) -> list[str]:
    """The first words of a file, "" for each that is not there."""
    words = " ".join(_lines(file)).split()
    return (words + [""] * count)[:count]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
