"""Notices that the event loop is blocked, and says by what. It cannot unblock it."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

BLOCKED_AFTER_S = 0.25
PERIOD_S = 0.05


class Watchdog:
    """A thread that looks at the age of the loop's last heartbeat.

    Entered on the loop's own thread. A blocked loop is logged once, with the stack that blocks it,
    and once more with its duration when it goes on.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beat_s = clock()
        self._blocked_since_s: float | None = None
        self._loop_thread = threading.get_ident()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._loop_thread = threading.get_ident()
        self.beat()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def beat(self) -> None:
        """Say that the loop is alive; the loop calls it every few ms."""
        self._beat_s = self._clock()

    def check(self) -> None:
        """Look once, and log what has changed."""
        beat_s = self._beat_s
        if self._blocked_since_s is not None and beat_s > self._blocked_since_s:
            log.warning("loop goes on: it was blocked for %.2f s", beat_s - self._blocked_since_s)
            self._blocked_since_s = None
        if self._blocked_since_s is None and self._clock() - beat_s > BLOCKED_AFTER_S:
            self._blocked_since_s = beat_s
            log.warning(
                "loop blocked for over %g s, by:\n%s", BLOCKED_AFTER_S, self._stack().rstrip()
            )

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)
        return "".join(traceback.format_stack(frame)) if frame is not None else "(not running)"

    def _run(self) -> None:
        while not self._ended.wait(PERIOD_S):
            self.check()
