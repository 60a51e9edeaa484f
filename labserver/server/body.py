"""How large a request's body may be and how long it may take to arrive. It does not parse it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import inf

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WITHIN_S = 60.0


class BodyLimitMiddleware:
    """Bounds the bodies of the paths in `limits` (bytes); who reads more gets an HTTPException.

    413 as soon as it is known, from the Content-Length or by counting; 408 after `within_s`.
    """

    def __init__(self, app: ASGIApp, limits: Mapping[str, int], within_s: float = WITHIN_S) -> None:
        self.app = app
        self._limits = limits
        self._within_s = within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; unless its body is here already, with a `receive` that counts it."""
        limit = self._limits.get(scope["path"]) if scope["type"] == "http" else None
        if limit is not None and scope.get("state", {}).get("whole_bytes", inf) > limit:
            receive = self._counting(scope, receive, limit)
        await self.app(scope, receive, send)

    def _counting(self, scope: Scope, receive: Receive, limit: int) -> Receive:
        size = _announced(scope)
        come = 0
        due = asyncio.get_running_loop().time() + self._within_s
        more = True

        async def counting() -> Message:
            nonlocal come, more
            if not more:  # the wait for the client to go, which has no end of its own
                return await receive()
            if size > limit:
                raise HTTPException(413)
            message = await _by(due, receive)
            come += len(message.get("body", b""))
            more = message.get("more_body", False)
            if come > limit:
                raise HTTPException(413)
            return message

        return counting


async def _by(due_s: float, receive: Receive) -> Message:
    """What comes by then, on the loop's clock. Raises HTTPException, 408, when nothing does."""
    try:
        async with asyncio.timeout_at(due_s):
            return await receive()
    except TimeoutError:
        raise HTTPException(408) from None


def _announced(scope: Scope) -> int:
    """The Content-Length; 0 without one that can be read."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
