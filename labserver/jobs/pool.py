"""A pool: worker threads, the bounded lines before them, and the one step that lets a job in."""

# How a job moves, and who may move it
#
#   submit (loop) ──> running        a worker is free: the job is its at once
#                 └─> waiting ──> running        its worker has ended the job before
#                        └──<──────┘             its worker was lost: once more, elsewhere
#
# Every arrow is taken under the ledger's lock, together with the ledger's own count, so "is there
# room" and "take the room" are one step, and a queue of size Q holds exactly Q jobs beside those
# that run. A request's outcome is settled under the same lock by whoever comes first: the worker
# that ends the work, or the loop, whose deadline has passed. The other then finds it settled.
#
# A worker's inbox is only the wake-up: it carries at most one job, the one that the lock has
# already made its own. A worker whose job was settled early goes on until the work has really
# ended, and only then is its place free again.
#
# Workers may come and go (`hire`, `dismiss`), as the machines of a cluster do. Then all that wait
# are dealt out anew, oldest first; those let in before may then be more than there are places.

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from labserver.errors import Stopped, WorkerLost
from labserver.jobs.crew import Crew, Dispatch, PoolSnapshot
from labserver.jobs.forecast import Forecast
from labserver.jobs.job import Job
from labserver.jobs.ledger import Ledger
from labserver.jobs.line import Discipline, Line, hopeless
from labserver.jobs.outcome import Outcome
from labserver.jobs.runner import Runner
from labserver.jobs.trace import Trace
from labserver.jobs.worker import Worker

log = logging.getLogger(__name__)


