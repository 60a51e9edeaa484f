"""What is kept for a while is called for, once; what is let go before is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from labserver.server.vigil import Vigil

EVERY_S = 0.005


def called(story: Callable[[Vigil, Callable[[str], None]], None], turns: int = 3) -> list[str]:
    """What is called for when `story` is told and the vigil has looked `turns` times after it."""
    calls: list[str] = []

    async def tell() -> None:
        vigil = Vigil(EVERY_S)
        story(vigil, lambda name: vigil.keep(name, lambda: calls.append(name)))
        for _ in range(turns):
            await asyncio.sleep(EVERY_S)

    asyncio.run(tell())
    return calls


def test_what_is_kept_is_called_for_once_and_in_order() -> None:
    def story(vigil: Vigil, keep: Callable[[str], None]) -> None:
        keep("one")
        keep("other")

    assert called(story, turns=8) == ["one", "other"]


def test_what_is_let_go_is_not_called_for_and_others_are() -> None:
    def story(vigil: Vigil, keep: Callable[[str], None]) -> None:
        keep("one")
        keep("other")
        vigil.let_go("one")
        vigil.let_go("never kept")

    assert called(story) == ["other"]


def test_what_is_kept_late_waits_as_long() -> None:
    async def tell() -> float:
        loop = asyncio.get_running_loop()
        vigil, done = Vigil(EVERY_S), loop.create_future()
        vigil.keep("first", lambda: None)
        await asyncio.sleep(0.9 * EVERY_S)  # its timer is about to go off
        kept_s = loop.time()
        vigil.keep("late", lambda: done.set_result(loop.time()))
        return await done - kept_s

    assert asyncio.run(tell()) >= EVERY_S - 0.001  # the clock of the loop's timers is in ms


def test_what_is_let_go_between_two_looks_is_forgotten() -> None:
    calls: list[str] = []

    async def tell() -> None:
        vigil = Vigil(EVERY_S)
        vigil.keep("one", lambda: calls.append("one"))
        looked = asyncio.Event()
        asyncio.get_running_loop().call_later(1.1 * EVERY_S, looked.set)
        await looked.wait()
        vigil.let_go("one")
        await asyncio.sleep(2 * EVERY_S)

    asyncio.run(tell())
    assert not calls


def test_no_timer_is_set_once_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell() -> list[float]:
        loop, timers = asyncio.get_running_loop(), []
        call_later = loop.call_later

        def counting(delay_s: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
            timers.append(delay_s)
            return call_later(delay_s, callback)

        monkeypatch.setattr(loop, "call_later", counting)
        vigil, called_for = Vigil(EVERY_S), loop.create_future()
        vigil.keep("one", lambda: called_for.set_result(None))
        vigil.keep("other", lambda: None)
        await called_for
        return timers

    assert asyncio.run(tell()) == [EVERY_S, EVERY_S]
