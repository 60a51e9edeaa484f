"""A job: what is to be done, until when, and what has become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from labserver.jobs.ids import new_id
from labserver.jobs.outcome import Outcome
from labserver.jobs.stop import StopToken

if TYPE_CHECKING:
    import asyncio  # a process that only does the work has no loop, and starts twice as fast so

NS_PER_MS = 1_000_000

OnPage = Callable[[int], None]
Place = Literal["new", "waiting", "running"]


@dataclass(frozen=True, slots=True)
class Result:
    """What a piece of work gives back: a sentence about it and how many pages it wrote."""

    text: str
    pages: int = 0


Task = Callable[[StopToken, OnPage], Result]


@dataclass(eq=False, slots=True)
class Job:
    """One request's work on its way through a pool.

    `done` is a Future of the loop that made the job. Only callbacks on that loop touch it: a worker
    thread changes the job's fields under the pool's lock and then calls `report`. All times are
    `monotonic_ns`, 0 until they happen. `tries` is how often a worker has begun it: more than once
    when one was lost in the middle.
    """

    kind: str
    task: Task | None
    stop: StopToken
    done: asyncio.Future[None]
    id: str = field(default_factory=new_id)
    place: Place = "new"
    outcome: Outcome | None = None
    worker: str = ""
    result: Result | None = None
    error: Exception | None = None
    tries: int = 0
    submitted_ns: int = 0
    started_ns: int = 0
    settled_ns: int = 0
    ended_ns: int = 0
    queue_ms: float = 0.0
    process_ms: float = 0.0

    def settle(self, outcome: Outcome, now_ns: int) -> None:
        """Note how its request has ended, how long it waited for a worker and how long it had one.

        Its worker may go on for a while: that is not in `process_ms`.
        """
        self.outcome, self.settled_ns = outcome, now_ns
        # Its worker notes the start without a lock: it may be later than `now_ns`.
        started_ns = self.started_ns
        self.queue_ms = max(0, (started_ns or now_ns) - self.submitted_ns) / NS_PER_MS
        self.process_ms = max(0, now_ns - started_ns) / NS_PER_MS if started_ns else 0.0

    def report(self) -> None:
        """Wake the loop that waits for this job; from any thread.

        `call_soon_threadsafe` writes to the loop's self-pipe, so a loop that sleeps in its selector
        wakes now. A result set straight from the thread would be seen at the loop's next event.
        """
        loop = self.done.get_loop()
        try:
            loop.call_soon_threadsafe(self.resolve)
        except RuntimeError:
            # The loop is closed: its server has ended, and with it everyone who could have waited.
            if not loop.is_closed():
                raise

    def resolve(self) -> None:
        """Let go of the one who waits; on the loop."""
        if not self.done.done():
            self.done.set_result(None)
