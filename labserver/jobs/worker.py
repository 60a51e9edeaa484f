"""A worker's place in a pool. Its pool's lock is held around all of it but the inbox."""

from __future__ import annotations

import queue

from labserver.jobs.job import Job
from labserver.jobs.line import Line
from labserver.jobs.runner import Runner


class Worker:
    """A worker thread's place: the line it takes from, the job it has, and where it does it.

    Once `dismissed` it takes no more jobs, and leaves when it has none.
    """

    def __init__(self, name: str, line: Line, runner: Runner) -> None:
        self.name = name
        self.line = line
        self.runner = runner
        self.job: Job | None = None
        self.dismissed = False
        self.inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()

    @property
    def load(self) -> int:
        """Jobs that stand before a newcomer: those that wait and the one that runs."""
        return len(self.line) + (self.job is not None)
