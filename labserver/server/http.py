"""uvicorn's HTTP protocol on httptools, with the bound to a request's head that it lacks."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32 * 1024


class BoundedHttpProtocol(HttpToolsProtocol):
    """Answers 400 to a request whose URL and headers are larger than that, and closes."""

    _in_head = True
    _come = 0  # bytes of the head so far

    def data_received(self, data: bytes) -> None:
        """Take what has come; a head that has no end is given up here."""
        self._come += len(data) if self._in_head else 0
        super().data_received(data)
        if self._in_head and self._come > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's headers are too large.")

    def on_headers_complete(self) -> None:
        """Take the head, unless it came in one piece that is too large."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES:
            raise ValueError(f"{size} bytes of headers")  # what the parser makes a 400 of
        self._in_head, self._come = False, 0  # the body has a bound of its own
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Begin to count again."""
        super().on_message_complete()
        self._in_head = True
