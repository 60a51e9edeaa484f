"""Who goes first: the loop, then what holds the interpreter's lock now and then, then the rest."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# A thread that is put off while it holds the interpreter's lock puts the loop off with it. Beside
# eight processes that keep 2 cores busy at 19, eight threads that write PNGs made a loop late by
# 17 ms at p99 when they were at 19 too; at 10, 5 and 0 by 4 ms. In the server with 8 PDFs at once,
# in threads, and pdftoppm at 19: by 4.8 to 6.1 ms with the rest of a worker at 5, 5.1 to 5.8 at 13,
# 5.7 to 6.0 at 0, in three to six runs each.
WORKER = 5
# What never holds that lock: pdftoppm, and a process of its own that converts. With eight pdftoppm
# on 2 cores the loop was late at p99 by 10 ms with those at 5, by 6 at 10 and by 4 at 19, which is
# the kernel's tick.
LOWEST = 19

# The kernel takes a core from a running thread for a waking one when that asks for a shorter slice,
# at whatever priority; otherwise it may wait for the tick. 0.1 ms is the shortest there is.
SLICE_NS = 100_000
USUAL = 0
# What converts asks for the opposite. Its usual slice is 1.4 ms on 2 cores, but it runs until the
# tick, every 4 ms: those that wait for their turn are then overdue, and what is overdue goes before
# what has just waked, whatever slice that asks for. With nearly two ticks only those are that have
# slept and are owed more than a turn. With 8 PDFs at once on 2 cores, in turn, the loop was late by
# over 3 ms at 0.6 and 0.7 % of the looks with PDFium, in place of 1.9 and 1.2, and at 1.3, 1.7 and
# 0.8 % with poppler, in place of 2.6, 2.7 and 2.8. With 24 ms and poppler /livez took up to 7.9 ms
# at p99, in place of 4.9 to 5.9.
PATIENT_SLICE_NS = 7_900_000
# Where this file is, Linux shares the cores out among sessions first (autogroup), and a process
# gives way to those of its own session only. What converts has a session whose priority is this:
# at 5, 10 and 19 the loop was late alike (1.1 to 2.0 ms at p99, poppler and PDFium, 8 at once on 2
# cores), at 0 by 1.5 to 2.8. At 5 it has a quarter of a core that another session keeps busy.
SESSION = 5
AUTOGROUP = Path("/proc/self/autogroup")
# Without privileges it takes ten a second, of all processes of the machine.
TRIES, TRY_EVERY_S = 40, 0.05
# sched_setattr, for which neither Python nor the C library has a function; see its manual page.
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
# u32 size, u32 policy (0, the usual one), u64 flags, s32 nice, u32 priority, then u64 runtime,
# which is the slice, deadline and period.
SCHED_ATTR = struct.Struct("=IIQiIQQQ")
RESET_ON_FORK = 1


@contextmanager
def hastened() -> Iterator[None]:
    """Have this thread, and none that it starts, run as soon as it wakes, though others run.

    With 8 PDFs at once on 2 cores, poppler in threads, /livez took 6.0 to 7.5 ms at p99 with it in
    the server, in eight runs, and 6.7 to 9.8 without. Nothing happens before Linux 6.12 and
    elsewhere.
    """
    _ask_for_slice(SLICE_NS, RESET_ON_FORK)
    try:
        yield
    finally:
        _ask_for_slice(USUAL, RESET_ON_FORK)


def give_way() -> None:
    """Let this process and those that it starts run where no other wants to."""
    if sys.platform == "win32":
        import psutil  # here: no other system needs it

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(LOWEST)
        _ask_for_slice(PATIENT_SLICE_NS)


def sessions_are_weighed() -> bool:
    """Whether a session has a priority here, and one who leads it may lower it."""
    return os.access(AUTOGROUP, os.W_OK)


def lower_session() -> bool:
    """Let the session that this process leads give way to others.

    Waits 2 s at most for the kernel to take it; returns whether it did.
    """
    for _ in range(TRIES):
        with suppress(OSError):
            AUTOGROUP.write_text(str(SESSION))
            return True
        time.sleep(TRY_EVERY_S)
    return False


def _ask_for_slice(slice_ns: int, flags: int = 0) -> None:
    number = SCHED_SETATTR.get(platform.machine())
    if sys.platform == "linux" and number is not None:
        niceness = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        wish = SCHED_ATTR.pack(SCHED_ATTR.size, 0, flags, niceness, 0, slice_ns, 0, 0)
        # Where it is forbidden, all goes on as without it.
        ctypes.CDLL(None).syscall(number, 0, wish, 0)


def lower_thread(niceness: int) -> None:
    """Lower this thread's priority, and that of the processes that it starts.

    On Linux priority belongs to a thread; elsewhere it would be the whole process's, and stays.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
