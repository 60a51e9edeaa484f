"""The thread runner: the work runs in the worker thread that took the job."""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType
from typing import Self

from labserver.jobs.job import OnPage, Result, Task
from labserver.jobs.stop import StopToken

NICENESS = 19


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
        """Lower this thread's priority, and its child processes', so that the loop goes first.

        On Linux priority belongs to a thread; elsewhere it would be the whole server's.
        """
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)

    def run(self, task: Task, stop: StopToken, on_page: OnPage) -> Result:
        """Do the work here and now."""
        return task(stop, on_page)
