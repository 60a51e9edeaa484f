"""What one server holds: its pools, its ledger, its trace and its sample. It knows no HTTP."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from labserver.errors import InvalidJob, StartupError
from labserver.gallery.contract import Exhibit
from labserver.jobs.job import Task
from labserver.jobs.ledger import Ledger, LedgerSnapshot
from labserver.jobs.pool import Pool, PoolSnapshot
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.jobs.trace import Trace
from labserver.runners.thread import ThreadRunner
from labserver.settings import Settings
from labserver.work.message import message_work
from labserver.work.pdf import scratch
from labserver.work.pdf.convert import SIMULATED_DOCUMENT_S, PdfWork, SleepWork
from labserver.work.pdf.inspect import Document, inspect
from labserver.work.pdf.output import Output

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
        self.pdf = self._pool("pdf", settings.pdf_workers, settings.pdf_queue_size)
        self.message = self._pool("message", settings.message_workers, settings.message_queue_size)
        self._sample: Document | None = None

    def __enter__(self) -> Self:
        """Start the workers. Raises StartupError when something that they need is not there."""
        scratch.remove_stale()
        if self.settings.engine == "poppler":
            self._sample = _inspect_sample(self.settings.sample)
        _make_writable(self.output.root)
        try:
            self.trace.__enter__()
        except OSError as error:
            raise StartupError(
                f"--trace {self.settings.trace} cannot be written: {error}"
            ) from error
        for pool in self.pools:
            pool.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for pool in self.pools:
            pool.close()
        self.trace.__exit__(kind, error, traceback)
        scratch.remove_own()

    @property
    def pools(self) -> tuple[Pool, Pool]:
        """Both pools."""
        return self.pdf, self.message

    def message_task(self, data: str) -> Task:
        """The work of a `message` job."""
        return message_work(data, self._random, self.settings.time_scale)

    def sample_task(self, job_id: str) -> Task:
        """The work of a `pdf2image` job on the server's own sample."""
        if self._sample is None:
            return SleepWork(SIMULATED_DOCUMENT_S * self.settings.time_scale)
        return PdfWork(self._sample, self.settings.dpi, self.output, job_id)

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

    def stop_running(self) -> None:
        """End the grace: what still runs is stopped."""
        for pool in self.pools:
            pool.stop_running()

    def _pool(self, name: str, workers: int, queue_size: int) -> Pool:
        return Pool(
            name,
            ThreadRunner(),
            self.ledger,
            self.trace,
            workers=workers,
            queue_size=queue_size,
            dispatch=self.settings.dispatch,
            shed=self.settings.shed,
        )


def _inspect_sample(path: Path) -> Document:
    if not path.is_file():
        raise StartupError(f"--sample {path} is not there: name a PDF that is")
    try:
        return inspect(path.resolve())
    except InvalidJob as error:
        raise StartupError(f"--sample {path}: {error}") from error


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
