"""A bounded waiting line: who is next when a worker falls free, and if that is still worth it.

Not thread-safe: its pool holds a lock around it.
"""

# The disciplines are those of labserver.theory.discipline, so that what is simulated can be run.
# There a rule's times are given. Here they come from what the pool knows anyway, the forecast of
# the service time or a job's own deadline, so that they fit jobs of milliseconds and of minutes.

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from labserver.jobs.job import Job

Discipline = Literal["fifo", "lifo", "deadline", "codel"]


class Line:
    """Jobs that wait; any of them can leave early at no cost to the others.

    `fifo` takes the oldest first, however late; `lifo` the newest. `deadline` and `codel` take the
    oldest too, but shed one that could not be done in time, or that has stood too long in a line
    which does not drain.
    """

    def __init__(self, capacity: int, discipline: Discipline = "fifo") -> None:
        self.capacity = capacity
        self.discipline = discipline
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._empty_ns = 0  # when it was last seen empty

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def full(self) -> bool:
        """Whether another job would be one too many."""
        return len(self._jobs) >= self.capacity

    @property
    def ahead(self) -> int:
        """How many are taken before a job that would join now, if no more come."""
        return 0 if self.discipline == "lifo" else len(self._jobs)

    def add(self, job: Job) -> None:
        """Put a job at the end; the caller has seen that the line is not full."""
        if not self._jobs:
            self._empty_ns = job.submitted_ns
        self._jobs[job.id] = job

    def discard(self, job: Job) -> bool:
        """Take a job out of the middle; False when it is not here."""
        return self._jobs.pop(job.id, None) is not None

    def take(self) -> Job | None:
        """The job whose turn it is, or None."""
        return self._jobs.popitem(last=self.discipline == "lifo")[1] if self._jobs else None

    def sheds(self, job: Job, now_ns: int, service_ns: int) -> bool:
        """Whether the job whose turn it is gets a refusal instead of a worker.

        `service_ns` is what a job is expected to take, 0 while nobody knows.
        """
        match self.discipline:
            case "deadline":
                return hopeless(job, now_ns, service_ns)
            case "codel":
                return self._stands_in(job, now_ns)
            case "fifo" | "lifo":
                return False

    def jobs(self) -> list[Job]:
        """Everyone who waits, oldest first."""
        return list(self._jobs.values())

    def _stands_in(self, job: Job, now_ns: int) -> bool:
        """Whether the line does not drain and the job has stood in it for too long.

        That is more than a quarter of its time, once the line was not empty for half of it. Source:
        the controlled delay of B. Maurer, "Fail at Scale", *ACM Queue* 13(8), 2015. Its 5 and
        100 ms are for requests of a few ms with time to spare; with so small a share of a job's
        deadline, workers would find nobody fit who came between two ends of work, and idle.
        """
        time_ns = job.stop.deadline_ns - job.submitted_ns
        standing_ns, waited_ns = now_ns - self._empty_ns, now_ns - job.submitted_ns
        return standing_ns > time_ns // 2 and waited_ns > time_ns // 4


def hopeless(job: Job, now_ns: int, service_ns: int) -> bool:
    """Whether a job that is expected to take `service_ns` could not be done in time any more."""
    return job.stop.deadline_ns - now_ns < service_ns
