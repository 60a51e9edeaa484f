"""The quota of a user: exact at its boundary, on a clock of the test's own, and in HTTP's words."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from conftest import client_of
from hypothesis import given
from hypothesis import strategies as st

from labserver.server import ratelimit
from labserver.server.app import create_app
from labserver.server.lab import Lab
from labserver.server.ratelimit import Quota, RateLimiter, user_of
from labserver.settings import Settings

MESSAGE = {"data": "x"}


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limiter_of(clock: Clock, rate: str = "60/minute") -> RateLimiter:
    quota = Quota.parse(rate)
    assert quota is not None
    return RateLimiter(quota, clock)


def test_rates() -> None:
    assert Quota.parse("60/minute") == Quota(60, 60)
    assert Quota.parse("5/second") == Quota(5, 1)
    assert Quota.parse("off") is None


def test_the_61st_in_a_minute_is_one_too_many_and_another_user_is_not_affected(
    clock: Clock,
) -> None:
    limiter = limiter_of(clock)
    for n in range(60):
        clock.now_s = 1000.0 + n / 2
        assert limiter.ask("ann").remaining == 59 - n
    verdict = limiter.ask("ann")
    assert (verdict.allowed, verdict.remaining) == (False, 0)
    assert limiter.ask("bob").allowed


def test_it_is_let_in_when_it_was_told_and_not_a_moment_before(clock: Clock) -> None:
    limiter = limiter_of(clock)
    for _ in range(60):
        limiter.ask("ann")
    clock.now_s += 45
    told_s = limiter.ask("ann").more_in_s
    assert told_s == 15
    clock.now_s += told_s - 0.125  # exact in binary
    assert not limiter.ask("ann").allowed
    clock.now_s += 0.125
    assert limiter.ask("ann").allowed


def test_the_window_moves_a_burst_across_two_minutes_is_a_burst(clock: Clock) -> None:
    limiter = limiter_of(clock)
    clock.now_s = 59.0
    assert all(limiter.ask("ann").allowed for _ in range(60))
    clock.now_s = 61.0
    assert not limiter.ask("ann").allowed


@given(st.lists(st.floats(0, 30), max_size=60))
def test_no_interval_of_a_window_s_length_ever_holds_more(gaps_s: list[float]) -> None:
    clock = Clock()
    limiter = limiter_of(clock, "5/minute")
    let_in = []
    for gap_s in gaps_s:
        clock.now_s += gap_s
        if limiter.ask("ann").allowed:
            let_in.append(clock.now_s)
    for start_s in let_in:
        assert sum(start_s <= t_s < start_s + 60 for t_s in let_in) <= 5


def test_of_many_users_it_remembers_so_many(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratelimit, "MAX_USERS", 3)
    limiter = limiter_of(clock, "1/minute")
    for user in "abcdef":
        assert limiter.ask(user).allowed
    assert len(limiter) == 3
    for user in "dfed":
        assert not limiter.ask(user).allowed  # a known user who asks again drives nobody out
    assert limiter.ask("g").allowed
    assert not limiter.ask("d").allowed
    assert limiter.ask("f").allowed  # the one who had been quiet longest


def test_who_has_been_quiet_for_a_window_is_forgotten(clock: Clock) -> None:
    limiter = limiter_of(clock)
    for n in range(100):
        limiter.ask(f"user {n}")
    clock.now_s += 60
    limiter.ask("another")
    assert len(limiter) == 1


def test_a_user_is_named_or_else_an_address() -> None:
    scope = {"headers": [(b"x-user", b"ann")], "client": ("10.0.0.1", 5)}
    assert user_of(scope) == "user ann"
    assert user_of(scope | {"headers": []}) == "address 10.0.0.1"
    assert user_of(scope | {"headers": [(b"x-user", b"10.0.0.1")]}) != "address 10.0.0.1"
    assert user_of({"headers": [], "client": None}) == "address "


def limited(tmp_path: Path, rate: str) -> Lab:
    return Lab(Settings(engine="sleep", time_scale=0, rate_limit=rate, output_dir=tmp_path))


def test_over_http_it_is_a_429_that_says_when_and_nothing_is_read_of_it(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        ann = {"X-User": "ann"}
        first = await client.post("/put", json=MESSAGE, headers=ann)
        assert first.headers["RateLimit-Policy"] == '"default";q=2;w=86400'
        assert first.headers["RateLimit"] == '"default";r=1;t=86400'
        malformed = await client.post("/put", content=b"{", headers=ann)
        assert malformed.status_code == 422
        assert malformed.headers["RateLimit"].startswith('"default";r=0;t=')

        third = await client.post("/put", content=b"{", headers=ann)
        assert third.status_code == 429
        assert third.headers["Content-Type"] == "application/problem+json"
        assert 86_000 < int(third.headers["Retry-After"]) <= 86_400
        assert third.headers["RateLimit"].startswith('"default";r=0;t=')
        assert third.json()["outcome"] == "rate_limited"
        assert third.json()["id"] in third.json()["detail"]

        assert (await client.post("/put", json=MESSAGE)).status_code == 200
        assert "RateLimit" not in (await client.get("/stats", headers=ann)).headers
        ledger = (await client.get("/stats")).json()["ledger"]
        assert ledger["outcomes"]["rate_limited"] == 1
        assert ledger["received"] == sum(ledger["outcomes"].values()) == 4

    with limited(tmp_path, "2/day") as lab:

        async def run() -> None:
            async with client_of(lab) as client:
                await story(client)

        asyncio.run(run())


def test_retry_after_obeyed_succeeds(tmp_path: Path, clock: Clock) -> None:
    async def run(lab: Lab) -> None:
        async with client_of(lab, create_app(lab, clock=clock)) as client:
            for _ in range(60):
                assert (await client.post("/put", json=MESSAGE)).status_code == 200
                clock.now_s += 0.7
            refused = await client.post("/put", json=MESSAGE)
            assert refused.status_code == 429
            clock.now_s += int(refused.headers["Retry-After"])
            assert (await client.post("/put", json=MESSAGE)).status_code == 200

    with limited(tmp_path, "60/minute") as lab:
        asyncio.run(run(lab))


def test_off_limits_nobody_and_says_nothing(tmp_path: Path) -> None:
    async def run(lab: Lab) -> None:
        async with client_of(lab) as client:
            for _ in range(70):
                response = await client.post("/put", json=MESSAGE)
                assert response.status_code == 200
                assert "RateLimit" not in response.headers

    with limited(tmp_path, "off") as lab:
        asyncio.run(run(lab))


def test_two_applications_do_not_share_a_quota(tmp_path: Path) -> None:
    with limited(tmp_path, "1/day") as lab:

        async def run() -> None:
            for _ in range(2):
                transport = httpx.ASGITransport(create_app(lab))
                async with httpx.AsyncClient(transport=transport, base_url="http://lab") as client:
                    assert (await client.post("/put", json=MESSAGE)).status_code == 200

        asyncio.run(run())
