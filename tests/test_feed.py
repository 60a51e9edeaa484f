"""The feed of job events: it reaches everyone, waits for no one, and ends."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from conftest import PATIENCE_S, client_of

from labserver.jobs import feed
from labserver.jobs.feed import Event, Feed, Subscriber
from labserver.server.app import create_app
from labserver.server.events import stream
from labserver.server.lab import Lab

PDF = {"data": "x", "jobType": "pdf2image"}


def event(n: int) -> Event:
    return {"n": n}


async def take(subscriber: Subscriber, count: int) -> list[Event | None]:
    async with asyncio.timeout(PATIENCE_S):
        return [await subscriber.next() for _ in range(count)]


def test_everyone_hears_everything_in_order_from_any_thread() -> None:
    async def run() -> None:
        feed = Feed()
        with feed.subscribe() as one, feed.subscribe() as other:
            for n in range(3):
                await asyncio.to_thread(feed.publish, event(n))
            for subscriber in (one, other):
                assert await take(subscriber, 3) == [event(0), event(1), event(2)]

    asyncio.run(run())


def test_a_slow_listener_misses_the_newest_and_learns_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "BACKLOG", 2)

    async def run() -> None:
        feed = Feed()
        with feed.subscribe() as slow:
            for n in range(5):
                feed.publish(event(n))
            await asyncio.sleep(0)
            assert await take(slow, 2) == [event(0), event(1)]
            assert slow.take_lost() == 3
            assert slow.take_lost() == 0
            feed.publish(event(5))
            assert await take(slow, 1) == [event(5)]

    asyncio.run(run())


def test_the_stream_says_where_events_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BACKLOG", 2)

    async def run() -> list[tuple[str | None, Any]]:
        feed = Feed()
        with feed.subscribe() as slow:
            for n in range(4):
                feed.publish(event(n))
            feed.close()
            await asyncio.sleep(0)
            return [(sent.event, sent.data) async for sent in stream(slow)]

    # Of 0 to 3 the last two found no room, and event 0 gave its own to the end.
    assert asyncio.run(run()) == [("lost", {"count": 3}), ("job", event(1))]


def test_the_end_is_never_lost_and_comes_to_latecomers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BACKLOG", 1)

    async def run() -> None:
        feed = Feed()
        with feed.subscribe() as full:
            feed.publish(event(0))
            feed.close()
            await asyncio.sleep(0)
            assert await take(full, 1) == [None]
        with feed.subscribe() as late:
            assert await take(late, 1) == [None]

    asyncio.run(run())


def test_who_has_left_is_not_told_and_whose_loop_is_closed_is_no_error() -> None:
    feed = Feed()

    async def leave() -> None:
        with feed.subscribe():
            assert feed.listened_to
        assert not feed.listened_to

    async def stay() -> None:
        feed.subscribe().__enter__()

    asyncio.run(leave())
    asyncio.run(stay())
    feed.publish(event(0))


def test_over_http_the_story_of_a_job_is_told_and_the_stream_ends_with_the_server(
    lab: Lab,
) -> None:
    async def run() -> None:
        app, sent = create_app(lab), []
        begun = asyncio.Event()

        async def receive() -> dict[str, Any]:
            return await asyncio.Future()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)
            begun.set()

        scope = {
            "type": "http", "method": "GET", "path": "/events", "query_string": b"", "headers": [],
        }  # fmt: skip
        listening = asyncio.create_task(app(scope, receive, send))  # type: ignore[arg-type]
        async with asyncio.timeout(PATIENCE_S):
            while not lab.trace.feed.listened_to:  # noqa: ASYNC110 - another's state
                await asyncio.sleep(0)
            async with client_of(lab, app) as client:
                job_id = (await client.post("/put", json=PDF)).json()["data"]["id"]
            lab.drain()
            await listening
        assert not lab.trace.feed.listened_to
        assert dict(sent[0]["headers"])[b"content-type"].startswith(b"text/event-stream")
        text = b"".join(message.get("body", b"") for message in sent).decode()
        told = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
        assert [(about["event"], about["job_id"]) for about in told] == [
            ("submit", job_id), ("start", job_id), ("end", job_id),
        ]  # fmt: skip
        assert told[-1]["outcome"] == "completed"

    asyncio.run(run())
