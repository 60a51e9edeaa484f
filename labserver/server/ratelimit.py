"""The quota of a user: at most so many jobs in any time of that length. It knows no body."""

# A moving window: the time of each request that was let in is kept for as long as it counts, so
# the limit holds in every interval of the window's length, not only in those of a clock's minutes.
# What was refused does not count: a client that waits for Retry-After is let in.
#
# Memory is bounded twice: users whose window is empty are forgotten as others come, and of more
# than MAX_USERS at once, those who have been quiet longest.

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import ceil

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labserver.errors import RateLimited
from labserver.server.problems import refuse

PERIODS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
MAX_USERS = 10_000


@dataclass(frozen=True, slots=True)
class Quota:
    """`limit` requests in any `window_s` seconds."""

    limit: int
    window_s: int

    @classmethod
    def parse(cls, rate: str) -> Quota | None:
        """The quota that a rate such as `60/minute` asks for; None for `off`."""
        if rate == "off":
            return None
        limit, _, period = rate.partition("/")
        return cls(int(limit), PERIODS_S[period])


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is let in, what is left of the quota, and when more of it is."""

    allowed: bool
    remaining: int
    more_in_s: float


class RateLimiter:
    """Counts each user's requests in a moving window. For one thread: the loop's."""

    def __init__(self, quota: Quota, clock: Callable[[], float] = time.monotonic) -> None:
        self.quota = quota
        self._clock = clock
        self._windows: OrderedDict[bytes, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        """How many users are remembered."""
        return len(self._windows)

    def ask(self, user: str) -> Verdict:
        """Let a request of `user` in, or not; one that is let in counts from now."""
        now = self._clock()
        window = self._window(user)
        while window and now - window[0] >= self.quota.window_s:
            window.popleft()
        allowed = len(window) < self.quota.limit
        if allowed:
            window.append(now)
        self._forget(now)
        more_in_s = self.quota.window_s - (now - window[0])
        return Verdict(allowed, self.quota.limit - len(window), more_in_s)

    def _window(self, user: str) -> deque[float]:
        # A digest, since a header may be long and this is kept.
        key = hashlib.blake2b(user.encode(), digest_size=16).digest()
        window = self._windows.setdefault(key, deque())
        self._windows.move_to_end(key)
        return window

    def _forget(self, now: float) -> None:
        """Drop who has been quiet for a window's length, and who is one too many.

        Whoever asked now is the last and is not quiet: the loop ends there.
        """
        while len(self._windows) > MAX_USERS or now - self._quietest[-1] >= self.quota.window_s:
            self._windows.popitem(last=False)

    @property
    def _quietest(self) -> deque[float]:
        return next(iter(self._windows.values()))


class RateLimitMiddleware:
    """Asks the limiter before a job's request is read, and tells on each answer what is left."""

    def __init__(self, app: ASGIApp, limiter: RateLimiter, paths: Collection[str]) -> None:
        self.app = app
        self._limiter = limiter
        self._paths = paths
        self._policy = f'"default";q={limiter.quota.limit};w={limiter.quota.window_s}'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with 429."""
        if scope["type"] != "http" or scope["path"] not in self._paths or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        verdict = self._limiter.ask(user_of(scope))

        async def send_with_quota(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = self._policy
                headers["RateLimit"] = (
                    f'"default";r={verdict.remaining};t={ceil(verdict.more_in_s)}'
                )
            await send(message)

        if verdict.allowed:
            await self.app(scope, receive, send_with_quota)
        else:
            error = RateLimited(retry_after_s=verdict.more_in_s)
            await refuse(scope, error)(scope, receive, send_with_quota)


def user_of(scope: Scope) -> str:
    """Whose quota a request is taken from: its X-User header, or else its address.

    The header is trusted as it stands: it is for a gateway before this server to set.
    """
    named = Headers(scope=scope).get("x-user")
    if named:
        return f"user {named}"
    client = scope.get("client")
    return f"address {client[0] if client else ''}"
