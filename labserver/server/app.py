"""The FastAPI application: routes, errors and lifespan put together, nothing more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from labserver import __version__
from labserver.gallery.router import gallery
from labserver.server import problems
from labserver.server.lab import Lab
from labserver.server.looplag import LoopLag
from labserver.server.routes import router


def create_app(lab: Lab) -> FastAPI:
    """An application on `lab`, which the caller has entered and leaves after it."""
    app = FastAPIOffline(  # its /docs brings its own scripts: no CDN
        redoc_url=None,
        title="labserver",
        version=__version__,
        summary="CPU-heavy jobs behind an async API: bounded queues, deadlines, and what they cost",
        lifespan=_lifespan,
    )
    app.state.lab = lab
    app.state.started_s = time.monotonic()
    app.state.loop_lag = LoopLag(
        lambda t_ns, lag_ms: lab.trace.record(t_ns, "lag", value=round(lag_ms, 3))
    )
    app.include_router(router)
    if lab.settings.gallery:
        app.include_router(gallery(lab.exhibit()))
    problems.install(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    sampling = asyncio.create_task(app.state.loop_lag.run(), name="loop-lag")
    try:
        yield
    finally:
        sampling.cancel()
        with suppress(asyncio.CancelledError):
            await sampling
