"""A house of c servers behind one queue: a heap of events, and the few lines each of them means.

It draws nothing but jitter and knows no real clock; the simulator fills it and reads it.
"""

import math
from collections import OrderedDict
from heapq import heappop, heappush

from labserver.theory.chance import Chance
from labserver.theory.discipline import Discipline
from labserver.theory.retries import Retry
from labserver.theory.simulation import Outcome

# The kinds of events, in the order in which they happen at one and the same time.
_LIMIT, _DONE, _CUT, _FREE, _RETRY, _ARRIVE = range(6)


class House:
    """The state of a run. A job is its index; what is known of it stands in lists."""

    def __init__(
        self,
        chance: Chance,
        servers: int,
        queue_size: float,
        deadline_s: float,
        zombies: bool,
        retry: Retry,
        discipline: Discipline,
    ) -> None:
        self.queue_size, self.deadline_s, self.zombies = queue_size, deadline_s, zombies
        self.retry, self.discipline, self.closed = retry, discipline, chance.closed
        self.think_s, self.work_s, self.jitter = chance.think_s, chance.work_s, chance.jitter
        self.limit_s = [min(patience_s, deadline_s) for patience_s in chance.patience_s]
        jobs = len(self.limit_s)
        self.arrival_s = chance.arrival_s or [0.0] * jobs
        self.entered_s, self.end_s, self.wasted_s = [0.0] * jobs, [0.0] * jobs, [0.0] * jobs
        self.start_s, self.outcome, self.attempts = [math.nan] * jobs, [0] * jobs, [1] * jobs
        self.retry_s: list[float] = []
        self.events: list[tuple[float, int, int]] = []  # when, what, which job
        self.queue: OrderedDict[int, float] = OrderedDict()  # who waits, and until when
        self.idle, self.issued = servers, 0
        self.tokens = self.most_tokens = retry.most_tokens
        self.empty_s = 0.0  # when the queue was last seen empty
        self.freed_s = 0.0  # when a server's work last ended

    def run(self, first: int) -> None:
        """Sends the `first` jobs on their way, and lets happen what comes of it."""
        on = (self.on_limit, self.on_done, self.on_cut, self.on_free, self.enter, self.on_arrive)
        for _ in range(first):
            self.issue(0.0)
        while self.events:
            now, kind, job = heappop(self.events)
            on[kind](now, job)

    def issue(self, now: float) -> None:
        """The next job is on its way: it comes at its own time, or after its client's think."""
        job = self.issued
        if job < len(self.arrival_s):
            self.issued += 1
            if self.closed:
                self.arrival_s[job] = now + self.think_s[job]
            heappush(self.events, (self.arrival_s[job], _ARRIVE, job))

    def on_arrive(self, now: float, job: int) -> None:
        """A job's first attempt is at the door."""
        self.tokens = min(self.tokens + self.retry.budget, self.most_tokens)
        if not self.closed:
            self.issue(now)
        self.enter(now, job)

    def enter(self, now: float, job: int) -> None:
        """An attempt starts, waits or is refused."""
        self.entered_s[job] = now
        if self.idle:  # and so nobody waits
            self.idle -= 1
            self.begin(now, job)
        elif len(self.queue) < self.queue_size:
            if not self.queue:
                self.empty_s = now
            self.queue[job] = limit = now + self.limit_s[job]
            if limit < math.inf:
                heappush(self.events, (limit, _LIMIT, job))
        else:
            self.fail(now, job, Outcome.REJECTED)

    def begin(self, now: float, job: int) -> None:
        """A server begins the work; whether that will end in time is known already."""
        self.start_s[job] = now
        done = now + self.work_s[job]
        limit = self.entered_s[job] + self.limit_s[job]
        if done <= limit:
            heappush(self.events, (done, _DONE, job))
            return
        free = done if self.zombies else limit
        self.wasted_s[job] += free - now
        heappush(self.events, (limit, _CUT, job))
        heappush(self.events, (free, _FREE, job))

    def on_done(self, now: float, job: int) -> None:
        """The work was finished in time."""
        self.answer(now, job, Outcome.COMPLETED)
        self.on_free(now, job)

    def on_free(self, now: float, _job: int) -> None:
        """A server's work has really ended: it takes the next that is worth it, or idles."""
        self.freed_s = now
        while self.queue:
            job, _ = self.queue.popitem(self.discipline.newest_first)
            waited = now - self.entered_s[job]
            if not self.discipline.sheds(waited, self.deadline_s - waited, now - self.empty_s):
                self.begin(now, job)
                return
            self.fail(now, job, Outcome.SHED)
        self.idle += 1

    def on_limit(self, now: float, job: int) -> None:
        """An attempt's time is over, if it still waits."""
        if self.queue.get(job) == now:
            del self.queue[job]
            self.fail(now, job, self.lost(job, Outcome.EXPIRED))

    def on_cut(self, now: float, job: int) -> None:
        """An attempt's time is over, and it runs."""
        self.fail(now, job, self.lost(job, Outcome.KILLED))

    def lost(self, job: int, outcome: Outcome) -> Outcome:
        """The outcome when an attempt's time is over, unless its client has left before that."""
        return Outcome.ABANDONED if self.limit_s[job] < self.deadline_s else outcome

    def fail(self, now: float, job: int, outcome: Outcome) -> None:
        """An attempt has failed: its client tries again, or takes that for the answer."""
        tried = self.attempts[job]
        if tried > self.retry.retries or self.tokens < 1:
            self.answer(now, job, outcome)
            return
        self.tokens -= 1
        self.attempts[job] += 1
        self.start_s[job] = math.nan
        again = now + self.retry.pause_s(tried, self.jitter.random())
        self.retry_s.append(again)
        heappush(self.events, (again, _RETRY, job))

    def answer(self, now: float, job: int, outcome: Outcome) -> None:
        """The client has its final answer."""
        self.end_s[job], self.outcome[job] = now, outcome
        if self.closed:
            self.issue(now)
