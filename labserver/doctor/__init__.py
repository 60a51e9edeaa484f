"""Whether this machine can run the server, and measure it honestly. It changes nothing on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from labserver.doctor import hardware, software, system, timing
from labserver.doctor.finding import Finding

__all__ = ["Finding", "examine"]


def examine(output_dir: Path, port: int) -> Iterator[Finding]:
    """Every finding, as soon as it is there; all of them take about two seconds."""
    looks: tuple[Callable[[], Finding], ...] = (
        software.python,
        software.packages,
        software.poppler,
        software.pdfium,
        software.libvips,
        software.notebooks,
        hardware.cores,
        hardware.memory,
        hardware.page_files,
        lambda: system.output_folder(output_dir),
        system.open_files,
        lambda: system.port_is_free(port),
        hardware.clock_rate,
        hardware.power,
        timing.others,
        timing.steady,
        timing.clock,
        timing.loop_timers,
    )
    for look in looks:
        yield look()
