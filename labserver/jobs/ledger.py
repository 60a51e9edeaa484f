"""The ledger: every request is counted once when it comes and once when it ends, under one lock."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass

from labserver.jobs.job import Job, Place
from labserver.jobs.outcome import Outcome

NO_KIND = "none"  # of a request that ended before it said what job it wants


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """The ledger at one moment; it balances when `received` is the sum of all the rest.

    `by_kind` has the outcomes once more, by (kind of job, outcome), those that are not 0.
    """

    received: int
    waiting: int
    running: int
    outcomes: dict[str, int]
    by_kind: dict[tuple[str, str], int]
    wasted_s: float

    @property
    def balances(self) -> bool:
        """Whether every request received is in exactly one place."""
        return self.received == self.waiting + self.running + sum(self.outcomes.values())


class Ledger:
    """Where every request stands.

    `lock` is the one lock of the server: pools change their queues and the ledger under it in one
    step, so that a snapshot never shows a job in two places or in none. All methods but `refuse`
    and `snapshot` want it held.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._received = 0
        self._places: Counter[Place] = Counter()
        self._outcomes: Counter[tuple[str, Outcome]] = Counter()
        self._wasted_ns = 0

    def refuse(self, outcome: Outcome, kind: str = NO_KIND) -> None:
        """Count a request that ended before it was a job."""
        with self.lock:
            self._received += 1
            self._outcomes[kind, outcome] += 1

    def receive(self, job: Job) -> None:
        """Count a new job; `place` or `settle` must follow under the same lock."""
        self._received += 1
        self._places[job.place] += 1

    def place(self, job: Job, place: Place) -> None:
        """Move a job that has no outcome yet."""
        self._places[job.place] -= 1
        self._places[place] += 1
        job.place = place

    def settle(self, job: Job, outcome: Outcome, now_ns: int) -> None:
        """Give a job its one outcome. Raises RuntimeError when it has one already."""
        if job.outcome is not None:
            raise RuntimeError(f"job {job.id} is {job.outcome} and cannot become {outcome}")
        self._places[job.place] -= 1
        self._outcomes[job.kind, outcome] += 1
        job.settle(outcome, now_ns)

    def waste(self, spent_ns: int) -> None:
        """Count worker time spent on a job after its request had ended."""
        self._wasted_ns += spent_ns

    def snapshot(self) -> LedgerSnapshot:
        """All counts at one moment."""
        with self.lock:
            return self.snapshot_locked()

    def snapshot_locked(self) -> LedgerSnapshot:
        """The same for a caller who holds the lock to read the pools with it."""
        outcomes = dict.fromkeys((outcome.value for outcome in Outcome), 0)
        for (_, outcome), count in self._outcomes.items():
            outcomes[outcome.value] += count
        return LedgerSnapshot(
            received=self._received,
            waiting=self._places["waiting"],
            running=self._places["running"],
            outcomes=outcomes,
            by_kind={(kind, outcome.value): n for (kind, outcome), n in self._outcomes.items()},
            wasted_s=self._wasted_ns / 1e9,
        )
