"""Who goes first: the loop, then what holds the interpreter's lock now and then, then the rest."""

from __future__ import annotations

import os
import sys
import threading

# A thread that is put off while it holds the interpreter's lock puts the loop off with it. Beside
# eight processes that keep 2 cores busy at 19, eight threads that write PNGs made a loop late by
# 17 ms at p99 when they were at 19 too; at 10, 5 and 0 by 4 ms.
WORKER = 5
LOWEST = 19


def lower_thread(niceness: int) -> None:
    """Lower this thread's priority, and that of the processes that it starts.

    On Linux priority belongs to a thread; elsewhere it would be the whole process's, and stays.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
