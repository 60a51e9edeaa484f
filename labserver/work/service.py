"""How long simulated work takes: always the same, exponentially spread, or as once measured."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path

from labserver.errors import StartupError

DOCUMENT_S = 6.0  # what the original's README gives for its 17 pages, alone

ServiceTime = Callable[[], float]


def service_time(kind: str, time_scale: float, source: random.Random) -> ServiceTime:
    """Draws seconds of work a job: 6 s when "fixed", of that mean when "exponential".

    Any other `kind` is a text file with a time in seconds on each line, of which one is drawn with
    replacement. All are multiplied by `time_scale`. Raises StartupError for a file that is not so.
    """
    if kind == "fixed":
        return lambda: DOCUMENT_S * time_scale
    if kind == "exponential":
        return lambda: source.expovariate(1) * DOCUMENT_S * time_scale
    measured_s = _measured_s(Path(kind))
    return lambda: source.choice(measured_s) * time_scale


def _measured_s(path: Path) -> list[float]:
    try:
        times_s = [float(line) for line in path.read_text(encoding="utf-8").split()]
    except OSError as error:
        raise StartupError(f"--service {path} is not fixed, exponential or a file") from error
    except ValueError as error:
        raise StartupError(f"--service {path} should hold seconds, one a line: {error}") from error
    if not times_s or not all(0 <= time_s < math.inf for time_s in times_s):
        raise StartupError(f"--service {path} should hold at least one time, none below 0 s")
    return times_s
