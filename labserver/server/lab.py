"""What one server holds: its pools, its ledger, its trace and its sample. It knows no HTTP."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from labserver.errors import InvalidJob, StartupError
from labserver.gallery.contract import Exhibit
from labserver.jobs.crew import PoolSnapshot
from labserver.jobs.job import Task
from labserver.jobs.ledger import Ledger, LedgerSnapshot
from labserver.jobs.pool import Pool
from labserver.jobs.runner import Runner
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.jobs.trace import Trace
from labserver.runners.inline import InlineRunner
from labserver.runners.process import ProcessRunner, nothing
from labserver.runners.thread import ThreadRunner
from labserver.server.inspector import Inspector
from labserver.settings import Settings
from labserver.work.message import message_work
from labserver.work.pdf import scratch
from labserver.work.pdf.abroad import PdfAbroad
from labserver.work.pdf.convert import Engine, PdfWork, Preparation, SleepWork
from labserver.work.pdf.document import Document
from labserver.work.pdf.inspect import inspect
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.output import Output
from labserver.work.pdf.ulimit import bounded_poppler
from labserver.work.service import service_time

NEVER_NS = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class LabSnapshot:
    """Ledger and pools at one and the same moment."""

    ledger: LedgerSnapshot
    pools: dict[str, PoolSnapshot]


class Lab:
    """The pools behind the endpoints. Entered, its workers run; left, nothing of it does."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = Ledger()
        self.trace = Trace(settings.trace)
        self.draining = False
        self.output = Output(settings.output_dir.resolve() / "pdf2image", settings.keep_jobs)
        self._random = random.Random()
        self._simulated_s = service_time(settings.service, settings.time_scale, self._random)
        self.limits = Limits.of(settings)
        self._runners: list[Runner] = []
        self.pdf = self._pool("pdf", settings.pdf_workers, settings.pdf_queue_size)
        self.message = self._pool("message", settings.message_workers, settings.message_queue_size)
        self._inspector = Inspector(self.limits) if settings.engine == "pdfium" else None
        self._stack = ExitStack()
        self._sample: Document | None = None
        self._poppler_path: Path | None = None
        self._mark: Path | None = None

    def __enter__(self) -> Self:
        """Start the workers. Raises StartupError when something that they need is not there."""
        scratch.remove_stale()
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def _start(self, stack: ExitStack) -> None:
        """Start all, each with its end put on the stack, which is left in the reverse order."""
        stack.callback(scratch.remove_own)
        if self._inspector is not None:
            stack.enter_context(self._inspector)
        if self.settings.engine != "sleep":
            self._sample = self._inspect_sample(self.settings.sample)
        if self.settings.engine == "poppler":
            self._poppler_path = bounded_poppler(self.limits)
        _make_writable(self.output.root)
        self.output.remove_stale()
        try:
            stack.enter_context(self.trace)
        except OSError as error:
            raise StartupError(
                f"--trace {self.settings.trace} cannot be written: {error}"
            ) from error
        for runner in self._runners:
            stack.enter_context(runner)
        if self.settings.runs_in == "dask":
            self._enter_cluster(stack)
        for pool in self.pools:
            pool.start()
            stack.callback(pool.close)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def pools(self) -> tuple[Pool, Pool]:
        """Both pools."""
        return self.pdf, self.message

    def live_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say which loop the server has: work that runs inline runs on it."""
        for runner in self._runners:
            if isinstance(runner, InlineRunner):
                runner.loop = loop

    def message_task(self, data: str) -> Task:
        """The work of a `message` job."""
        return message_work(data, self._random, self.settings.time_scale)

    def sample_task(self, job_id: str) -> Task:
        """The work of a `pdf2image` job on the server's own sample."""
        if self._sample is None:
            return SleepWork(self._simulated_s())
        return self._pdf_work(job_id, self._sample, self.settings.dpi, lasting=True)

    def upload_task(self, job_id: str, path: Path, dpi: int | None) -> Task:
        """The work of a `pdf2image` job on a caller's document, which is inspected here and now.

        That takes a process and its milliseconds: not for the loop. Raises InvalidJob when it is
        not a document that we convert. Simulated work takes any.
        """
        if self.settings.engine == "sleep":
            return self.sample_task(job_id)
        dpi = dpi or self.settings.dpi
        return self._pdf_work(job_id, self._inspect(path, dpi), dpi, lasting=False)

    def exhibit(self) -> Exhibit:
        """What the gallery works with: the same document, output and settings as the pdf pool."""

        def work(job_id: str) -> str:
            stop = StopToken(time.monotonic_ns() + NEVER_NS)
            return self.sample_task(job_id)(stop, lambda page: None).text

        return Exhibit(
            work=work,
            sample=self.settings.sample,
            output=self.output.root,
            dpi=self.settings.dpi,
            workers=self.settings.pdf_workers,
            queue_size=self.settings.pdf_queue_size,
            timeout_s=self.settings.pdf_timeout,
        )

    def snapshot(self) -> LabSnapshot:
        """Everything that is counted, at one moment."""
        with self.ledger.lock:
            return LabSnapshot(
                ledger=self.ledger.snapshot_locked(),
                pools={pool.name: pool.snapshot_locked() for pool in self.pools},
            )

    def drain(self) -> None:
        """Take no more jobs; those that run may finish."""
        self.draining = True
        for pool in self.pools:
            pool.drain()
        self.trace.feed.close()

    def stop_running(self) -> None:
        """End the grace: what still runs is stopped."""
        for pool in self.pools:
            pool.stop_running()

    def _pdf_work(self, job_id: str, document: Document, dpi: int, *, lasting: bool) -> Task:
        engine: Engine = "pdfium" if self.settings.engine == "pdfium" else "poppler"
        work = PdfWork(
            document,
            dpi,
            self.output,
            job_id,
            self._poppler_path,
            engine,
            self.settings.png,
            self.settings.turn,
        )
        if self._mark is None:
            return work
        return PdfAbroad(work, self.limits, self._mark, lasting)

    def _enter_cluster(self, stack: ExitStack) -> None:
        """Let the threads of a Dask cluster be the workers of the pdf pool."""
        try:
            from labserver.runners.dask.cluster import Cluster
        except ModuleNotFoundError as error:
            raise StartupError(
                f"--runner dask needs the package {error.name}: pip install 'labserver[dask]'"
            ) from error
        if self.settings.dask_scheduler is not None:
            # The workers look for it, to learn whether they share the folder.
            self._mark = self.output.root / f".server-{uuid.uuid4().hex}"
            self._mark.touch()
            stack.callback(self._mark.unlink, missing_ok=True)
        stack.enter_context(Cluster(self.settings, self._preparation, self.pdf))

    @property
    def _preparation(self) -> Callable[[], None]:
        """What each process that converts does first."""
        if self.settings.engine == "sleep":
            return nothing
        return Preparation(self.settings.engine, self.limits)

    def _inspect(self, path: Path, dpi: int) -> Document:
        if self._inspector is not None:
            return self._inspector.inspect(path, dpi)
        return inspect(path, dpi, self.limits)

    def _inspect_sample(self, path: Path) -> Document:
        if not path.is_file():
            raise StartupError(f"--sample {path} is not there: name a PDF that is")
        try:
            return self._inspect(path.resolve(), self.settings.dpi)
        except InvalidJob as error:
            raise StartupError(f"--sample {path}: {error}") from error

    def _pool(self, name: str, workers: int, queue_size: int) -> Pool:
        if name == "pdf" and self.settings.runs_in == "dask":
            workers = 0  # the cluster hires them
        self._runners.append(runner := self._runner(name, workers))
        return Pool(
            name,
            runner,
            self.ledger,
            self.trace,
            workers=workers,
            queue_size=queue_size,
            dispatch=self.settings.dispatch,
            discipline=self.settings.discipline,
            shed=self.settings.shed,
            retries=self.settings.dask_retries,
        )

    def _runner(self, name: str, workers: int) -> Runner:
        settings = self.settings
        match settings.runs_in if name == "pdf" else settings.message_runs_in:
            case "process":
                return ProcessRunner(workers, self._preparation if name == "pdf" else nothing)
            case "inline":
                return InlineRunner()
            case "thread" | "dask":
                return ThreadRunner()


def _make_writable(folder: Path) -> None:
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StartupError(
            f"--output-dir {folder.parent} cannot be written ({error.strerror}): "
            "name a folder that can"
        ) from error
