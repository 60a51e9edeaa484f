"""Every error class of the project, each with the HTTP status or the exit status it becomes."""

from __future__ import annotations

from typing import ClassVar


class LabError(Exception):
    """Base of all of our errors; its text is one sentence that a user can act on."""


class StartupError(LabError):
    """Raised when a program cannot start as asked; it is printed, and the exit status is 2."""


class LaunchError(LabError):
    """Raised when a server that was started as a subprocess did not get ready."""


class RunFormatError(LabError):
    """Raised when a folder is not a run that this program can read."""


class Stopped(LabError):
    """Raised inside a piece of work when nobody waits for its result any more."""


class ProcessDied(LabError):
    """Raised when the process that did a piece of work ended before the work did."""


class WorkerLost(LabError):
    """Raised when the machine that was to do a piece of work was lost before the work ended."""


class JobError(LabError):
    """Base of what ends a request without a result.

    `status` and `title` are its answer's, `outcome` is its place in the ledger, and `reason` says
    what happened when the error carries no text of its own. `retry_after_s` is when another try
    may fare better; None when it would fare no better for having waited.
    """

    status: ClassVar[int]
    outcome: ClassVar[str]
    title: ClassVar[str]
    reason: ClassVar[str]

    def __init__(
        self,
        reason: str = "",
        *,
        job_id: str = "",
        queue_ms: float = 0.0,
        process_ms: float = 0.0,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(reason or self.reason)
        self.job_id = job_id
        self.queue_ms = queue_ms
        self.process_ms = process_ms
        self.retry_after_s = retry_after_s

    @property
    def detail(self) -> str:
        """What the client reads: `[<id>] Service unavailable (job queue full)`."""
        return f"[{self.job_id}] {self.title} ({self})"


class InvalidJob(JobError):
    """Raised when a request is not a job that we run: bad JSON, unknown type, unusable PDF."""

    status, outcome, title = 422, "invalid", "Unprocessable content"
    reason = "not a job that this server runs"


class TooLarge(InvalidJob):
    """Raised when a request's body is larger than its endpoint takes."""

    status, title = 413, "Content too large"
    reason = "the request's body is larger than this server takes"


class TooSlow(InvalidJob):
    """Raised when a request's body was not there in time."""

    status, title = 408, "Request timeout"
    reason = "the request's body did not arrive in time"


class WorkFailed(JobError):
    """Raised when the work itself raised; the client learns that it did, the log learns why."""

    status, outcome, title = 500, "failed", "Internal server error"
    reason = "the work failed; the server's log says why"


class RateLimited(JobError):
    """Raised when one user asks for more than the quota of a user."""

    status, outcome, title = 429, "rate_limited", "Too many requests"
    reason = "the quota of this user is spent"


class QueueFull(JobError):
    """Raised when the pool has no worker free and no place left to wait."""

    status, outcome, title = 503, "rejected", "Service unavailable"
    reason = "job queue full"


class Shed(JobError):
    """Raised when the answer would come too late, so that the work was not begun."""

    status, outcome, title = 503, "shed", "Service unavailable"
    reason = "its answer would come too late"


class Draining(JobError):
    """Raised when the server is shutting down and takes no more jobs."""

    status, outcome, title = 503, "drained", "Service unavailable"
    reason = "the server is shutting down"


class Lost(JobError):
    """Raised when the machine that did the work was lost, and no other was there to do it."""

    status, outcome, title = 503, "lost", "Service unavailable"
    reason = "the machine that should do it is lost"


class Expired(JobError):
    """Raised when the deadline passed while the job waited; no worker spent anything on it."""

    status, outcome, title = 504, "expired", "Gateway timeout"
    reason = "timeout waiting for a worker"


class Killed(JobError):
    """Raised when the deadline passed while the job ran; the work was told to stop."""

    status, outcome, title = 504, "killed", "Gateway timeout"
    reason = "timeout waiting for the worker's result; the work was stopped"


class Abandoned(JobError):
    """Raised when the client has gone; nobody reads this answer."""

    status, outcome, title = 499, "abandoned", "Client closed request"
    reason = "the client has gone"


JOB_ERRORS: dict[str, type[JobError]] = {
    error.outcome: error
    for error in (
        InvalidJob,
        WorkFailed,
        RateLimited,
        QueueFull,
        Shed,
        Draining,
        Lost,
        Expired,
        Killed,
        Abandoned,
    )
}
