"""Mistake: the work is done in a plain `def`, which FastAPI runs on a thread of its pool.

The loop stays free, and that is all. The pool has 40 threads for every `def` of the application: 40
documents are converted at once, each slower and each with its memory, and the 41st request waits
in a line that nobody bounds or sees. A client that leaves does not stop its work.
"""

from __future__ import annotations

import threading
from typing import Any

from fastapi import APIRouter

from labserver.gallery.contract import Exhibit, Visit


def routes(exhibit: Exhibit) -> APIRouter:
    """The endpoint."""
    router = APIRouter()

    @router.post("/threadpool/put", summary="Mistake: the work in a plain def", description=__doc__)
    def put(body: dict[str, Any]) -> dict[str, Any]:
        visit = Visit()
        visit.begin()
        return visit.answer(exhibit.work(visit.id), worker=threading.current_thread().name)

    return router
