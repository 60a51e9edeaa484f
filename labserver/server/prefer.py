"""`Prefer: wait=SECONDS` (RFC 7240): a client may ask for an answer sooner than the deadline."""

from __future__ import annotations

import re
import time
from urllib.request import parse_http_list

from fastapi import Request

from labserver.jobs.stop import NS_PER_S

SECONDS = re.compile(r"\d{1,9}")


def wait_preferred(header: str) -> int | None:
    """The seconds of a Prefer header's first `wait`; None when it has none or a malformed one.

    RFC 7240 section 2: of a preference given twice the first counts, and what is not understood is
    passed over in silence.
    """
    for preference in parse_http_list(header):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            digits = value.strip().removeprefix('"').removesuffix('"')
            return int(digits) if SECONDS.fullmatch(digits) else None
    return None


def deadline_ns(request: Request, timeout_s: float) -> int:
    """`timeout_s` from now, or what the client prefers when that is sooner: its answer says so.

    On the monotonic clock, in ns.
    """
    wait_s = wait_preferred(", ".join(request.headers.getlist("prefer")))
    if wait_s is not None and wait_s < timeout_s:
        request.state.preference_applied = f"wait={wait_s}"
        timeout_s = wait_s
    return time.monotonic_ns() + round(timeout_s * NS_PER_S)
