"""The gallery answers by the contract, and makes the mistakes that it says it makes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import httpx
import pytest
from conftest import PATIENCE_S
from fastapi import FastAPI
from PIL import Image

from labserver.gallery import original
from labserver.gallery.contract import Exhibit
from labserver.gallery.router import PIECES, gallery
from labserver.server.app import create_app
from labserver.server.lab import Lab
from labserver.settings import Settings


class Hall:
    """The gallery alone, on work that the test opens."""

    def __init__(
        self, sample: Path, output: Path, *, workers: int = 2, queue_size: int = 1
    ) -> None:
        self.opened = threading.Event()
        self.threads: list[int] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self.exhibit = Exhibit(
            self.work, sample, output, dpi=50, workers=workers, queue_size=queue_size, timeout_s=30
        )

    def work(self, job_id: str) -> str:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.threads.append(threading.get_ident())
        self.opened.wait(PATIENCE_S)
        with self._lock:
            self._at_once -= 1
        return "job[pdf2image] finished, nPages=1"

    def tell(self, story: Callable[[httpx.AsyncClient], object]) -> None:
        async def run() -> None:
            app = FastAPI()
            app.include_router(gallery(self.exhibit))
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(
                    transport=httpx.ASGITransport(app), base_url="http://hall"
                ) as client,
            ):
                ticking = asyncio.create_task(_tick())
                try:
                    await story(client)  # type: ignore[misc]
                finally:
                    self.opened.set()
                    ticking.cancel()

        asyncio.run(run())


async def _tick() -> None:
    """Wake the loop now and then, as uvicorn does: the original's threads do not."""
    while True:  # noqa: ASYNC110 - nothing is waited for
        await asyncio.sleep(0.01)


@pytest.fixture
def hall(data: Path, tmp_path: Path) -> Hall:
    return Hall(data / "page.pdf", tmp_path)


@pytest.mark.parametrize("piece", PIECES)
def test_each_answers_by_the_contract(hall: Hall, piece: str) -> None:
    hall.opened.set()

    async def story(client: httpx.AsyncClient) -> None:
        response = await client.post(f"/gallery/{piece}/put", json={"data": "x"})
        assert response.status_code == 200
        result = response.json()["data"]["result"]
        assert result["data"].endswith("nPages=1")
        assert set(result) == {
            "errCode", "err", "data", "workerName",
            "dequeueElapsedMs", "processElapsedMs", "totalElapsedMs",
        }  # fmt: skip

    hall.tell(story)


def test_blocking_works_on_the_loops_own_thread(hall: Hall) -> None:
    hall.opened.set()

    async def story(client: httpx.AsyncClient) -> None:
        await client.post("/gallery/blocking/put", json={})
        assert hall.threads == [threading.get_ident()]

    hall.tell(story)


@pytest.mark.parametrize(("piece", "at_once"), [("threadpool", 6), ("unbounded", 2)])
def test_neither_refuses_and_only_one_bounds_what_runs(
    hall: Hall, piece: str, at_once: int
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        url = f"/gallery/{piece}/put"
        tasks = [asyncio.create_task(client.post(url, json={})) for _ in range(6)]
        async with asyncio.timeout(PATIENCE_S):
            while hall.most_at_once < at_once:  # noqa: ASYNC110 - threads of another's
                await asyncio.sleep(0)
        hall.opened.set()
        assert [(await task).status_code for task in tasks] == [200] * 6
        assert hall.most_at_once == at_once

    hall.tell(story)


def test_the_originals_pages_are_whole(data: Path, tmp_path: Path) -> None:
    text = original.convert(data / "page.pdf", tmp_path / "job", dpi=50)
    assert text.endswith("nPages=1")
    with Image.open(tmp_path / "job" / "image.01.png") as image:
        image.load()


def test_the_original_refuses_when_every_queue_is_full(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(original, "convert", lambda *about: hall.work(""))

    async def story(client: httpx.AsyncClient) -> None:
        url = "/gallery/original/put"
        running = [asyncio.create_task(client.post(url, json={})) for _ in range(2)]
        async with asyncio.timeout(PATIENCE_S):
            while hall.most_at_once < 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
        waiting = [asyncio.create_task(client.post(url, json={})) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        refused = await client.post(url, json={})
        assert refused.status_code == 503
        hall.opened.set()
        answers = await asyncio.gather(*running, *waiting)
        assert [answer.status_code for answer in answers] == [200] * 4

    hall.tell(story)


def test_the_server_mounts_it_only_when_asked(tmp_path: Path) -> None:
    for asked in (False, True):
        settings = Settings(engine="sleep", gallery=asked, output_dir=tmp_path)
        with Lab(settings) as lab:
            paths = create_app(lab).openapi()["paths"]
            assert ("/gallery/original/put" in paths) is asked
    for piece in PIECES:
        shown = paths[f"/gallery/{piece}/put"]["post"]
        module = import_module(f"labserver.gallery.{piece}")
        assert shown["description"].split() == str(module.__doc__).split()
