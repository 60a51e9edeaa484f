"""What every piece of the gallery is given, and the answer that each of them gives."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Exhibit:
    """What a piece works with: the server's own work for a job id, and the settings it shares.

    `work` runs in the calling thread and cannot be stopped: nothing here asks it to.
    """

    work: Callable[[str], str]
    sample: Path
    output: Path
    dpi: int
    workers: int
    queue_size: int
    timeout_s: float


@dataclass(slots=True)
class Visit:
    """One request's times, and its answer in the form of POST /put."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    came_s: float = field(default_factory=time.monotonic)
    began_s: float = 0.0

    def begin(self) -> None:
        """Note that the work begins now."""
        self.began_s = time.monotonic()

    def answer(self, text: str, worker: str) -> dict[str, Any]:
        """The body of a 200."""
        now_s = time.monotonic()
        result = {
            "errCode": "",
            "err": "",
            "data": text,
            "workerName": worker,
            "dequeueElapsedMs": round(1000 * (self.began_s - self.came_s)),
            "processElapsedMs": round(1000 * (now_s - self.began_s)),
            "totalElapsedMs": round(1000 * (now_s - self.came_s)),
        }
        return {"data": {"id": self.id, "result": result}}
