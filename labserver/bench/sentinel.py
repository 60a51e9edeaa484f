"""The sentinel: the same small piece of work each time; how long it takes tells of the machine."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

from labserver.bench.machine import usable_cores

CONTENT = bytes(8 << 20)  # 5 to 20 ms of hashing a core
# A reading is done when so many rounds agree with the shortest, within this share. On a virtual
# machine of a shared host the shortest of 5 rounds was up to 44 % off its median over 129 readings,
# since all 30 ms can fall into one disturbance; read so, in 14 rounds on average, up to 5 %.
AGREEING, WITHIN = 5, 0.03
MOST_ROUNDS = 60


def sentinel_ms() -> list[float]:
    """The wall time in ms of each round until some agree, to be run while the server is idle.

    A round keeps every core busy once: it takes longer when the clock rate falls, and also when
    another program holds a core, which work on one core would not notice. Hashing releases the GIL.
    """
    cores = usable_cores()
    raw_ms: list[float] = []
    with ThreadPoolExecutor(cores, thread_name_prefix="sentinel") as threads:
        _round_ms(threads, cores)  # the first starts the threads
        while len(raw_ms) < MOST_ROUNDS and not _agree(raw_ms):
            raw_ms.append(_round_ms(threads, cores))
    return raw_ms


def _agree(raw_ms: list[float]) -> bool:
    shortest_ms = sorted(raw_ms)[:AGREEING]
    return len(shortest_ms) == AGREEING and shortest_ms[-1] <= (1 + WITHIN) * shortest_ms[0]


def _round_ms(threads: ThreadPoolExecutor, cores: int) -> float:
    start_ns = time.perf_counter_ns()
    list(threads.map(hashlib.sha256, [CONTENT] * cores))
    return round((time.perf_counter_ns() - start_ns) / 1e6, 3)
