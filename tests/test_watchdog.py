"""The watchdog: it tells of each blocked spell once, by what, and for how long."""

from __future__ import annotations

import threading

import pytest

from labserver.server.watchdog import BLOCKED_AFTER_S, Watchdog


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_loop_that_beats_is_not_mentioned(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    watchdog = Watchdog(clock)
    for _ in range(100):
        clock.now_s += BLOCKED_AFTER_S
        watchdog.check()
        watchdog.beat()
    assert said(caplog) == []


def test_a_blocked_spell_is_told_once_with_its_stack_and_once_with_its_length(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    watchdog = Watchdog(clock)

    def compute_the_answer_on_the_loop() -> None:
        for _ in range(40):
            clock.now_s += 0.05
            watchdog.check()

    compute_the_answer_on_the_loop()
    (blocked,) = said(caplog)
    assert "compute_the_answer_on_the_loop" in blocked
    watchdog.beat()
    watchdog.check()
    assert "2.00 s" in said(caplog)[1]
    watchdog.check()
    assert len(said(caplog)) == 2


def test_two_spells_are_two(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    watchdog = Watchdog(clock)
    for _ in range(2):
        clock.now_s += 1
        watchdog.check()
        watchdog.beat()
        watchdog.check()
    assert len(said(caplog)) == 4


def test_it_watches_from_a_thread_of_its_own_which_ends_with_it(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    monkeypatch.setattr("labserver.server.watchdog.log.warning", lambda *args: told.set())
    before = threading.active_count()
    with Watchdog(clock):
        clock.now_s += 1
        assert told.wait(10)
    assert threading.active_count() == before
