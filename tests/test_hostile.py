"""Documents and disks that mean harm: each job ends, in a known way, within its bounds, alone.

HOSTILE_MUTANTS=5000 damages that many documents in place of the usual 250.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from conftest import client_of, idle, until
from handmade import hostile, memory_bomb
from mutations import mutant

from labserver.bench.launch import launch
from labserver.errors import InvalidJob, StartupError, Stopped
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.priority import LOWEST
from labserver.server.lab import Lab
from labserver.settings import Engine, Settings
from labserver.work.pdf import scratch
from labserver.work.pdf.convert import PdfWork
from labserver.work.pdf.inspect import inspect
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.output import STALE_AFTER_S, Output
from labserver.work.pdf.ulimit import bounded_poppler

MUTANTS = int(os.environ.get("HOSTILE_MUTANTS", "250"))
PER_SERVER = 20
DPI = 30
DEADLINE_S = 2.0
AT_ONCE = 2
LIMITS = Limits(max_memory_mb=256, max_pixels=10_000_000)
# How a conversion fails that was begun on a document which looked sound.
FAILURES = re.compile(r"pdftoppm gave \d+ of the pages|page \d+ is .* pixels and should be")

Mount = Callable[[str], Path]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows bounds no process")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds address space")


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The documents to damage: a light page and one of the scan's."""
    data = Path(__file__).resolve().parent.parent / "data"
    cut = tmp_path_factory.mktemp("cut") / "page-3.pdf"
    subprocess.run(
        ["pdfseparate", "-f", "3", "-l", "3", data / "scan-17pages.pdf", cut], check=True
    )
    return [(data / "page.pdf").read_bytes(), cut.read_bytes()]


@pytest.fixture
def poppler() -> Iterator[Path | None]:
    """The folder of a poppler that keeps to LIMITS."""
    yield bounded_poppler(LIMITS)
    scratch.remove_own()


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a memory-backed file system with options such as `size=1m`, and takes it away."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"mount-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            pytest.skip("only root may mount")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        # Lazily: the traceback of a failure, which pytest keeps, may hold a file open.
        subprocess.run(["umount", "-l", folder], check=True)


class Range:
    """Converts documents one by one and says how each ended."""

    def __init__(self, folder: Path, poppler: Path | None) -> None:
        self._folder = folder
        self._poppler = poppler
        self._output = Output(folder / "out", keep=AT_ONCE)

    def shoot(self, name: str, content: bytes) -> str:
        """`converted`, `refused`, `stopped` or `failed`; any other end is an error of ours."""
        path = self._folder / f"{name}.pdf"
        path.write_bytes(content)
        stop = StopToken(time.monotonic_ns() + round(DEADLINE_S * NS_PER_S))
        try:
            document = inspect(path, DPI, LIMITS)
            work = PdfWork(document, DPI, self._output, name, self._poppler)
            assert work(stop, lambda page: None).pages == len(document.pages)
        except InvalidJob:
            return "refused"
        except Stopped:
            return "stopped"
        except (RuntimeError, ValueError) as error:
            if not FAILURES.match(str(error)):
                raise AssertionError(f"{name} failed in a way of our own") from error
            return "failed"
        finally:
            path.unlink()
        return "converted"

    def shoot_all(self, documents: dict[str, bytes]) -> dict[str, str]:
        """How each document ended, some converted at once."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ends = pool.map(self.shoot, documents.keys(), documents.values())
            return dict(zip(documents, ends, strict=True))

    def assert_clean(self) -> None:
        """No process of ours is left and no file but the newest jobs' pages."""
        assert not [name for name in children(os.getpid()) if name.startswith(("pdf", "sh"))]
        assert len(list((self._folder / "out").iterdir())) <= AT_ONCE
        assert not list((self._folder / "out").glob("*.part"))
        assert not list(self._folder.glob("*.pdf"))
        assert not list(scratch.scratch_root().glob("*"))


@pytest.mark.timeout(120 + MUTANTS)
def test_damaged_documents_are_converted_refused_stopped_or_failed(
    tmp_path: Path, victims: list[bytes], poppler: Path | None
) -> None:
    shooting = Range(tmp_path, poppler)
    # The scan's page is thirty times the light one, and one in four is enough of it.
    mutants = {f"seed-{n}": mutant(victims[n % 4 == 0], n) for n in range(MUTANTS)}
    ends = Counter(shooting.shoot_all(mutants).values())
    assert ends.total() == MUTANTS
    # Damage that refuses all, or none, tests one half of the way only.
    assert ends["converted"] > MUTANTS / 10
    assert ends["refused"] > MUTANTS / 10
    shooting.assert_clean()


