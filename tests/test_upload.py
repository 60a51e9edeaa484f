"""POST /pdf and the pages that come of it: documents, bad ones, too large ones, gone clients."""

from __future__ import annotations

import asyncio
import io
import os
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import PATIENCE_S, Gate, client_of
from PIL import Image

from labserver.server import upload
from labserver.server.app import create_app
from labserver.server.body import BodyLimitMiddleware
from labserver.server.lab import Lab
from labserver.server.pages import CHUNK, zipped
from labserver.server.upload import Uploads
from labserver.settings import Settings

PDF = {"data": "x", "jobType": "pdf2image"}
Story = Callable[[httpx.AsyncClient], Awaitable[None]]
Messages = list[dict[str, Any]]

NEVER_NS = 2**62

# The first part of an upload.
HALF = {
    "type": "http.request",
    "body": b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n%PDF-',
    "more_body": True,
}


@pytest.fixture
def converting(tmp_path: Path, data: Path) -> Iterator[Lab]:
    """A lab that really converts."""
    settings = Settings(
        sample=data / "page.pdf", dpi=30, pdf_workers=1, output_dir=tmp_path, max_upload_mb=1
    )
    with Lab(settings) as lab:
        yield lab


def tell(lab: Lab, story: Story) -> None:
    async def run() -> None:
        async with client_of(lab) as client:
            await story(client)

    asyncio.run(run())


async def send(client: httpx.AsyncClient, document: bytes, **form: str) -> httpx.Response:
    return await client.post("/pdf", files={"file": ("my.pdf", document)}, data=form)


def uploads(lab: Lab) -> list[Path]:
    return list((lab.settings.output_dir / "uploads").iterdir())


