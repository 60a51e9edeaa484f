"""The outcomes: every request ends in exactly one of them."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a request ended."""

    COMPLETED = "completed"
    INVALID = "invalid"
    FAILED = "failed"
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"
    SHED = "shed"
    EXPIRED = "expired"
    KILLED = "killed"
    ABANDONED = "abandoned"
    DRAINED = "drained"
    LOST = "lost"
