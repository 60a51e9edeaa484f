"""One frozen Settings: each field is a flag and a LABSERVER_ variable. It opens nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from labserver.errors import StartupError

ENV_PREFIX = "LABSERVER_"
SAMPLE = Path(__file__).resolve().parent.parent / "data" / "scan-17pages.pdf"

Dispatch = Literal["least-busy", "shared"]
Engine = Literal["poppler", "sleep"]
Runner = Literal["thread"]
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
    runner: Runner = _flag("thread", "Where the work runs.")
    engine: Engine = _flag("poppler", "What converts a PDF; sleep only simulates the work.")
    dpi: Dpi = _flag(200, "Resolution of the pages, in dots per inch.")
    sample: Path = _flag(SAMPLE, "The PDF that a pdf2image job of /put converts.")
    shed: bool = _flag(
        False, "Refuse a job (503) that could only be answered after its deadline."
    )
    time_scale: Annotated[float, Ge(0)] = _flag(
        1.0, "Factor on the times of simulated work; 0 makes it free."
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

    @classmethod
    def of(cls, **flags: Any) -> Self:
        """Settings from flags given by name. Raises StartupError, naming what is wrong."""
        try:
            return cls(**flags)
        except ValidationError as error:
            raise StartupError(_explain(error)) from error

    def args(self) -> list[str]:
        """The command-line flags that give these settings: what differs from the defaults."""
        args: list[str] = []
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value == field.default:
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
