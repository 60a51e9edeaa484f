"""Work for the runners' tests to run. A child process imports this: it imports little."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labserver.jobs.job import OnPage, Result, Task
from labserver.jobs.stop import StopToken


@dataclass(frozen=True)
class Pages:
    """Gives so many pages."""

    count: int

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        for page in range(1, self.count + 1):
            on_page(page)
        return Result(f"{self.count} pages", self.count)


@dataclass(frozen=True)
class Raises:
    """Raises an error."""

    error: Exception

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        raise self.error


@dataclass(frozen=True)
class Waits:
    """Says by its first page that it has begun, and waits until it is stopped."""

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        on_page(1)
        stop.sleep(60)
        return Result("never stopped")


@dataclass(frozen=True)
class Deaf:
    """Says which process does it, and which one that has started, by its pages; hears no stop."""

    folder: Path

    def __call__(self, stop: StopToken, on_page: OnPage) -> Result:
        started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        (self.folder / "left").touch()
        on_page(started.pid)
        on_page(os.getpid())
        time.sleep(60)
        return Result("never killed")

    def clean_up(self) -> None:
        (self.folder / "left").unlink()


def who(stop: StopToken, on_page: OnPage) -> Result:
    """The process that does it."""
    return Result(str(os.getpid()))


def chatter(stop: StopToken, on_page: OnPage) -> Result:
    """Prints, as a library might."""
    print("this is no answer", flush=True)
    os.write(1, b"nor is this")
    return Result("done")


def unpicklable_result(stop: StopToken, on_page: OnPage) -> Result:
    """What it gives cannot go through a pipe."""
    return threading.Lock()  # type: ignore[return-value]


class FussyError(Exception):
    """An error that cannot be made again from its arguments."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)


def raises_fussy(stop: StopToken, on_page: OnPage) -> Result:
    """Raises an error that does not survive a pipe as it is."""
    raise FussyError(7, "out of paper")


def dies(stop: StopToken, on_page: OnPage) -> Result:
    """Takes its process with it, as a crash in a library does."""
    os._exit(3)


def cannot_prepare() -> None:
    """A preparation that fails."""
    raise OSError("no such engine")


def dies_in_preparation() -> None:
    """A preparation that takes its process with it."""
    os._exit(3)


@dataclass(frozen=True)
class Luggage:
    """Reads its document where it is done, and says so at home."""

    document: Path
    lasting: bool

    def abroad(self, document: Path, run: Callable[[Task], Result]) -> str:
        return f"{document.read_text()}{run(Pages(0)).text[:0]}"

    def come_home(self, brought: str) -> Result:
        return Result(f"brought home: {brought}")
