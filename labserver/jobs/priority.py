"""Who goes first: the loop, then what holds the interpreter's lock now and then, then the rest."""

from __future__ import annotations

import os
import sys
import threading

# A thread that is put off while it holds the interpreter's lock puts the loop off with it. Beside
# eight processes that keep 2 cores busy at 19, eight threads that write PNGs made a loop late by
# 17 ms at p99 when they were at 19 too; at 10, 5 and 0 by 4 ms.
# In the server, with 8 PDFs at once and pdftoppm at 19, seven runs each in turn: by 3.3 to 4.3 ms
# with them at 13, by 3.9 to 4.7 at 5.
WORKER = 13
# What a worker starts, pdftoppm, never holds that lock. With eight of them on 2 cores the loop was
# late at p99 by 10 ms with those at 5, by 6 at 10 and by 4 at 19, which is the kernel's tick.
LOWEST = 19


def lower_thread(niceness: int) -> None:
    """Lower this thread's priority, and that of the processes that it starts.

    On Linux priority belongs to a thread; elsewhere it would be the whole process's, and stays.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
