"""A response goes over the wire whole, and a stream's head at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from labserver.server.http import BoundedHttpProtocol, HeadWithBody

HEAD, BODY = b"HTTP/1.1 200 OK\r\n\r\n", b"body"


class Wire:
    """A transport that keeps what it was to send, a write a tuple, and None for its end."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, ...] | None] = []

    def write(self, data: bytes) -> None:
        self.sent.append((data,))

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.sent.append(tuple(parts))

    def close(self) -> None:
        self.sent.append(None)

    def is_closing(self) -> bool:
        return None in self.sent

    def get_extra_info(self, name: str) -> None:
        """Nothing is known of whom it leads to."""

    def pause_reading(self) -> None:
        """A request waits for the one before it."""

    def resume_reading(self) -> None:
        """It does no more."""


def sent(*turns: Callable[[HeadWithBody], object]) -> list[tuple[bytes, ...] | None]:
    """What is sent when each of `turns` is called in a turn of the loop of its own."""
    wire = Wire()

    async def take_turns() -> None:
        transport = HeadWithBody(wire, asyncio.get_running_loop())  # type: ignore[arg-type]
        for turn in turns:
            turn(transport)
            await asyncio.sleep(0)

    asyncio.run(take_turns())
    return wire.sent


def respond(transport: HeadWithBody) -> None:
    transport.write(HEAD)
    transport.write(BODY)


def test_head_and_body_are_one_write() -> None:
    assert sent(respond, respond) == [(HEAD, BODY), (HEAD, BODY)]


def test_a_head_that_nothing_follows_goes_alone_in_the_next_turn() -> None:
    def begin(transport: HeadWithBody) -> None:
        transport.write(HEAD)

    def go_on(transport: HeadWithBody) -> None:
        transport.write(BODY)

    assert sent(begin, go_on, go_on) == [(HEAD,), (BODY,), (BODY,)]


def test_two_heads_in_one_turn_keep_their_order() -> None:
    def refuse_both(transport: HeadWithBody) -> None:
        transport.write(HEAD)
        transport.write(HEAD)
        transport.write(BODY)

    assert sent(refuse_both) == [(HEAD, HEAD), (BODY,)]


def test_what_was_kept_is_sent_before_it_is_closed() -> None:
    def refuse(transport: HeadWithBody) -> None:
        transport.write(HEAD)
        transport.close()
        assert transport.is_closing()

    assert sent(refuse) == [(HEAD,), None]


def test_a_head_is_kept_for_nobody_once_its_client_has_gone() -> None:
    wire = Wire()

    async def go() -> None:
        transport = HeadWithBody(wire, asyncio.get_running_loop())  # type: ignore[arg-type]
        transport.write(HEAD)
        wire.close()  # as the loop does
        await asyncio.sleep(0)

    asyncio.run(go())
    assert wire.sent == [None]


REQUEST = b"POST /put HTTP/1.1\r\nContent-Length: 4\r\n\r\n"
CHUNKED = b"POST /put HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ([REQUEST + BODY], [4]),
        ([REQUEST, BODY], [None]),
        ([REQUEST + BODY[:2], BODY[2:]], [None]),
        ([REQUEST + BODY, REQUEST], [4, None]),
        ([REQUEST, BODY + REQUEST + BODY], [None, 4]),
        ([CHUNKED + b"4\r\nbody\r\n2\r\n!!\r\n0\r\n\r\n"], [6]),
        ([b"GET /livez HTTP/1.1\r\n\r\n"], [0]),
    ],
)
def test_a_request_that_is_whole_when_it_is_taken_up_says_how_long_its_body_is(
    pieces: list[bytes], whole: list[int | None]
) -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["state"].get("whole_bytes"))
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    come(app, pieces)
    assert seen == whole


def test_each_request_learns_when_its_own_answer_was_sent() -> None:
    told: list[tuple[str, int]] = []
    began_ns = time.monotonic_ns()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/silent":
            scope["state"]["when_sent"] = lambda at_ns: told.append((scope["path"], at_ns))
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    requests = [b"GET /%s HTTP/1.1\r\n\r\n" % name for name in (b"a", b"silent", b"b")]
    come(app, [b"".join(requests)])
    assert [path for path, _ in told] == ["/a", "/b"]
    assert began_ns < told[0][1] < told[1][1] < time.monotonic_ns()


def test_who_has_gone_was_sent_nothing() -> None:
    told: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["when_sent"] = told.append
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    come(app, [b"GET / HTTP/1.1\r\n\r\n"])
    assert told == []


def come(app: ASGIApp, pieces: list[bytes]) -> None:
    """Let `pieces` come from a client, which goes a few turns of the loop after the last one."""

    async def take_turns() -> None:
        config = uvicorn.Config(app, http=BoundedHttpProtocol, lifespan="off", log_config=None)
        protocol = BoundedHttpProtocol(config, ServerState(), {})
        protocol.connection_made(Wire())  # type: ignore[arg-type]
        for piece in pieces:
            protocol.data_received(piece)
            for _ in range(10):
                await asyncio.sleep(0)
        protocol.connection_lost(None)
        await asyncio.gather(*protocol.tasks, return_exceptions=True)

    asyncio.run(take_turns())