def test_handmade_documents_are_converted_refused_stopped_or_failed(
    tmp_path: Path, data: Path, poppler: Path | None
) -> None:
    shooting = Range(tmp_path, poppler)
    samples = {path.stem: path.read_bytes() for path in data.glob("*.pdf")}
    ends = shooting.shoot_all(hostile() | samples)
    # Only what holds on a machine of any speed: a slow one stops more of them.
    assert ends["image-bomb"] == ends["forms ten by ten"] == "stopped"
    assert ends["memory bomb"] in ("failed", "stopped")
    assert ends["page-bomb"] == "refused"
    assert "converted" in ends.values()
    shooting.assert_clean()


@pytest.mark.parametrize("engine", ["poppler", "pdfium"])
def test_a_server_answers_every_hostile_document_and_is_as_before(
    tmp_path: Path, data: Path, victims: list[bytes], engine: Engine
) -> None:
    samples = {path.stem: path.read_bytes() for path in data.glob("*.pdf")}
    mutants = {f"seed-{n}": mutant(victims[n % 4 == 0], n) for n in range(PER_SERVER)}
    documents = [*hostile().values(), *samples.values(), *mutants.values()]
    settings = Settings(
        engine=engine,
        pdf_workers=AT_ONCE,
        pdf_timeout=DEADLINE_S,
        dpi=DPI,
        max_memory_mb=LIMITS.max_memory_mb,
        rate_limit="off",
        output_dir=tmp_path / "out",
        sample=data / "page.pdf",
    )
    with launch(settings) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        before = children(server.pid)

        def send(content: bytes) -> int:
            reply = client.post("/pdf", files={"file": ("document.pdf", content)})
            assert reply.status_code == 200 or reply.json()["detail"]
            return reply.status_code

        with ThreadPoolExecutor(AT_ONCE) as pool:
            statuses = Counter(pool.map(send, documents))
        assert {200, 422, 504} <= set(statuses) <= {200, 422, 500, 504}
        until(lambda: idle(server.url), "work went on that nobody waits for")
        ledger = client.get("/stats").json()["ledger"]
        assert ledger["received"] == len(documents) == sum(ledger["outcomes"].values())
        # Beside much else a process that is being replaced may cost the first its deadline.
        page = (data / "page.pdf").read_bytes()
        until(lambda: send(page) == 200, "a good page is not converted any more")
        assert children(server.pid) == before
        assert not list(server.scratch.glob("*"))
    assert not list((tmp_path / "out").rglob("*.part"))


def post(settings: Settings, *documents: bytes) -> list[httpx.Response]:
    """The answers of a server of these settings to documents that come one after the other."""

    async def run() -> list[httpx.Response]:
        with Lab(settings) as lab:
            async with client_of(lab) as client:
                files = [{"file": ("document.pdf", content)} for content in documents]
                replies = [await client.post("/pdf", files=file) for file in files]
            assert lab.snapshot().ledger.balances
        return replies

    return asyncio.run(run())


def children(pid: int) -> Counter[str]:
    """How many processes of each name a process has started and not ended."""
    return Counter(child.name() for child in psutil.Process(pid).children(recursive=True))


@linux_only
def test_a_conversion_that_runs_out_of_memory_fails_and_its_worker_goes_on(
    tmp_path: Path, data: Path
) -> None:
    settings = Settings(
        pdf_workers=1, pdf_queue_size=0, max_memory_mb=64, output_dir=tmp_path, dpi=DPI
    )
    bomb, sound = post(settings, memory_bomb(), (data / "page.pdf").read_bytes())
    assert (bomb.status_code, bomb.json()["outcome"]) == (500, "failed")
    assert sound.status_code == 200


@linux_only
@pytest.mark.parametrize("megabytes", [64, 4096])
def test_the_bound_is_what_ends_a_memory_bomb(tmp_path: Path, megabytes: int) -> None:
    """With room enough the same document is converted."""
    path = tmp_path / "bomb.pdf"
    path.write_bytes(memory_bomb(million=5))
    limits = Limits(max_memory_mb=megabytes)
    output = Output(tmp_path / "out", keep=1)
    work = PdfWork(inspect(path, DPI, limits), DPI, output, "job", bounded_poppler(limits))
    stop = StopToken(time.monotonic_ns() + 60 * NS_PER_S)
    if megabytes == 64:
        with pytest.raises(RuntimeError, match="ran out of memory"):
            work(stop, lambda page: None)
        assert not list((tmp_path / "out").iterdir())
    else:
        assert work(stop, lambda page: None).pages == 1


