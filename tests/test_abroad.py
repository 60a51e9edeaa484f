"""A conversion on another machine: what goes there, what comes back, and what is left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from conftest import client_of
from dask_cluster import cluster
from test_pdf import stop_in

from labserver.jobs.job import Result, Task
from labserver.server.lab import Lab
from labserver.settings import Settings
from labserver.work.pdf import abroad
from labserver.work.pdf.abroad import PdfAbroad
from labserver.work.pdf.convert import PdfWork
from labserver.work.pdf.inspect import inspect
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.output import Output

DPI = 40


@pytest.fixture
def work(data: Path, tmp_path: Path) -> PdfAbroad:
    """Three of its files are not where the other machine is: it must not need them."""
    output = tmp_path / "out"
    output.mkdir()
    document = inspect(data / "page.pdf", DPI)
    at_home = PdfWork(document, DPI, Output(output, 10), "job", Path("/nowhere"))
    return PdfAbroad(at_home, Limits(), output / ".mark", lasting=True)


def here(task: Task) -> Result:
    return task(stop_in(), lambda page: None)


@pytest.fixture
def sent(data: Path, tmp_path: Path) -> Path:
    """The document as it arrives, under a name of its own."""
    copy = tmp_path / "sent"
    copy.write_bytes((data / "page.pdf").read_bytes())
    return copy


def pages_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.png"))


def test_pages_come_back_as_bytes_and_are_written_at_home(
    work: PdfAbroad, sent: Path, tmp_path: Path
) -> None:
    brought = work.abroad(sent, here)
    assert not pages_in(tmp_path)
    assert work.come_home(brought).pages == 1
    assert pages_in(tmp_path / "out" / "job") == ["image.01.png"]
    assert not list((tmp_path / "out").glob("*.part"))


@pytest.mark.parametrize(("shared", "written"), [(True, ["image.01.png"]), (False, [])])
def test_the_pages_of_a_large_document_are_written_into_a_folder_that_is_shared(
    work: PdfAbroad,
    sent: Path,
    tmp_path: Path,
    shared: bool,
    written: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(abroad, "FEW_PIXELS", 0)
    if shared:
        work.mark.touch()
    result, pages = work.abroad(sent, here)
    assert pages_in(tmp_path / "out") == written
    assert len(pages) == 1 - len(written)
    assert work.come_home((result, pages)).pages == 1
    assert pages_in(tmp_path / "out" / "job") == ["image.01.png"]


def test_more_bytes_than_are_sent_are_refused_with_the_remedy(
    work: PdfAbroad, sent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abroad, "MOST_BYTES", 10)
    with pytest.raises(RuntimeError, match="--output-dir"):
        work.abroad(sent, here)


def test_a_server_whose_cluster_is_elsewhere_serves_the_same_pages(
    data: Path, tmp_path: Path
) -> None:
    async def convert(lab: Lab) -> list[bytes]:
        async with client_of(lab) as client:
            put = await client.post("/put", json={"data": "", "jobType": "pdf2image"})
            files = {"file": (data / "page.pdf").read_bytes()}
            posted = await client.post("/pdf", files=files)
            assert (put.status_code, posted.status_code) == (200, 200), posted.text
            ids = [answer.json()["data"]["id"] for answer in (put, posted)]
            return [(await client.get(f"/jobs/{i}/pages/1.png")).content for i in ids]

    def pages(**flags: object) -> list[bytes]:
        settings = Settings(  # type: ignore[arg-type]
            sample=data / "page.pdf", dpi=DPI, pdf_workers=1, output_dir=tmp_path, **flags
        )
        with Lab(settings) as lab:
            return asyncio.run(convert(lab))

    with cluster(workers=1) as (address, _):
        far = pages(runner="dask", dask_scheduler=address)
    assert far == pages(runner="dask") == pages(runner="process")
    assert far[0].startswith(b"\x89PNG")
