"""Clients that try again: how often, after which pause, and within which budget."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Iterable

import pytest

from labserver.bench.records import Policy, Request
from labserver.bench.retry import Patience, Retrying, patience_of, retry_of
from labserver.errors import StartupError
from labserver.theory.retries import Retry


class Server:
    """Answers with the given statuses, the last of them for ever; no pause is slept."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, statuses: Iterable[int], retry_after_s: float
    ) -> None:
        self.statuses = list(statuses)
        self.retry_after_s = retry_after_s
        self.requests: list[Request] = []
        monkeypatch.setattr("labserver.bench.retry.asyncio.sleep", self.sleep)

    async def sleep(self, seconds: float) -> None:
        pass

    async def send(self, client: int, intended_ns: int, after: Request | None = None, /) -> Request:
        number = len(self.requests)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        at_ns = max(intended_ns, time.monotonic_ns())
        request = Request(
            number, "", "measured", client, intended_ns, at_ns, at_ns, status,
            retry_after_s=self.retry_after_s,
            attempt=after.attempt + 1 if after else 1,
            first=after.first if after else number,
        )  # fmt: skip
        self.requests.append(request)
        return request

    @property
    def pauses_s(self) -> list[float]:
        """From each answer to when the next attempt was due."""
        pairs = itertools.pairwise(self.requests)
        return [(after.intended_ns - before.done_ns) / 1e9 for before, after in pairs]


def ask(
    monkeypatch: pytest.MonkeyPatch,
    patience: Patience,
    *statuses: int,
    retry_after_s: float = math.nan,
    times: int = 1,
) -> Server:
    server = Server(monkeypatch, statuses, retry_after_s)

    async def story() -> None:
        send = Retrying(server.send, patience, seed=1)
        for client in range(times):
            await send(client, time.monotonic_ns())

    asyncio.run(story())
    return server


def patience(policy: Policy, retries: int = 3, backoff_s: float = 0.5) -> Patience:
    return Patience(retry=retry_of(policy, retries, backoff_s))


def test_without_a_policy_a_failure_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(ask(monkeypatch, patience("none"), 503).requests) == 1


def test_it_tries_until_it_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ask(monkeypatch, patience("immediate"), 503, 0, 200)
    assert [request.status for request in server.requests] == [503, 0, 200]
    assert [request.attempt for request in server.requests] == [1, 2, 3]
    assert {request.first for request in server.requests} == {0}
    assert server.pauses_s == [0, 0]


def test_it_gives_up_after_its_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(ask(monkeypatch, patience("immediate", retries=2), 504).requests) == 3


@pytest.mark.parametrize("status", [200, 422, 500])
def test_what_another_attempt_cannot_mend_is_left(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    assert len(ask(monkeypatch, patience("immediate"), status).requests) == 1


def test_backoff_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, patience("backoff"), 503).pauses_s == pytest.approx([0.5, 1, 2])


def test_full_jitter_takes_a_random_share_of_the_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses_s = ask(monkeypatch, patience("jitter"), 503).pauses_s
    shares = [pause_s / full_s for pause_s, full_s in zip(pauses_s, [0.5, 1, 2], strict=True)]
    assert all(0 < share < 1 for share in shares)
    assert len(set(shares)) == 3


def test_retry_after_is_the_least_pause_unless_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"retry_after_s": 0.75}
    assert ask(monkeypatch, patience("backoff"), 503, **told).pauses_s == pytest.approx(
        [0.75, 1, 2]
    )
    deaf = Patience(retry=Retry(3), obey_retry_after=False)
    assert ask(monkeypatch, deaf, 503, **told).pauses_s == [0, 0, 0]


def test_a_budget_bounds_the_retries_of_all_clients_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A burst of 10 that was saved up, and then one for ten requests."""
    server = ask(monkeypatch, patience("budget"), 503, times=200)
    retries = len(server.requests) - 200
    assert 29 <= retries <= 30
    assert len(ask(monkeypatch, patience("jitter"), 503, times=200).requests) == 800


def test_flags_that_make_no_sense_say_so() -> None:
    for timeout_s, retries, backoff_s in ((0.0, 1, 0.1), (None, -1, 0.1), (None, 1, -0.1)):
        with pytest.raises(StartupError):
            patience_of(timeout_s, "backoff", retries, backoff_s, obey_retry_after=True)
