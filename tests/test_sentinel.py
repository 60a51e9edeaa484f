"""The sentinel: that its work is the same each time and on every core."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import pytest

from labserver.bench import sentinel
from labserver.bench.machine import usable_cores


def test_each_round_keeps_every_core_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """All parts of a round are under way together, or the barrier would break."""
    together = threading.Barrier(usable_cores())
    done: list[int] = []
    real = hashlib.sha256

    def hashed(content: bytes) -> Any:
        together.wait(timeout=10)
        done.append(len(content))
        return real(content)

    monkeypatch.setattr("labserver.bench.sentinel.hashlib.sha256", hashed)
    monkeypatch.setattr(sentinel, "CONTENT", b"short")
    raw_ms = sentinel.sentinel_ms()
    assert sentinel.AGREEING <= len(raw_ms) <= sentinel.MOST_ROUNDS
    assert all(value > 0 for value in raw_ms)
    assert done == [5] * usable_cores() * (len(raw_ms) + 1)  # and one that starts the threads


def test_a_disturbance_is_waited_out_and_a_slower_machine_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disturbed = [9.0, 7.5, 12.0, 8.1, 6.6, 14.0]
    quiet = [5.6, 5.65, 5.7, 5.62, 5.6]
    assert _read(monkeypatch, [*quiet, 5.6]) == quiet
    assert _read(monkeypatch, [*disturbed, *quiet, 5.6]) == [*disturbed, *quiet]
    slower = [2 * ms for ms in quiet]
    assert _read(monkeypatch, [*slower, *quiet]) == slower


def test_a_machine_that_never_comes_to_rest_is_read_no_longer_than_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restless = [5.0 * 1.1**n for n in range(100)]
    assert _read(monkeypatch, restless) == restless[: sentinel.MOST_ROUNDS]


def _read(monkeypatch: pytest.MonkeyPatch, rounds_ms: list[float]) -> list[float]:
    """What is read where the rounds take so long, but for the one that starts the threads."""
    each = iter([20.0, *rounds_ms])
    monkeypatch.setattr(sentinel, "_round_ms", lambda *_: next(each))
    return sentinel.sentinel_ms()
