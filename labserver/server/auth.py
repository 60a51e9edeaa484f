"""Who may ask at all: the bearer of the server's token, as RFC 6750 has it."""

from __future__ import annotations

import secrets
from collections.abc import Collection

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from labserver.server.problems import http_problem


class BearerAuthMiddleware:
    """Answers 401 to every request without the token, but for the paths that are `open`."""

    def __init__(self, app: ASGIApp, token: SecretStr, open_paths: Collection[str]) -> None:
        self.app = app
        self._credentials = f"Bearer {token.get_secret_value()}".encode()
        self._open = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with 401."""
        if scope["type"] != "http" or scope["path"] in self._open or self._knows(scope):
            await self.app(scope, receive, send)
            return
        error = HTTPException(
            401,
            "send the server's token: Authorization: Bearer TOKEN",
            {"WWW-Authenticate": "Bearer"},
        )
        await http_problem(error)(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        given = f"{scheme.title()} {token}".encode()  # the scheme's case is free, RFC 9110 11.1
        return secrets.compare_digest(given, self._credentials)