def test_a_document_comes_back_as_pages_one_by_one_and_as_a_zip(
    converting: Lab, data: Path
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        done = await send(client, (data / "page.pdf").read_bytes(), dpi="72")
        assert done.status_code == 200
        assert "Server-Timing" in done.headers
        body = done.json()["data"]
        assert body["result"]["data"] == "job[pdf2image] finished, nPages=1"
        (page,) = body["result"]["pages"]
        assert page["url"] == f"/jobs/{body['id']}/pages/1.png"

        png = await client.get(page["url"])
        assert png.headers["Content-Type"] == "image/png"
        assert len(png.content) == page["bytes"]
        assert Image.open(io.BytesIO(png.content)).size == (page["width"], page["height"])

        pages = await client.get(f"/jobs/{body['id']}/pages.zip")
        assert pages.headers["Content-Type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(pages.content)) as archive:
            assert archive.testzip() is None
            (entry,) = archive.infolist()
            assert entry.compress_type == zipfile.ZIP_STORED
            assert archive.read(entry) == png.content
        assert uploads(converting) == []

    tell(converting, story)


def test_the_pages_of_a_put_job_are_had_in_the_same_way(converting: Lab) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        job_id = (await client.post("/put", json=PDF)).json()["data"]["id"]
        assert (await client.get(f"/jobs/{job_id}/pages/1.png")).status_code == 200
        assert (await client.get(f"/jobs/{job_id.upper()}/pages.zip")).status_code == 200

    tell(converting, story)


def test_dpi_is_the_server_s_own_by_default(converting: Lab, data: Path) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        document = (data / "page.pdf").read_bytes()
        default = (await send(client, document)).json()["data"]["result"]["pages"][0]
        double = (await send(client, document, dpi="60")).json()["data"]["result"]["pages"][0]
        assert abs(double["width"] - 2 * default["width"]) <= 1

    tell(converting, story)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("not-a-pdf.pdf", "not a PDF"),
        ("encrypted.pdf", "encrypted"),
        ("truncated.pdf", "damaged"),
        ("zero-pages.pdf", "no pages"),
        ("page-bomb.pdf", "max-pixels"),
    ],
)
def test_a_document_that_we_do_not_convert_is_a_422_that_says_why_and_was_never_queued(
    converting: Lab, data: Path, name: str, reason: str
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        refused = await send(client, (data / name).read_bytes(), dpi="200")
        assert refused.status_code == 422
        assert reason in refused.json()["detail"]
        ledger = (await client.get("/stats")).json()["ledger"]
        assert ledger["received"] == ledger["outcomes"]["invalid"] == 1
        assert uploads(converting) == []

    tell(converting, story)


@pytest.mark.parametrize(
    ("request_of", "named"),
    [
        ({"data": {"dpi": "72"}}, "file"),
        ({"files": {"file": ("x", b"%PDF-")}, "data": {"dpi": "9"}}, "dpi"),
        ({"files": {"file": ("x", b"%PDF-")}, "data": {"dpi": "fine"}}, "dpi"),
        ({"data": {"file": "text"}}, "file"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, "boundary"),
        ({"content": b"{}", "headers": {"Content-Type": "application/json"}}, "file"),
    ],
)
def test_a_form_that_is_none_is_a_422_that_names_the_field(
    lab: Lab, request_of: dict[str, Any], named: str
) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        refused = await client.post("/pdf", **request_of)
        assert refused.status_code == 422
        assert refused.json()["outcome"] == "invalid"
        assert named in refused.json()["detail"]

    tell(lab, story)


@pytest.mark.parametrize("path", ["/put", "/pdf"])
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_a_413_announced_or_not(
    converting: Lab, path: str, announced: bool
) -> None:
    async def chunks() -> Any:
        yield HALF["body"]
        for _ in range(12):
            yield b"x" * 100_000

    async def story(client: httpx.AsyncClient) -> None:
        content = b"x" * 1_200_000 if announced else chunks()
        headers = {"Content-Type": "multipart/form-data; boundary=b" if path == "/pdf" else ""}
        refused = await client.post(path, content=content, headers=headers)
        assert refused.status_code == 413
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["outcome"] == "invalid"
        ledger = (await client.get("/stats")).json()["ledger"]
        assert ledger["received"] == ledger["outcomes"]["invalid"] == 1

    tell(converting, story)


def scope_of(path: str, **headers: str) -> dict[str, Any]:
    encoded = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return {
        "type": "http", "method": "POST", "path": path, "query_string": b"", "headers": encoded,
    }  # fmt: skip


async def call(app: Any, scope: dict[str, Any], *come: dict[str, Any]) -> Messages:
    """The messages that `app` sends for a request of which `come` arrives, and then nothing."""
    left, sent = list(come), []

    async def receive() -> dict[str, Any]:
        return left.pop(0) if left else await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await asyncio.wait_for(app(scope, receive, send), PATIENCE_S)
    return sent


@pytest.mark.parametrize("path", ["/put", "/pdf"])
def test_a_client_that_goes_in_the_middle_of_its_body_is_abandoned_once(
    lab: Lab, path: str
) -> None:
    app = create_app(lab)
    scope = scope_of(path, content_type="multipart/form-data; boundary=b")
    asyncio.run(call(app, scope, HALF, {"type": "http.disconnect"}))
    ledger = lab.ledger.snapshot()
    assert ledger.received == ledger.outcomes["abandoned"] == 1
    assert uploads(lab) == []


def test_of_a_body_that_is_announced_too_large_nothing_is_read(lab: Lab) -> None:
    scope = scope_of("/put", content_length="1000001")
    sent = asyncio.run(call(create_app(lab), scope))  # and nothing ever comes
    assert sent[0]["status"] == 413


def test_a_body_that_does_not_arrive_is_a_408(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BodyLimitMiddleware.__init__, "__defaults__", (0.0,))
    scope = scope_of("/pdf", content_type="multipart/form-data; boundary=b")
    sent = asyncio.run(call(create_app(lab), scope, HALF))
    assert sent[0]["status"] == 408
    assert lab.ledger.snapshot().outcomes["invalid"] == 1


def test_a_client_that_goes_after_its_document_has_come_abandons_the_job(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    monkeypatch.setattr(Lab, "upload_task", lambda *about: gate)
    rest = {"type": "http.request", "body": b"\r\n--b--\r\n", "more_body": False}

    async def run() -> None:
        app = create_app(lab)
        scope = scope_of("/pdf", content_type="multipart/form-data; boundary=b")
        come: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for message in (HALF, rest):
            come.put_nowait(message)

        async def send(message: object) -> None:
            pass

        request = asyncio.create_task(app(scope, come.get, send))  # type: ignore[arg-type]
        await asyncio.to_thread(gate.wait_begun)
        assert len(uploads(lab)) == 1
        assert lab.ledger.snapshot().running == 1
        come.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(request, PATIENCE_S)
        ledger = lab.ledger.snapshot()
        assert ledger.outcomes["abandoned"] == 1
        assert ledger.balances
        assert uploads(lab) == []
        gate.opened.set()

    asyncio.run(run())


def test_inspections_are_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "INSPECTIONS_AT_ONCE", 1)
    gates = {name: Gate() for name in ("first", "second")}

    def inspect(job_id: str, path: Path, dpi: int | None) -> Gate:
        gates[job_id](_Never(), lambda page: None)  # type: ignore[arg-type]
        return gates[job_id]

    class _Never:
        def check(self) -> None:
            pass

    async def take(uploads: Uploads, job_id: str) -> None:
        document = upload.UploadFile(io.BytesIO(b"%PDF-"))
        async with uploads.task(job_id, document, None, NEVER_NS):
            pass

    async def run() -> None:
        uploads = Uploads(tmp_path, inspect)
        first = asyncio.create_task(take(uploads, "first"))
        await asyncio.to_thread(gates["first"].wait_begun)
        second = asyncio.create_task(take(uploads, "second"))
        while not (tmp_path / "second.pdf").exists():  # noqa: ASYNC110 - another thread's doing
            await asyncio.sleep(0)
        for _ in range(50):  # turns in which it could begin, if it might
            await asyncio.to_thread(int)
        assert gates["second"].begun.empty()
        gates["first"].opened.set()
        gates["second"].opened.set()
        await asyncio.gather(first, second)

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


def test_who_waits_too_long_to_be_inspected_is_expired(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "INSPECTIONS_AT_ONCE", 0)

    async def story(client: httpx.AsyncClient) -> None:
        late = await client.post(
            "/pdf", files={"file": ("x", b"%PDF-")}, headers={"Prefer": "wait=0"}
        )
        assert late.status_code == 504
        assert late.json()["outcome"] == "expired"
        assert late.headers["Preference-Applied"] == "wait=0"
        assert lab.ledger.snapshot().outcomes["expired"] == 1
        assert uploads(lab) == []

    tell(lab, story)


def test_what_a_killed_server_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    old, new = tmp_path / "old.pdf", tmp_path / "new.pdf"
    for path in (old, new):
        path.write_bytes(b"")
    os.utime(old, (0, 0))
    Uploads(tmp_path, lambda *about: Gate())
    assert list(tmp_path.iterdir()) == [new]


NO_JOB = "7d1f0c52-9f3a-4c1e-8b57-2f6d9f0a4e11"  # an id like ours


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/jobs/{NO_JOB}/pages/1.png", 404),
        (f"/jobs/{NO_JOB}/pages.zip", 404),
        (f"/jobs/{NO_JOB}/pages/0.png", 422),
        (f"/jobs/{NO_JOB}/pages/x.png", 422),
        ("/jobs/../pages/1.png", 404),
        ("/jobs/%2e%2e/pages.zip", 422),
        ("/jobs/..%2f..%2fetc/pages.zip", 404),
        ("/jobs/not-an-id/pages/1.png", 422),
    ],
)
def test_what_is_not_there_is_a_problem_and_no_job(lab: Lab, path: str, status: int) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        response = await client.get(path)
        assert response.status_code == status
        assert response.headers["Content-Type"] == "application/problem+json"
        assert lab.ledger.snapshot().received == 0

    tell(lab, story)


def test_pages_go_with_their_job(tmp_path: Path, data: Path) -> None:
    settings = Settings(
        sample=data / "page.pdf", dpi=30, pdf_workers=1, output_dir=tmp_path, keep_jobs=1
    )

    async def story(client: httpx.AsyncClient) -> None:
        ids = [(await client.post("/put", json=PDF)).json()["data"]["id"] for _ in range(2)]
        statuses = [(await client.get(f"/jobs/{i}/pages.zip")).status_code for i in ids]
        assert statuses == [404, 200]

    with Lab(settings) as lab:
        tell(lab, story)


def test_a_zip_is_made_piece_by_piece(tmp_path: Path) -> None:
    contents = {"image.01.png": os.urandom(3 * CHUNK + 5), "image.02.png": b"short"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    pieces = list(zipped([tmp_path / name for name in contents]))
    assert max(map(len, pieces)) < 2 * CHUNK
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents
