"""A pool's workers and the lines before them. Not thread-safe: its pool holds a lock around it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import inf
from typing import Literal

from labserver.jobs.job import Job
from labserver.jobs.line import Discipline, Line
from labserver.jobs.runner import Runner
from labserver.jobs.worker import Worker

Dispatch = Literal["least-busy", "shared"]


@dataclass(frozen=True, slots=True)
class PoolSnapshot:
    """A pool at one moment; `capacity` is how many jobs may wait in all.

    `at_work` has each worker, `lines` how many wait in each line: one a worker, or one in all.
    """

    workers: int
    busy: int
    waiting: int
    capacity: int
    dispatch: Dispatch
    discipline: Discipline = "fifo"
    at_work: tuple[bool, ...] = ()
    lines: tuple[int, ...] = ()


class Crew:
    """Workers that may come and go, each bringing `queue_size` places to wait.

    With `least-busy` they are a line of its own, with `shared` they are in the one before all.
    """

    def __init__(self, dispatch: Dispatch, discipline: Discipline, queue_size: int) -> None:
        self.dispatch = dispatch
        self.discipline = discipline
        self.workers: list[Worker] = []
        self._queue_size = queue_size
        self._shared = Line(0, discipline) if dispatch == "shared" else None

    @property
    def lines(self) -> list[Line]:
        """Each line once."""
        if self._shared is not None:
            return [self._shared]
        return [worker.line for worker in self.workers]

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return sum(len(line) for line in self.lines)

    @property
    def busy(self) -> int:
        """How many workers have a job."""
        return sum(worker.job is not None for worker in self.workers)

    def staying(self) -> list[Worker]:
        """The workers that take jobs: all that are not dismissed."""
        return [worker for worker in self.workers if not worker.dismissed]

    def least_busy(self) -> Worker | None:
        """The worker with the fewest jobs before a newcomer; None when nobody works here."""
        least, fewest = None, inf
        for worker in self.workers:
            if not worker.dismissed and (load := worker.load) < fewest:
                least, fewest = worker, load
                if load == 0:  # as a rule the first is free
                    break
        return least

    def add(self, name: str, runner: Runner) -> Worker:
        """A new worker; the jobs that wait stay where they are."""
        line = Line(0, self.discipline) if self._shared is None else self._shared
        worker = Worker(name, line, runner)
        worker.line.capacity += self._queue_size
        self.workers.append(worker)
        return worker

    def dismiss(self, names: Collection[str]) -> None:
        """Give these no more jobs: one without a job leaves now, the others after theirs.

        The jobs that wait have been taken out of the lines before.
        """
        for worker in self.staying():
            if worker.name in names:
                worker.dismissed = True
                worker.line.capacity -= self._queue_size
                worker.inbox.put(None)
                self.let_go(worker)

    def let_go(self, worker: Worker) -> None:
        """Forget a dismissed worker that has no job any more."""
        if worker.dismissed and worker.job is None:
            self.workers.remove(worker)

    def take_waiting(self) -> list[Job]:
        """Empty the lines."""
        waiting = [job for line in self.lines for job in line.jobs()]
        for job in waiting:
            self.discard(job)
        return waiting

    def discard(self, job: Job) -> bool:
        """Take a job out of its line; False when it is in none."""
        return any(line.discard(job) for line in self.lines)

    def snapshot(self) -> PoolSnapshot:
        """All of it at this moment."""
        return PoolSnapshot(
            workers=len(self.workers),
            busy=self.busy,
            waiting=self.waiting,
            capacity=sum(line.capacity for line in self.lines),
            dispatch=self.dispatch,
            discipline=self.discipline,
            at_work=tuple(worker.job is not None for worker in self.workers),
            lines=tuple(len(line) for line in self.lines),
        )
