"""A response goes over the wire whole, and a stream's head at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from labserver.server.http import HeadWithBody

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
