"""The feed of job events as a stream of server-sent events, which ends when the server does."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi.sse import ServerSentEvent

from labserver.jobs.feed import Subscriber


async def stream(subscriber: Subscriber) -> AsyncIterator[ServerSentEvent]:
    """An event `job` for each event, and an event `lost` where a slow reader has missed some."""
    while (event := await subscriber.next()) is not None:
        if lost := subscriber.take_lost():
            yield ServerSentEvent(event="lost", data={"count": lost})
        yield ServerSentEvent(event="job", data=event)
