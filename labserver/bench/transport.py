"""One HTTP exchange, timed at the socket. It knows nothing of jobs, and tries nothing twice."""

# Why aiohttp and not httpx, which the project has anyway: on one 2-core machine a request cost this
# process 0.12 to 0.33 ms of CPU through aiohttp 3.14 and 1.2 to 1.7 ms through httpx 0.28. With 16
# at once that was 4,700 and 630 GET /livez a second, and wrk reached 5,400. A generator that shares
# its machine with the server must be the cheap one of the two, or it measures itself.

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace, TracebackType
from typing import Self

import aiohttp

# Less than a server keeps an idle connection (uvicorn: 5 s), so that none is used while it closes.
KEEP_ALIVE_S = 3.0


@dataclass(slots=True)
class Sent:
    """When the request had a connection and was about to be written to it; 0: not yet."""

    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `status` 0 is no answer, and `error` then says why; "timeout" is our own.

    `at_ns` is when all of it had come, before anything is made of it.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""
    at_ns: int = field(default_factory=time.monotonic_ns)


class Transport:
    """Connections to one server, as many as there are requests under way."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json", **(headers or {})}

    async def __aenter__(self) -> Self:
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_create_end.append(_connected)
        tracing.on_connection_reuseconn.append(_connected)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            trace_configs=[tracing],
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def exchange(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        *,
        sent: Sent | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send `content` and read the whole answer; `sent` learns when it was sent.

        After `timeout_s` the connection is closed: the server sees its client go.
        """
        try:
            async with self._session.request(
                method,
                self._url + path,
                data=content,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                trace_request_ctx=sent or Sent(),
            ) as response:
                body = await response.read()
                return Reply(response.status, response.headers, body)
        except TimeoutError:
            return Reply(error="timeout")
        except (aiohttp.ClientError, OSError) as error:
            return Reply(error=f"{type(error).__name__}: {error}")


async def _connected(
    session: aiohttp.ClientSession, context: SimpleNamespace, about: object
) -> None:
    context.trace_request_ctx.at_ns = time.monotonic_ns()
