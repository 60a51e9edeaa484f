"""A bounded waiting line, first in, first out. Not thread-safe: its pool holds a lock around it."""

from __future__ import annotations

from collections import OrderedDict

from labserver.jobs.job import Job


class Line:
    """Jobs that wait, oldest first; any of them can leave early at no cost to the others."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def full(self) -> bool:
        """Whether another job would be one too many."""
        return len(self._jobs) >= self.capacity

    def add(self, job: Job) -> None:
        """Put a job at the end; the caller has seen that the line is not full."""
        self._jobs[job.id] = job

    def discard(self, job: Job) -> bool:
        """Take a job out of the middle; False when it is not here."""
        return self._jobs.pop(job.id, None) is not None

    def take(self) -> Job | None:
        """The job that has waited longest, or None."""
        return self._jobs.popitem(last=False)[1] if self._jobs else None

    def jobs(self) -> list[Job]:
        """Everyone who waits, oldest first."""
        return list(self._jobs.values())
