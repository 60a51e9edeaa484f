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
    assert len(raw_ms) == sentinel.ROUNDS
    assert all(value > 0 for value in raw_ms)
    assert done == [5] * usable_cores() * (sentinel.ROUNDS + 1)  # and one that starts the threads
