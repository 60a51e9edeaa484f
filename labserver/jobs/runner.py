"""What a pool asks of the place where its work runs. It holds no runner."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from labserver.jobs.job import OnPage, Result, Task
from labserver.jobs.stop import StopToken


class Runner(Protocol):
    """Where the work of a pool runs. Entered before the pool starts, left after it has closed."""

    def __enter__(self) -> Self:
        """Start what the work needs. Raises StartupError when it cannot be had."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End what was started, whatever it is doing."""

    def prepare_thread(self) -> None:
        """Called once in each worker thread before its first job."""

    def run(self, task: Task, stop: StopToken, on_page: OnPage) -> Result:
        """Do the work and return when it has really ended. Raises Stopped when it was stopped."""