class Pool:
    """`workers` threads behind bounded lines of `queue_size` jobs a worker.

    `dispatch="least-busy"` gives each worker a line of its own and a job to the worker with the
    fewest before it; `"shared"` puts one line of `workers * queue_size` before all of them.
    `discipline` says which waiting job is next, and whether it is still worth it.

    With `shed`, a job whose answer could only come too late is refused when it comes, or dropped
    when its turn has come too late. A job that a free worker can take is never refused so: with
    a wrong forecast the pool would else refuse everything and never learn better.

    A job whose worker was lost is begun again on another, up to `retries` times.
    """

    def __init__(
        self,
        name: str,
        runner: Runner,
        ledger: Ledger,
        trace: Trace,
        *,
        workers: int,
        queue_size: int,
        dispatch: Dispatch = "least-busy",
        discipline: Discipline = "fifo",
        shed: bool = False,
        retries: int = 0,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self._ledger = ledger
        self._lock = ledger.lock
        self._trace = trace
        self._clock = clock
        self._shed = shed
        self._retries = retries
        self._forecast = Forecast()
        self._draining = False
        self._started = False
        self._crew = Crew(dispatch, discipline, queue_size)
        self._threads: list[threading.Thread] = []
        for n in range(workers):
            self.hire(f"{name}Worker{n + 1}", runner)

    def start(self) -> None:
        """Start the worker threads."""
        with self._lock:
            self._started = True
            for thread in self._threads:
                thread.start()

    def hire(self, name: str, runner: Runner) -> None:
        """Add a worker whose jobs `runner` does; those that wait are dealt out anew."""
        with self._lock:
            if self._draining:
                return
            worker = self._crew.add(name, runner)
            thread = threading.Thread(target=self._serve, args=(worker,), name=name, daemon=True)
            self._threads.append(thread)
            if self._started:
                thread.start()
            dropped = self._deal(self._crew.take_waiting())
        _report(dropped)

    def dismiss(self, names: Collection[str]) -> None:
        """Let workers go, each when the job that it has is ended; others take over their lines.

        When nobody stays, the jobs that wait end as lost.
        """
        with self._lock:
            waiting = self._crew.take_waiting()
            self._crew.dismiss(names)
            dropped = self._deal(waiting)
        _report(dropped)

    def submit(self, job: Job) -> None:
        """Take a job or refuse it, at once: a refused one has its outcome when this returns."""
        with self._lock:
            self._ledger.receive(job)
            job.submitted_ns = self._clock()
            worker = self._crew.least_busy()
            if self._draining:
                self._refuse(job, Outcome.DRAINED)
            elif worker is None:
                self._refuse(job, Outcome.LOST)
            elif worker.job is None:
                self._assign(worker, job)
                self._note("submit", job, job.submitted_ns)
            elif worker.line.full:
                self._refuse(job, Outcome.REJECTED)
            elif self._shed and self._would_be_late(job, worker.line):
                self._refuse(job, Outcome.SHED)
            else:
                self._ledger.place(job, "waiting")
                worker.line.add(job)
                self._note("submit", job, job.submitted_ns)

    def withdraw(self, job: Job, if_waiting: Outcome, if_running: Outcome) -> None:
        """End a job's request without a result and stop its work.

        A waiting job leaves its line now. A running one is asked to stop, and its worker is free
        when it has. A job that has an outcome keeps it: its work ended first.
        """
        with self._lock:
            if job.outcome is not None:
                return
            if self._crew.discard(job):
                self._drop(job, if_waiting)
            else:
                self._ledger.settle(job, if_running, self._clock())
                self._note("settle", job, job.settled_ns)
        job.stop.request()

    def replied(self, job: Job, at_ns: int) -> None:
        """Note when the answer about a job that has an outcome was sent."""
        self._note("reply", job, at_ns)

    def drain(self) -> None:
        """Take no more jobs and let go of those that wait; the running ones go on."""
        with self._lock:
            self._draining = True
            waiting = [job for line in self._crew.lines for job in line.jobs()]
        for job in waiting:
            self.withdraw(job, Outcome.DRAINED, Outcome.DRAINED)
            job.report()

    def stop_running(self) -> None:
        """Stop the work that runs; its requests end as drained."""
        with self._lock:
            running = [worker.job for worker in self._crew.workers if worker.job is not None]
        for job in running:
            self.withdraw(job, Outcome.DRAINED, Outcome.DRAINED)
            job.report()

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop everything and wait for the threads; what has not ended by then is logged."""
        self.drain()
        self.stop_running()
        with self._lock:
            threads = list(self._threads)
            for worker in self._crew.workers:
                worker.inbox.put(None)
        deadline = time.monotonic() + timeout_s
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.error("%s has not ended its work in %g s", thread.name, timeout_s)

    def snapshot_locked(self) -> PoolSnapshot:
        """The pool as it is, for a caller who holds the ledger's lock."""
        return self._crew.snapshot()

    # The worker's side: its own thread, and no Future in it.

    def _serve(self, worker: Worker) -> None:
        worker.runner.prepare_thread()
        while (job := worker.inbox.get()) is not None:
            self._run(worker.runner, job)
            self._finish(worker, job)

    def _run(self, runner: Runner, job: Job) -> None:
        job.tries += 1
        job.started_ns = self._clock()
        self._note("start", job, job.started_ns)
        assert job.task is not None
        try:
            job.stop.check()
            job.result = runner.run(job.task, job.stop, lambda page: self._page(job, page))
        except Stopped as stopped:
            job.error = stopped
        except Exception as error:  # noqa: BLE001 - whatever the work raises is the job's end, not the worker's
            job.error = error

    def _finish(self, worker: Worker, job: Job) -> None:
        with self._lock:
            worker.job = None
            again = self._may_retry(job)
            ended = self._retry(job) if again else [job, *self._end(worker, job)]
            self._crew.let_go(worker)
        _report(ended)

    def _page(self, job: Job, page: int) -> None:
        self._note("page", job, self._clock(), page=page)

    # Below, the lock is held. What returns jobs returns those that it has ended, to be reported.

    def _end(self, worker: Worker, job: Job) -> list[Job]:
        job.ended_ns = self._clock()
        job.task = None  # what the task holds (a document) goes with the job, not with the worker
        if job.outcome is None:
            self._ledger.settle(job, _outcome_of(job), job.ended_ns)
            if not isinstance(job.error, Stopped | WorkerLost):
                self._forecast.observe(job.ended_ns - job.started_ns)
        else:
            self._ledger.waste(job.ended_ns - max(job.settled_ns, job.started_ns))
        dropped = [] if worker.dismissed else self._call_next(worker)
        self._note("end", job, job.ended_ns)
        return dropped

    def _may_retry(self, job: Job) -> bool:
        lost = job.outcome is None and isinstance(job.error, WorkerLost)
        return lost and job.tries <= self._retries and bool(self._crew.staying())

    def _retry(self, job: Job) -> list[Job]:
        """Let a job wait again, before all that came after it."""
        self._ledger.place(job, "waiting")
        self._note("retry", job, self._clock())
        job.error, job.started_ns = None, 0
        return self._deal([job, *self._crew.take_waiting()])

    def _deal(self, jobs: list[Job]) -> list[Job]:
        """Spread jobs that have their place over the lines, and let free workers take the first."""
        dropped = []
        for job in sorted(jobs, key=lambda job: job.submitted_ns):
            if worker := self._crew.least_busy():
                worker.line.add(job)
            else:
                self._drop(job, Outcome.LOST)
                dropped.append(job)
        for worker in self._crew.staying():
            if worker.job is None:
                dropped += self._call_next(worker)
        return dropped

    def _assign(self, worker: Worker, job: Job) -> None:
        self._ledger.place(job, "running")
        job.worker = worker.name
        worker.job = job
        worker.inbox.put(job)

    def _call_next(self, worker: Worker) -> list[Job]:
        """Give a free worker the next job that somebody still waits for."""
        late = []
        while (job := worker.line.take()) is not None:
            if job.stop.requested:
                self._drop(job, Outcome.EXPIRED)
            elif self._is_not_worth_it(job, worker.line):
                self._drop(job, Outcome.SHED)
            else:
                self._assign(worker, job)
                break
            late.append(job)
        return late

    def _would_be_late(self, job: Job, line: Line) -> bool:
        """Whether a job that joins `line`, all of whose workers are busy, would end too late."""
        now_ns = self._clock()
        starts = [
            w.job.started_ns or now_ns for w in self._crew.workers if w.line is line and w.job
        ]
        wait_ns = self._forecast.wait_ns(line.ahead, len(starts), now_ns - min(starts))
        return now_ns + wait_ns + self._forecast.service_ns > job.stop.deadline_ns

    def _is_not_worth_it(self, job: Job, line: Line) -> bool:
        """Whether the job whose turn it is gets a refusal instead of a worker."""
        now_ns, service_ns = self._clock(), self._forecast.service_ns
        too_late = self._shed and hopeless(job, now_ns, service_ns)
        return too_late or line.sheds(job, now_ns, service_ns)

    def _refuse(self, job: Job, outcome: Outcome) -> None:
        self._ledger.settle(job, outcome, job.submitted_ns)
        self._note("reject", job, job.submitted_ns)

    def _drop(self, job: Job, outcome: Outcome) -> None:
        self._ledger.settle(job, outcome, self._clock())
        self._note("drop", job, job.settled_ns)

    def _note(self, event: str, job: Job, t_ns: int, page: int = 0) -> None:
        if not self._trace.wanted:
            return
        self._trace.record(
            t_ns,
            event,
            pool=self.name,
            job_id=job.id,
            worker=job.worker,
            waiting=self._crew.waiting,
            busy=self._crew.busy,
            page=page,
            outcome=job.outcome or "",
        )


def _outcome_of(job: Job) -> Outcome:
    match job.error:
        case None:
            return Outcome.COMPLETED
        case Stopped():
            return Outcome.KILLED
        case WorkerLost():
            return Outcome.LOST
    return Outcome.FAILED


def _report(jobs: Collection[Job]) -> None:
    for job in jobs:
        job.report()
