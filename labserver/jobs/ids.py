"""Ids for jobs: random UUIDs that nobody can guess, since an id is all that a job's pages need."""

# Not uuid4() for each: it asks the kernel, and lets go of the interpreter lock while it does. A
# worker that waits for the lock then takes it, and each request costs two changes of threads.

from __future__ import annotations

import os

AT_ONCE = 64

_numbers: list[bytes] = []


def new_id() -> str:
    """A random UUID (RFC 9562, version 4); from any thread."""
    try:
        number = _numbers.pop()
    except IndexError:
        block = os.urandom(16 * AT_ONCE)
        number, *more = (block[i : i + 16] for i in range(0, len(block), 16))
        _numbers.extend(more)
    digits, variant = number.hex(), "89ab"[number[8] & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
