"""The thread runner: the work runs in the worker thread that took the job."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from labserver import priority
from labserver.jobs.job import OnPage, Result, Task
from labserver.jobs.stop import StopToken


class ThreadRunner:
    """Runs work where it is. Work that ignores its StopToken holds the worker until it ends."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing was started."""

    def prepare_thread(self) -> None:
        """Lower this thread's priority, so that the loop goes first."""
        priority.lower_thread(priority.WORKER)

    def run(self, task: Task, stop: StopToken, on_page: OnPage) -> Result:
        """Do the work here and now."""
        return task(stop, on_page)
