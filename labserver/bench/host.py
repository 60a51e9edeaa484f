"""What a run tells of the server that it loads: one with our settings, or one that ran already."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from labserver.bench.records import JobType
from labserver.errors import StartupError
from labserver.settings import Settings

# What a setting says of the place where the server ran, and not of how it ran.
PLACES = {"host", "port", "sample", "output_dir", "trace", "stdin_guard", "log_level"}
PLACES |= {"dask_scheduler", "dask_tls_ca", "dask_tls_cert", "dask_tls_key"}
SECRETS = {"token"}


def to_be_measured(settings: Settings) -> Settings:
    """The settings without a quota, unless one was asked for: a load comes from one user."""
    if "rate_limit" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"rate_limit": "off"})


@dataclass(frozen=True, slots=True)
class Host:
    """`server` has a value for each setting, None where it is not known.

    `simulated` is None where only the answers tell, which then name no pages.
    """

    server: dict[str, Any]
    document: dict[str, Any]
    simulated: bool | None


def own_host(settings: Settings, job: JobType = "pdf2image") -> Host:
    """A server that is started with these settings.

    Raises StartupError when its document cannot be read.
    """
    server = settings.model_dump(mode="json", exclude=PLACES | SECRETS)
    if job == "message":
        server["runner"] = settings.message_runs_in
    if job == "message" or settings.engine == "sleep":
        return Host(server, _no_document(job), simulated=True)
    try:
        content = settings.sample.read_bytes()
    except OSError as error:
        raise StartupError(
            f"{settings.sample} cannot be read ({error.strerror}): name a PDF that can"
        ) from error
    document = {
        "name": settings.sample.name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return Host(server, document, simulated=False)


def running_host(stats: dict[str, Any], job: JobType) -> Host:
    """A server that ran already: its GET /stats tells of its pools, and nothing else of it."""
    server = dict.fromkeys(set(Settings.model_fields) - PLACES - SECRETS)
    for name, pool in stats["pools"].items():
        server[f"{name}_workers"] = pool["workers"]
        server[f"{name}_queue_size"] = pool["capacity"] // max(1, pool["workers"])
        server |= {way: pool[way] for way in ("dispatch", "discipline")}
    if job == "message":
        return Host(server, _no_document(job), simulated=True)
    return Host(server, {"name": "the server's own sample", "bytes": 0}, simulated=None)


def _no_document(job: JobType) -> dict[str, Any]:
    return {"name": f"simulated work ({job})", "bytes": 0}
