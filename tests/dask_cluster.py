"""A Dask scheduler and its workers for tests: processes on loopback, each ended by its own id."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil

HERE = Path(__file__).resolve().parent


class DaskProcess:
    """A program of Dask's, which runs when this is made."""

    def __init__(self, program: str, *flags: str, says: str, **variables: str) -> None:
        module = f"distributed.cli.dask_{program}"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *flags, "--no-dashboard"],
            env=os.environ | {"PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}"} | variables,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self.said = self._wait_for(says)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def kill(self) -> None:
        """kill -9, as a machine that loses its power; its own children see that it is gone."""
        self._process.kill()

    def end(self) -> None:
        """Kill it and all that it has started, and wait for them."""
        family = [psutil.Process(self.pid)] if self._process.poll() is None else []
        for process in list(family):
            family += process.children(recursive=True)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
        self._process.wait()
        self._reader.join()

    def _wait_for(self, mark: str) -> str:
        """The line of its log that has `mark`; what it says later is read and dropped."""
        assert self._process.stderr is not None
        lines: IO[str] = self._process.stderr
        for line in lines:
            if mark in line:
                self._reader = threading.Thread(target=_drain, args=(lines,), daemon=True)
                self._reader.start()
                return line
        raise RuntimeError(f"{self._process.args} ended before it said {mark!r}")


def _drain(lines: IO[str]) -> None:
    with lines:
        for _ in lines:
            pass


def scheduler(port: int = 0, *flags: str) -> DaskProcess:
    """A scheduler on loopback."""
    there = ("--host", "127.0.0.1", "--port", str(port))
    return DaskProcess("scheduler", *there, *flags, says="Scheduler at:")


def address_of(scheduler: DaskProcess) -> str:
    """tcp://127.0.0.1:PORT"""
    return scheduler.said.split()[-1]


def worker(address: str, *more: str, threads: int = 1, **variables: str) -> DaskProcess:
    """A worker that has registered, without a nanny who would start it again."""
    flags = ("--nthreads", str(threads), "--no-nanny", "--memory-limit", "0")
    return DaskProcess("worker", address, *flags, *more, says="Registered to:", **variables)


@contextmanager
def cluster(workers: int = 2, threads: int = 1) -> Iterator[tuple[str, list[DaskProcess]]]:
    """The scheduler's address, and the scheduler itself before its workers."""
    with scheduler() as boss:
        processes = [boss]
        try:
            for _ in range(workers):
                processes.append(worker(address_of(boss), threads=threads))  # noqa: PERF401
            yield address_of(boss), processes
        finally:
            for process in reversed(processes):
                process.end()
