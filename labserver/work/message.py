"""The message job: simulated work, that is, a sleep of 3 s or, for 3 in 10, of 10 s."""

from __future__ import annotations

import random
from dataclasses import dataclass

from labserver.jobs.job import OnPage, Result
from labserver.jobs.stop import StopToken

SHORT_S, LONG_S = 3.0, 10.0
LONG_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class MessageWork:
    """Sleeps for `seconds`, in which a real job would compute."""

    data: str
    seconds: float

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        """Raises Stopped at the deadline: with one of 5 s, that is what the long ones end in."""
        stop.sleep(self.seconds)
        return Result(f"job[message] finished: {self.seconds:g} s of simulated work")


def message_work(data: str, random_source: random.Random, time_scale: float) -> MessageWork:
    """A message job whose length is drawn now, times `time_scale`."""
    seconds = LONG_S if random_source.random() < LONG_SHARE else SHORT_S
    return MessageWork(data, seconds * time_scale)
