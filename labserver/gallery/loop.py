"""No mistake, but what a server is held against: the same work in a bare loop.

So many processes convert one document after the other. There is no HTTP, no bound on who waits, no
deadline and no trace. What a server with the same processes does less than this is their price.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from labserver.errors import InvalidJob, StartupError
from labserver.jobs.stop import NS_PER_S, StopToken
from labserver.runners.process import ProcessRunner
from labserver.settings import Settings
from labserver.work.pdf import scratch
from labserver.work.pdf.convert import Engine, PdfWork, Preparation
from labserver.work.pdf.document import Document
from labserver.work.pdf.inspect import inspect
from labserver.work.pdf.limits import Limits
from labserver.work.pdf.output import Output
from labserver.work.pdf.ulimit import bounded_poppler

DEADLINE_NS = 86_400 * NS_PER_S  # a day: the work wants one
NS_PER_MS = 1e6


def run(settings: Settings) -> None:
    """Convert the sample once for each line of standard input, whose end stops what still runs.

    Standard output gets a line when the processes are up, and then one for each document: the
    `request`, which is the line that asked for it, `pages`, `process_ms`, `worker`, and an `error`
    when it failed. Raises StartupError when it cannot start.
    """
    try:
        loop = Loop(settings)
        with loop.runner, ThreadPoolExecutor(settings.pdf_workers, "loopWorker") as threads:
            _say(url="", pid=os.getpid(), scratch=str(scratch.scratch_root()))
            for line in sys.stdin:
                threads.submit(loop.convert, line.strip())
            threads.shutdown(wait=False, cancel_futures=True)
            loop.stop()
    finally:
        scratch.remove_own()


class Loop:
    """The processes, and the document that they convert as a server with `settings` would."""

    def __init__(self, settings: Settings) -> None:
        if settings.engine == "sleep":
            raise StartupError("a bare loop converts documents: leave out --engine sleep")
        self._settings = settings
        self._engine: Engine = settings.engine
        limits = Limits.of(settings)
        self._document = _inspected(settings, limits)
        self._poppler = bounded_poppler(limits) if self._engine == "poppler" else None
        self._output = Output(settings.output_dir.resolve() / "pdf2image", settings.keep_jobs)
        self._running: set[StopToken] = set()
        self._ended = False
        self.runner = ProcessRunner(settings.pdf_workers, Preparation(self._engine, limits))

    def convert(self, request: str) -> None:
        """Convert the document in a process that is free, and tell of it."""
        began_ns = time.monotonic_ns()
        stop = StopToken(began_ns + DEADLINE_NS)
        self._running.add(stop)
        if self._ended:  # after this, `stop` cannot miss it
            stop.request()
        pages, error = 0, ""
        try:
            pages = self.runner.run(self._work(), stop, lambda page: None).pages
        except Exception as failed:  # noqa: BLE001 - whatever the work raises is for the bench to judge
            error = f"{type(failed).__name__}: {failed}"
        self._running.discard(stop)
        took_ms = (time.monotonic_ns() - began_ns) / NS_PER_MS
        worker = threading.current_thread().name
        _say(request=request, pages=pages, process_ms=took_ms, worker=worker, error=error)

    def stop(self) -> None:
        """Stop all that runs, and what has just been begun."""
        self._ended = True
        for stop in list(self._running):
            stop.request()

    def _work(self) -> PdfWork:
        settings, name = self._settings, str(uuid.uuid4())
        return PdfWork(
            self._document, settings.dpi, self._output, name, self._poppler, self._engine,
            settings.png, settings.turn,
        )  # fmt: skip


def _inspected(settings: Settings, limits: Limits) -> Document:
    try:
        if settings.engine == "pdfium":
            from labserver.work.pdf import pdfium

            return pdfium.inspect(settings.sample.resolve(), settings.dpi, limits)
        return inspect(settings.sample.resolve(), settings.dpi, limits)
    except InvalidJob as error:
        raise StartupError(f"--sample {settings.sample}: {error}") from error


def _say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")  # in one piece: several threads tell of theirs
    sys.stdout.flush()