@linux_only
@pytest.mark.parametrize(("megabytes", "status"), [(8, 0), (200, 1)])
def test_a_process_bounds_its_own_memory(megabytes: int, status: int) -> None:
    program = (
        "from labserver.work.pdf.limits import Limits\n"
        "from labserver.work.pdf.ulimit import bound_own_memory\n"
        "bound_own_memory(Limits(max_memory_mb=100))\n"
        f"bytearray({megabytes} << 20)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == status
    assert ("MemoryError" in done.stderr) == bool(status)


def test_the_scripts_give_poppler_the_libraries_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pdf2image puts the folder of the programs before all others that hold libraries."""
    tool = tmp_path / "pdftoppm"
    tool.write_text('#!/bin/sh\necho "[${LD_LIBRARY_PATH-unset}] $*"\necho noise >&2\n', "utf-8")
    tool.chmod(0o700)
    (tmp_path / "pdfinfo").symlink_to(tool)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    folder = bounded_poppler(LIMITS)
    assert folder is not None
    for before, after in ((f"{folder}:", "[unset]"), (f"{folder}:/opt/a:/b", "[/opt/a:/b]")):
        done = subprocess.run(
            [folder / "pdftoppm", "-r", "a b"],
            env={**os.environ, "LD_LIBRARY_PATH": before},
            capture_output=True,
            text=True,
            check=True,
        )
        assert (done.stdout, done.stderr) == (f"{after} -r a b\n", "")
    scratch.remove_own()
    assert not folder.exists()


def test_the_scripts_run_poppler_at_the_lowest_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pdftoppm", "pdfinfo"):
        (tmp_path / name).write_text("#!/bin/sh\nnice\n", "utf-8")
        (tmp_path / name).chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    folder = bounded_poppler(LIMITS)
    assert folder is not None
    assert subprocess.check_output(folder / "pdftoppm", text=True) == f"{LOWEST}\n"


@linux_only
def test_scripts_lie_where_programs_may_be_run_or_the_remedy_is_named(
    mount: Mount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = mount("noexec")
    monkeypatch.setattr(scratch, "MEMORY_BACKED", folder)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    scripts = bounded_poppler(LIMITS)
    assert scripts is not None
    assert scripts.parent == tmp_path
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(StartupError, match=r"no program may be run from .* TMPDIR"):
        bounded_poppler(LIMITS)
    assert not list(folder.iterdir())


@linux_only
def test_a_full_disk_under_the_pages_is_a_failure_and_leaves_none(mount: Mount, data: Path) -> None:
    disk = mount("size=2m")
    settings = Settings(output_dir=disk, dpi=100, sample=data / "page.pdf", pdf_workers=1)
    samples = [(data / name).read_bytes() for name in ("scan-17pages.pdf", "page.pdf")]
    full, sound = post(settings, *samples)
    assert (full.status_code, full.json()["outcome"]) == (500, "failed")
    # What the failure held is free again.
    assert sound.status_code == 200
    assert [path.name for path in (disk / "pdf2image").iterdir()] == [sound.json()["data"]["id"]]


@linux_only
def test_a_full_disk_under_the_rasters_is_a_failure_and_leaves_none(
    mount: Mount, tmp_path: Path, data: Path
) -> None:
    disk = mount("size=1m")
    document = inspect(data / "scan-17pages.pdf", 100)
    work = PdfWork(document, 100, Output(tmp_path / "out", keep=1), "job", scratch=disk / "scratch")
    with pytest.raises((ValueError, RuntimeError), match=r"disk may be full|pdftoppm gave"):
        work(StopToken(time.monotonic_ns() + 60 * NS_PER_S), lambda page: None)
    assert not list((tmp_path / "out").iterdir())
    assert not list((disk / "scratch").iterdir())


def test_a_page_whose_raster_could_not_be_had_fails(tmp_path: Path, data: Path) -> None:
    """For a bitmap that it cannot have, pdftoppm writes one of a pixel and exits with 0."""
    document = inspect(data / "page-bomb.pdf", 1200, Limits(max_pixels=10**12))
    with pytest.raises(RuntimeError, match=r"page 1 is \(1, 1\) pixels and should be \(150000"):
        PdfWork(document, 1200, Output(tmp_path, keep=1), "job")(
            StopToken(time.monotonic_ns() + 60 * NS_PER_S), lambda page: None
        )
    assert not list(tmp_path.iterdir())


def test_what_a_killed_server_left_unfinished_goes_after_a_day(tmp_path: Path) -> None:
    output = Output(tmp_path, keep=5)
    now = time.time()
    for name, age_s in (("old.part", STALE_AFTER_S + 60), ("new.part", 60), ("done", 10**6)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (now - age_s, now - age_s))
    output.remove_stale()
    assert {path.name for path in tmp_path.iterdir()} == {"new.part", "done"}
