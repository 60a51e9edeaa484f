"""One frozen Settings: each field is a flag and a LABSERVER_ variable. It opens nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from labserver.errors import StartupError

ENV_PREFIX = "LABSERVER_"
SAMPLE = Path(__file__).resolve().parent.parent / "data" / "scan-17pages.pdf"

Dispatch = Literal["least-busy", "shared"]
Discipline = Literal["fifo", "lifo", "deadline", "codel"]
Engine = Literal["poppler", "pdfium", "sleep"]
Runner = Literal["auto", "thread", "process", "dask", "inline"]
Png = Literal["fast", "small"]
Turn = Literal["pixels", "engine"]
LogLevel = Literal["debug", "info", "warning", "error"]
Seconds = Annotated[float, Gt(0)]
Count = Annotated[int, Ge(1)]
Dpi = Annotated[int, Ge(10), Le(1200)]

RATE = re.compile(r"off|[1-9]\d{0,5}/(second|minute|hour|day)")


def _rate(text: str) -> str:
    if RATE.fullmatch(text) is None:
        raise ValueError("should be like 60/minute, per second, minute, hour or day, or off")
    return text


Rate = Annotated[str, AfterValidator(_rate)]


SCHEDULER = re.compile(r"(tcp|tls)://[^/\s]+:\d+")


def _scheduler(text: str) -> str:
    if SCHEDULER.fullmatch(text) is None:
        raise ValueError("should be like tcp://127.0.0.1:8786 or tls://scheduler.lan:8786")
    return text


Scheduler = Annotated[str, AfterValidator(_scheduler)]


def _flag(default: Any, help_text: str) -> Any:
    return Field(default, description=help_text)


class Settings(BaseSettings):
    """How a server runs; times in seconds. A flag wins over its variable, that over the default."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid")

    host: str = _flag("127.0.0.1", "Address to listen on.")
    port: Annotated[int, Ge(0), Le(65535)] = _flag(8000, "Port to listen on; 0 takes a free one.")
    pdf_workers: Count = _flag(8, "Worker threads of the pdf pool.")
    pdf_queue_size: Annotated[int, Ge(0)] = _flag(20, "Jobs that may wait for each pdf worker.")
    pdf_timeout: Seconds = _flag(60.0, "Deadline of a pdf job, in seconds: 504 when it passes.")
    message_workers: Count = _flag(1, "Worker threads of the message pool.")
    message_queue_size: Annotated[int, Ge(0)] = _flag(
        10, "Jobs that may wait for each message worker."
    )
    message_timeout: Seconds = _flag(5.0, "Deadline of a message job, in seconds.")
    dispatch: Dispatch = _flag(
        "least-busy",
        "least-busy: a queue for each worker, a job goes to the least busy one. "
        "shared: one queue before all workers.",
    )
    discipline: Discipline = _flag(
        "fifo",
        "Which waiting job is next. fifo: the oldest, however late; lifo: the newest. deadline: "
        "the oldest that can still be done in time. codel: the oldest, but once the queue has not "
        "been empty for half of a job's time, none that has waited for over a quarter of it. What "
        "is passed over is refused (503).",
    )
    engine: Engine = _flag(
        "poppler",
        "What converts a PDF: poppler or pdfium, which is faster; sleep only simulates the work.",
    )
    runner: Runner = _flag(
        "auto",
        "Where the work runs: in the worker threads, or each job in a process that is killed when "
        "it must stop. auto: PDFs are converted in processes, with --gallery in threads; what only "
        "sleeps is in threads. dask: PDFs on a Dask cluster. inline: on the event loop, "
        "which then does nothing else until the job ends: the wrong way, to be measured.",
    )
    dask_scheduler: Scheduler | None = _flag(
        None,
        "Where the scheduler of a Dask cluster is, such as tcp://127.0.0.1:8786: each thread of "
        "its workers is then a pdf worker. Without one, --runner dask makes a cluster of its own.",
    )
    dask_retries: Annotated[int, Ge(0)] = _flag(
        1, "How often a job is begun again when the cluster's worker that had it is lost."
    )
    dask_tls_ca: Path | None = _flag(None, "Certificate of who signed the scheduler's, as PEM.")
    dask_tls_cert: Path | None = _flag(None, "This server's own certificate, as PEM.")
    dask_tls_key: Path | None = _flag(None, "The key of this server's certificate, as PEM.")
    dask_allow_plain: bool = _flag(
        False,
        "Talk to a scheduler on another machine without TLS: whoever can reach it or its workers "
        "can run any program there.",
    )
    png: Png = _flag("fast", "Pages cost little (fast) or take a tenth less room (small).")
    turn: Turn = _flag(
        "pixels",
        "How a page that is shown turned (/Rotate), as many scans are, comes to stand upright. "
        "pixels: it is drawn as it lies and its pixels are turned, which for a scan takes half "
        "the CPU; engine: the engine turns it as it draws.",
    )
    dpi: Dpi = _flag(200, "Resolution of the pages, in dots per inch.")
    max_pages: Count = _flag(500, "Most pages that a document may have.")
    max_pixels: Count = _flag(
        64_000_000, "Most pixels that one page may have; A0 at 200 dpi has 62 million."
    )
    max_memory_mb: Annotated[int, Ge(64)] = _flag(
        1024, "Most memory, in MB, that one conversion's process may take; not on Windows, macOS."
    )
    sample: Path = _flag(SAMPLE, "The PDF that a pdf2image job of /put converts.")
    shed: bool = _flag(False, "Refuse a job (503) that could only be answered after its deadline.")
    time_scale: Annotated[float, Ge(0)] = _flag(
        1.0, "Factor on the times of simulated work; 0 makes it free."
    )
    service: Annotated[str, MinLen(1)] = _flag(
        "fixed",
        "Times of simulated documents: fixed (6 s), exponential (6 s on average), or a text file "
        "with one time in seconds a line, to be drawn from.",
    )
    rate_limit: Rate = _flag(
        "60/minute",
        "Jobs that one user may ask for in a time, such as 60/minute or 5/second: 429 for the one "
        "over it. A user is the X-User header, else the address. off: no limit.",
    )
    max_upload_mb: Count = _flag(50, "Largest document that /pdf takes, in MB of 10^6 bytes.")
    token: Annotated[SecretStr | None, MinLen(1)] = _flag(
        None,
        "Secret that every request must bear (Authorization: Bearer TOKEN), but for /livez and "
        "/readyz. Better given as a variable: a command line can be read by others.",
    )
    allow_anonymous: bool = _flag(False, "Listen on other than loopback without a --token.")
    output_dir: Path = _flag(Path("out"), "Folder for the pages of finished jobs.")
    keep_jobs: Count = _flag(100, "Finished jobs whose pages are kept; the oldest go first.")
    grace: Annotated[float, Ge(0)] = _flag(
        10.0, "Seconds that running jobs get to finish when the server is told to end."
    )
    gallery: bool = _flag(False, "Also serve the classic mistakes, at /gallery/NAME/put.")
    trace: Path | None = _flag(None, "CSV file for the server's own trace of every job.")
    log_level: LogLevel = _flag("debug", "Least level that is logged.")
    stdin_guard: bool = _flag(False, "End when standard input reaches its end (with its owner).")

    @field_validator("runner")
    @classmethod
    def _pdfium_runs_in_processes(cls, runner: str, info: ValidationInfo) -> str:
        if runner in ("thread", "inline") and info.data.get("engine") == "pdfium":
            raise ValueError(
                "PDFium runs in processes of its own, since it must not be in two threads of one: "
                "with --engine pdfium it is process, which is also what auto takes"
            )
        return runner

    @field_validator("dask_scheduler")
    @classmethod
    def _only_dask_has_a_scheduler(cls, scheduler: str | None, info: ValidationInfo) -> str | None:
        if scheduler is not None and info.data.get("runner") != "dask":
            raise ValueError("only --runner dask has a scheduler")
        return scheduler

    @field_validator("gallery")
    @classmethod
    def _gallery_runs_in_threads(cls, gallery: bool, info: ValidationInfo) -> bool:
        if gallery and info.data.get("engine") == "pdfium":
            raise ValueError(
                "its mistakes run in the server's own threads, where PDFium must not: "
                "take another --engine"
            )
        return gallery

    @field_serializer("runner")
    def _name_what_runs(self, runner: str) -> str:
        return self.runs_in

    @property
    def runs_in(self) -> Literal["thread", "process", "dask", "inline"]:
        """The runner that is meant, `auto` resolved; it is also what a dump says."""
        if self.runner == "auto":
            return "thread" if self.engine == "sleep" or self.gallery else "process"
        return self.runner

    @property
    def message_runs_in(self) -> Literal["thread", "process", "dask", "inline"]:
        """The runner of the `message` jobs, which only sleep: threads, unless one was asked for."""
        return "thread" if self.runner == "auto" else self.runner

    @classmethod
    def of(cls, **flags: Any) -> Self:
        """Settings from flags given by name. Raises StartupError, naming what is wrong."""
        try:
            return cls(**flags)
        except ValidationError as error:
            raise StartupError(_explain(error)) from error

    def args(self) -> list[str]:
        """The command-line flags that give these settings: what differs from the defaults.

        Without a secret: others can read a command line.
        """
        args: list[str] = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value == field.default or isinstance(value, SecretStr):
                continue
            flag = "--" + name.replace("_", "-")
            if isinstance(value, bool):
                args.append(flag if value else flag.replace("--", "--no-", 1))
            else:
                args += [flag, str(value)]
        return args


def _explain(error: ValidationError) -> str:
    """A sentence for each setting that is wrong, in the words of the command line."""
    lines = []
    for problem in error.errors():
        name = str(problem["loc"][0])
        lines.append(
            f"--{name.replace('_', '-')} (or {ENV_PREFIX}{name.upper()}): {problem['msg']}, "
            f"but it is {problem['input']!r}"
        )
    return "\n".join(lines)
