"""The FastAPI application: routes, errors and lifespan put together, nothing more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from labserver import __version__
from labserver.gallery.router import gallery
from labserver.server import problems
from labserver.server.auth import BearerAuthMiddleware
from labserver.server.body import BodyLimitMiddleware
from labserver.server.drainrate import DrainRate
from labserver.server.lab import Lab
from labserver.server.looplag import LoopLag
from labserver.server.metrics import Metrics
from labserver.server.problems import JOB_PATHS
from labserver.server.ratelimit import Quota, RateLimiter, RateLimitMiddleware
from labserver.server.routes import router
from labserver.server.saturation import Saturation
from labserver.server.upload import Uploads
from labserver.server.vigil import Vigil
from labserver.server.watchdog import Watchdog
from labserver.settings import Settings

Clock = Callable[[], float]

OPEN_PATHS = frozenset({"/livez", "/readyz", "/"})  # the page at / has no figures in it
MB = 1_000_000
# /metrics and the trace are ours. FastAPI would look for OpenTelemetry's setup at each request.
NO_TELEMETRY = {"tracing": False, "metrics": False, "logs": False}
MAX_JSON_BYTES = 1 * MB
FORM_BYTES = 64 * 1024  # what a form may add to its document: headers, boundaries, other fields


def create_app(lab: Lab, *, clock: Clock = time.monotonic) -> FastAPI:
    """An application on `lab`, which the caller has entered and leaves after it.

    `clock`, in seconds, is that of the quotas, of saturation and of the watchdog.
    """
    app = FastAPIOffline(  # its /docs brings its own scripts: no CDN
        redoc_url=None,
        title="labserver",
        version=__version__,
        summary="CPU-heavy jobs behind an async API: bounded queues, deadlines, and what they cost",
        lifespan=_lifespan,
        telemetry=NO_TELEMETRY,
    )
    state = app.state
    state.lab = lab
    state.started_s = time.monotonic()
    state.metrics = Metrics(lab.snapshot)
    state.saturation = Saturation(clock)
    state.drain_rates = {
        lab.pdf.name: DrainRate(lab.settings.pdf_timeout),
        lab.message.name: DrainRate(lab.settings.message_timeout),
    }
    state.uploads = Uploads(lab.settings.output_dir.resolve() / "uploads", lab.upload_task)
    state.vigil = Vigil()
    state.watchdog = Watchdog(clock)
    state.loop_lag = LoopLag(lambda t_ns, lag_ms: _on_lag(app, t_ns, lag_ms))
    # Ours first, and not by include_router, which looks each request up twice.
    app.router.routes[:0] = router.routes
    if lab.settings.gallery:
        app.include_router(gallery(lab.exhibit()))
    problems.install(app)
    _guard(app, lab.settings, clock)
    return app


def _guard(app: FastAPI, settings: Settings, clock: Clock) -> None:
    """Who is it, how much do they ask, how large is it; what is added last is asked first."""
    app.add_middleware(
        BodyLimitMiddleware,
        limits={"/put": MAX_JSON_BYTES, "/pdf": settings.max_upload_mb * MB + FORM_BYTES},
    )
    if quota := Quota.parse(settings.rate_limit):
        limiter = RateLimiter(quota, clock)
        app.add_middleware(RateLimitMiddleware, limiter=limiter, paths=JOB_PATHS)
    if settings.token:
        app.add_middleware(BearerAuthMiddleware, token=settings.token, open_paths=OPEN_PATHS)


def _on_lag(app: FastAPI, t_ns: int, lag_ms: float) -> None:
    """The loop's heartbeat: it is alive, woke so late, and the pools are as they are now."""
    state = app.state
    state.watchdog.beat()
    state.metrics.loop_lag(lag_ms)
    state.saturation.observe(state.lab.snapshot().pools)
    state.lab.trace.record(t_ns, "lag", value=round(lag_ms, 3))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.lab.live_on(asyncio.get_running_loop())
    with app.state.watchdog:
        sampling = asyncio.create_task(app.state.loop_lag.run(), name="loop-lag")
        try:
            yield
        finally:
            sampling.cancel()
            with suppress(asyncio.CancelledError):
                await sampling
