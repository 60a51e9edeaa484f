"""The trace as it happens, for those who listen. It keeps nobody waiting and nothing for later."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

BACKLOG = 256

Event = dict[str, str | int]


class Subscriber:
    """A listener on its loop, with room for `BACKLOG` events; what finds none is only counted."""

    def __init__(self) -> None:
        self.lost = 0
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue(BACKLOG)

    async def next(self) -> Event | None:
        """The next event; None when there will be none."""
        return await self._events.get()

    def take_lost(self) -> int:
        """How many were lost since it was last asked."""
        lost, self.lost = self.lost, 0
        return lost

    def offer(self, event: Event | None) -> None:
        """Hand over an event, or the end; from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._put, event)
        except RuntimeError:
            # The loop is closed, and nobody listens on it any more.
            if not self._loop.is_closed():
                raise

    def _put(self, event: Event | None) -> None:
        if event is None and self._events.full():
            self._events.get_nowait()  # the end is never lost
            self.lost += 1
        if self._events.full():
            self.lost += 1
        else:
            self._events.put_nowait(event)


class Feed:
    """Hands every event to every subscriber. Publishing is possible under the ledger's lock."""

    def __init__(self) -> None:
        self._subscribers: tuple[Subscriber, ...] = ()
        self._closed = False

    @property
    def listened_to(self) -> bool:
        """Whether an event would be heard by anyone."""
        return bool(self._subscribers)

    @contextmanager
    def subscribe(self) -> Iterator[Subscriber]:
        """A subscriber of all that is published while the block lasts; call it on its loop."""
        subscriber = Subscriber()
        if self._closed:
            subscriber.offer(None)
        self._subscribers += (subscriber,)
        try:
            yield subscriber
        finally:
            self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)

    def publish(self, event: Event) -> None:
        """Tell all of an event; from any thread."""
        for subscriber in self._subscribers:
            subscriber.offer(event)

    def close(self) -> None:
        """Tell all that this was it."""
        self._closed = True
        for subscriber in self._subscribers:
            subscriber.offer(None)
