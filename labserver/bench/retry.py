"""Clients that try again: the policies of `labserver.theory.retries`, carried out against a server.

What it sends again is recorded as an attempt of its own; it hides no failure.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, replace

from labserver.bench.client import Attempt
from labserver.bench.records import NS_PER_S, Policy, Request
from labserver.errors import StartupError
from labserver.theory.retries import NO_RETRY, Retry

# What another attempt may mend: no answer, a quota, a full queue, a deadline. Not a 422 or a 500.
WORTH_ANOTHER = frozenset({0, 429, 503, 504})
BUDGET = 0.1


def retry_of(policy: Policy, retries: int, backoff_s: float) -> Retry:
    """The policy of that name, `retries` at most a request.

    "immediate" waits for nothing; "backoff" for `backoff_s`, then twice, four times that; "jitter"
    for a random share of it ("full jitter": Brooker, "Exponential Backoff And Jitter", AWS
    Architecture Blog, 2015); "budget" is that within one retry for ten requests, all clients
    together. Raises ValueError for negative numbers.
    """
    backoff = Retry(retries, backoff_s)
    jitter = replace(backoff, jitter=1.0)
    return {
        "none": NO_RETRY,
        "immediate": Retry(retries),
        "backoff": backoff,
        "jitter": jitter,
        "budget": replace(jitter, budget=BUDGET),
    }[policy]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client waits for an answer (None: for as long as it takes), and its retries.

    With `obey_retry_after`, a server's `Retry-After` is the least pause before one.
    """

    timeout_s: float | None = None
    retry: Retry = NO_RETRY
    obey_retry_after: bool = True

    def __post_init__(self) -> None:
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise ValueError(f"a client's timeout is above 0 s, not {self.timeout_s:g} s")


PATIENT = Patience()


def patience_of(
    timeout_s: float | None,
    policy: Policy,
    retries: int,
    backoff_s: float,
    *,
    obey_retry_after: bool,
) -> Patience:
    """The patience that command-line flags ask for. Raises StartupError when they make no sense."""
    try:
        return Patience(timeout_s, retry_of(policy, retries, backoff_s), obey_retry_after)
    except ValueError as error:
        raise StartupError(f"--timeout, --retries, --backoff: {error}") from error


class Retrying:
    """A `Send` that tries again as `patience` says; all its callers share one budget.

    A retry is intended for the end of its
    pause, so its own latency leaves the pause out; that of the whole is from the first's intended
    time to the last's answer.
    """

    def __init__(self, send: Attempt, patience: Patience, seed: int = 0) -> None:
        self._send = send
        self._policy = patience.retry
        self._obey = patience.obey_retry_after
        self._random = random.Random(seed)
        self._tokens = self._policy.most_tokens

    async def __call__(self, client: int, intended_ns: int) -> Request:
        """Send until it is answered for good; returns the last attempt."""
        self._tokens = min(self._tokens + self._policy.budget, self._policy.most_tokens)
        request = await self._send(client, intended_ns)
        while self._tries_again(request):
            due_ns = request.done_ns + round(self._pause_s(request) * NS_PER_S)
            await asyncio.sleep(max(0, due_ns - time.monotonic_ns()) / NS_PER_S)
            request = await self._send(client, due_ns, request)
        return request

    def _tries_again(self, request: Request) -> bool:
        """Whether there is another attempt; if so, its token is spent."""
        if request.status not in WORTH_ANOTHER or request.attempt > self._policy.retries:
            return False
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _pause_s(self, request: Request) -> float:
        pause_s = self._policy.pause_s(request.attempt, self._random.random())
        asked_s = request.retry_after_s if self._obey else 0.0
        return max(pause_s, asked_s if asked_s > 0 else 0.0)
