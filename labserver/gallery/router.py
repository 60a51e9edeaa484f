"""Every piece of the gallery, under one router."""

from __future__ import annotations

from fastapi import APIRouter

from labserver.gallery import blocking, original, threadpool, unbounded
from labserver.gallery.contract import Exhibit

PIECES = ("original", "blocking", "threadpool", "unbounded")


def gallery(exhibit: Exhibit) -> APIRouter:
    """All pieces, at /gallery/NAME/put."""
    router = APIRouter(prefix="/gallery", tags=["gallery"])
    for piece in (original, blocking, threadpool, unbounded):
        router.include_router(piece.routes(exhibit))
    return router
