"""Mistake: the work is done in an `async def`. The loop does nothing else until it ends.

No other request is read, no timer fires, and /livez is silent. Writing `async` made nothing
parallel: two such requests take as long as one after the other.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from labserver.gallery.contract import Exhibit, Visit


def routes(exhibit: Exhibit) -> APIRouter:
    """The endpoint."""
    router = APIRouter()

    @router.post("/blocking/put", summary="Mistake: the work in an async def", description=__doc__)
    async def put(body: dict[str, Any]) -> dict[str, Any]:
        visit = Visit()
        visit.begin()
        return visit.answer(exhibit.work(visit.id), worker="event loop")

    return router
