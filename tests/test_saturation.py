"""Saturation: only a server that has been full in all of its pools for a while is not ready."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from conftest import client_of

from labserver.jobs.crew import PoolSnapshot
from labserver.server.app import create_app
from labserver.server.lab import Lab
from labserver.server.saturation import SUSTAINED_S, Saturation

FULL = PoolSnapshot(workers=2, busy=2, waiting=4, capacity=4, dispatch="shared")
ROOM = replace(FULL, waiting=3)
NO_QUEUE = replace(FULL, waiting=0, capacity=0, busy=1)


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_full_for_long_enough_and_not_a_moment_before() -> None:
    clock = Clock()
    saturation = Saturation(clock)
    saturation.observe({"pdf": FULL, "message": FULL})
    clock.now_s += SUSTAINED_S - 0.001
    saturation.observe({"pdf": FULL, "message": FULL})
    assert not saturation.sustained
    clock.now_s += 0.001
    assert saturation.sustained


@pytest.mark.parametrize("other", [ROOM, NO_QUEUE])
def test_room_in_one_pool_is_room(other: PoolSnapshot) -> None:
    clock = Clock()
    saturation = Saturation(clock)
    saturation.observe({"pdf": FULL, "message": FULL})
    clock.now_s += SUSTAINED_S
    assert saturation.sustained
    saturation.observe({"pdf": FULL, "message": other})
    assert not saturation.sustained
    clock.now_s += SUSTAINED_S
    assert not saturation.sustained


def test_readyz_says_so(lab: Lab) -> None:
    clock = Clock()
    app = create_app(lab, clock=clock)

    async def run() -> None:
        async with client_of(lab, app) as client:
            assert (await client.get("/readyz")).json() == {"status": "ready"}
            app.state.saturation.observe({"pdf": FULL, "message": FULL})
            clock.now_s += SUSTAINED_S
            unready = await client.get("/readyz")
            assert unready.status_code == 503
            assert unready.json() == {"status": "saturated"}
            assert (await client.get("/livez")).status_code == 200

    asyncio.run(run())
