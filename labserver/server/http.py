"""uvicorn's HTTP protocol on httptools: a bound to a request's head, and whole responses."""

# uvicorn writes a response's head and then its body, and each is sent at once. The client wakes at
# the head, with all cores taken it does so on the one where the server is about to send the body,
# and both wait for each other. With 8 PDFs of two pages at once on 2 cores, by PDFium, `load
# --clients 8 --seconds 45`, in turn, three runs each, the client had its answer 2.2 to 2.7 ms after
# the end of the work at p95 and 3.2 to 4.0 at p99; with one write 1.5 to 1.9, and 2.1 to 2.9.

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32 * 1024


class BoundedHttpProtocol(HttpToolsProtocol):
    """Answers 400 to a request whose URL and headers are larger than that, and closes.

    When a response has been sent, the `when_sent` of its request's state, if there is one, is
    called with the time at which the last of it was written, by the monotonic clock in ns.
    """

    _in_head = True
    _come = 0  # bytes of the head so far
    _piece = 0  # bytes that have come at once; a head may begin in the midst of them

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Answer through a transport that keeps a head for its body."""
        self._wire = HeadWithBody(transport, self.loop)
        super().connection_made(cast(asyncio.Transport, self._wire))

    def data_received(self, data: bytes) -> None:
        """Take what has come; a head that has no end is given up here."""
        self._piece = len(data)
        self._come += self._piece if self._in_head else 0
        super().data_received(data)
        if self._in_head and self._come > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's headers are too large.")

    def on_headers_complete(self) -> None:
        """Take the head, unless it came in one piece that is too large."""
        if self._come + self._piece > MAX_HEAD_BYTES:  # else it cannot be
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > MAX_HEAD_BYTES:
                raise ValueError(f"{size} bytes of headers")  # what the parser makes a 400 of
        self._in_head, self._come = False, 0  # the body has a bound of its own
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # of requests that come at once each has its own
            self.cycle.on_response = partial(self._on_sent, self.scope["state"])

    def on_message_complete(self) -> None:
        """Begin to count again; the request says how much of it is here, with no more to come."""
        super().on_message_complete()
        self._in_head = True
        self.scope["state"]["whole_bytes"] = len(self.cycle.body)

    def _on_sent(self, state: dict[str, Any]) -> None:
        if when_sent := state.get("when_sent"):
            when_sent(self._wire.written_ns)
        self.on_response_complete()


class HeadWithBody:
    """A transport that sends a response's head together with what is written after it.

    A head that nothing follows in the same turn of the loop, as a stream's, goes alone.

    `written_ns` is when it began to write last. The client may take the core while it does.
    """

    written_ns = 0

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = None
        self._alone: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Send `data`, and before it the head that was kept; a head itself is kept."""
        if self._head is not None:
            self._send(self._head, data)
        elif data.startswith(b"HTTP/"):
            self._head = data
            self._alone = self._loop.call_soon(self._send, data)
        else:
            self.written_ns = time.monotonic_ns()
            self._transport.write(data)

    def close(self) -> None:
        """Close it, once what was kept is sent."""
        if self._head is not None:
            self._send(self._head)
        self._transport.close()

    def _send(self, *parts: bytes) -> None:
        if self._alone is not None:
            self._alone.cancel()
        self._head = self._alone = None
        if not self._transport.is_closing():  # its client may have gone while a head was kept
            self.written_ns = time.monotonic_ns()
            self._transport.writelines(parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
