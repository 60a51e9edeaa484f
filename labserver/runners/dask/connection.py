"""The way to a scheduler: checked to be safe before it is taken. Or a cluster in this process."""

from __future__ import annotations

import ipaddress
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import dask.config
from distributed import Client, LocalCluster, Security

from labserver.errors import StartupError
from labserver.settings import Settings

ANY_LOOPBACK = "127.0.0.1:0"


@contextmanager
def connected(settings: Settings, within_s: float) -> Iterator[Client]:
    """A client of the cluster that the settings name, or of one made here for as long as it lasts.

    `within_s` bounds how long it waits for the scheduler. Raises StartupError when there is none at
    the address or the way there is not safe.
    """
    logging.getLogger("distributed").setLevel(logging.WARNING)
    # It logs the traceback of each connection that is given up, which the cluster says in a line.
    logging.getLogger("distributed.utils").setLevel(logging.CRITICAL)
    # An upload travels with its job; from 10 MB on Dask would call that a mistake, each time.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
        if settings.dask_scheduler is None:
            with _own_cluster(settings.pdf_workers) as cluster:
                yield from _client(cluster, None, within_s)
        else:
            yield from _client(settings.dask_scheduler, _security(settings), within_s)


def _client(
    target: str | LocalCluster, security: Security | None, within_s: float
) -> Iterator[Client]:
    try:
        client = Client(target, security=security, timeout=within_s, set_as_default=False)
    except (OSError, ImportError) as error:
        raise StartupError(f"no Dask scheduler can be used at {target} ({error})") from error
    with client:
        yield client


@contextmanager
def _own_cluster(threads: int) -> Iterator[LocalCluster]:
    """A scheduler and a worker in this process."""
    # Each has an HTTP server, which cannot be left out: on loopback, and with nothing to serve.
    served: dict[str, Any] = {f"distributed.{x}.http.routes": [] for x in ("scheduler", "worker")}
    with (
        tempfile.TemporaryDirectory(prefix=f"labserver-{os.getpid()}-") as folder,
        dask.config.set(served | {"temporary-directory": folder}),
        LocalCluster(
            n_workers=1,
            threads_per_worker=threads,
            processes=False,
            dashboard_address=ANY_LOOPBACK,
            worker_dashboard_address=ANY_LOOPBACK,
            memory_limit=0,
            silence_logs=False,
        ) as cluster,
    ):
        yield cluster


def _security(settings: Settings) -> Security | None:
    """What TLS needs. Raises StartupError for a way on which anyone could listen or speak."""
    assert settings.dask_scheduler is not None
    address = urlsplit(settings.dask_scheduler)
    files = {
        "tls_ca_file": settings.dask_tls_ca,
        "tls_client_cert": settings.dask_tls_cert,
        "tls_client_key": settings.dask_tls_key,
    }
    if address.scheme == "tls":
        for name, path in files.items():
            if path is None or not path.is_file():
                raise StartupError(
                    f"--dask-scheduler {settings.dask_scheduler} wants --dask-tls-ca, "
                    f"--dask-tls-cert and --dask-tls-key: {name} is {path or 'not given'}"
                )
        return Security(**{k: str(v) for k, v in files.items()}, require_encryption=True)
    if not _is_loopback(address.hostname or "") and not settings.dask_allow_plain:
        raise StartupError(
            f"--dask-scheduler {settings.dask_scheduler} is another machine, and Dask without TLS "
            "lets whoever can reach it run any program: take tls://, or say --dask-allow-plain"
        )
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"
