"""Which requests have gone on for a while and are worth watching over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

EVERY_S = 0.02


class Vigil:
    """Calls back, once, for each thing that is still kept after `every_s` to twice that.

    One timer serves all: what is let go before has cost two changes of a dict. A timer of its own
    for each, armed and cancelled, took 30 to 50 µs of uvloop's time. For one loop's use.
    """

    def __init__(self, every_s: float = EVERY_S) -> None:
        self.most_s = 2 * every_s
        self._every_s = every_s
        self._new: dict[Hashable, Callable[[], None]] = {}
        self._due: dict[Hashable, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def keep(self, thing: Hashable, callback: Callable[[], None]) -> None:
        """Begin with `thing`; on the loop that is to call back."""
        self._new[thing] = callback
        if self._timer is None:
            self._arm()

    def let_go(self, thing: Hashable) -> None:
        """Forget `thing`, which may have been called for."""
        if self._new.pop(thing, None) is None:
            self._due.pop(thing, None)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._look)

    def _look(self) -> None:
        due, self._due, self._new = self._due, self._new, {}
        self._timer = None
        if self._due:
            self._arm()
        for callback in due.values():
            callback()
