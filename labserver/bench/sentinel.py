"""The sentinel: the same small piece of work each time; how long it takes tells of the machine."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

from labserver.bench.machine import usable_cores

CONTENT = bytes(8 << 20)  # 5 to 20 ms of hashing a core
# On a virtual machine of a shared host the shortest of 5 was up to 44 % off its median over 129
# readings, since all 30 ms can fall into one disturbance; the shortest of 20 was up to 9 % off.
# Another program that holds a core made both longer by two thirds or more.
ROUNDS = 20


def sentinel_ms() -> list[float]:
    """The wall time in ms of each of `ROUNDS` rounds, to be run while the server is idle.

    A round keeps every core busy once: it takes longer when the clock rate falls, and also when
    another program holds a core, which work on one core would not notice. Hashing releases the GIL.
    """
    cores = usable_cores()
    with ThreadPoolExecutor(cores, thread_name_prefix="sentinel") as threads:
        _round_ms(threads, cores)  # the first starts the threads
        return [_round_ms(threads, cores) for _ in range(ROUNDS)]


def _round_ms(threads: ThreadPoolExecutor, cores: int) -> float:
    start_ns = time.perf_counter_ns()
    list(threads.map(hashlib.sha256, [CONTENT] * cores))
    return round((time.perf_counter_ns() - start_ns) / 1e6, 3)
