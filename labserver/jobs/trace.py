"""The trace: what happened to every job, in order, on one clock. It keeps nobody waiting."""

from __future__ import annotations

import csv
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from labserver.jobs.feed import Feed

COLUMNS = (
    "t_ns", "event", "pool", "job_id", "worker", "waiting", "busy", "page", "outcome", "value",
)  # fmt: skip

EVERY_S = 0.05

Row = tuple[int, str, str, str, str, int, int, int, str, float]


class Trace:
    """Events go into an unbounded queue; every 50 ms one thread writes them to a CSV file.

    Were it woken for each, it would want the interpreter lock as often. `record` takes about a
    microsecond and may be called under the ledger's lock, which is what puts the events in their
    true order. Without a path nothing is kept. What happens to jobs also goes to `feed` at once.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.feed = Feed()
        self._path = path
        self._rows: deque[Row] = deque()
        self._ended = threading.Event()
        self._writer = threading.Thread(target=self._write, name="trace", daemon=True)

    @property
    def wanted(self) -> bool:
        """Whether an event would be kept or heard by anyone."""
        return self._path is not None or self.feed.listened_to

    def record(
        self,
        t_ns: int,
        event: str,
        *,
        pool: str = "",
        job_id: str = "",
        worker: str = "",
        waiting: int = 0,
        busy: int = 0,
        page: int = 0,
        outcome: str = "",
        value: float = 0.0,
    ) -> None:
        """Note one event; `value` is what a sample such as the loop's lag (ms) measured."""
        if job_id and self.feed.listened_to:
            self.feed.publish(
                {
                    "t_ns": t_ns, "event": event, "pool": pool, "job_id": job_id, "worker": worker,
                    "waiting": waiting, "busy": busy, "page": page, "outcome": outcome,
                }
            )  # fmt: skip
        if self._path is not None:
            row = (t_ns, event, pool, job_id, worker, waiting, busy, page, outcome, value)
            self._rows.append(row)

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = self._path.open("w", newline="", encoding="utf-8")
            self._writer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._path is not None:
            self._ended.set()
            self._writer.join()

    def _write(self) -> None:
        with self._file as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            while not self._ended.wait(EVERY_S):
                writer.writerows(self._taken())
                file.flush()
            writer.writerows(self._taken())

    def _taken(self) -> Iterator[Row]:
        while self._rows:
            yield self._rows.popleft()
