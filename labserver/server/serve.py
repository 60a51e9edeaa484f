"""Run the server: listen, say so, serve, and end with nothing left behind."""

# How it ends
#
#   SIGTERM, SIGINT    no new jobs; those that wait get 503; those that run get the grace; exit 0
#   the same again     at once
#   end of stdin       (--stdin-guard) the owner is gone, so nobody waits: the same without a grace,
#                      and by force if that takes over HARD_EXIT_S

from __future__ import annotations

import asyncio
import gc
import ipaddress
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil
import uvicorn

from labserver.errors import StartupError
from labserver.priority import hastened
from labserver.server.app import create_app
from labserver.server.http import BoundedHttpProtocol
from labserver.server.lab import Lab
from labserver.server.log import configure
from labserver.settings import Settings
from labserver.work.pdf import scratch

log = logging.getLogger(__name__)

HARD_EXIT_S = 0.7
GC_AFTER = 10_000  # new objects, not 700: a request makes many, and hardly one that needs it
SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "win32":
    SIGNALS.append(signal.SIGBREAK)


def serve(settings: Settings) -> None:
    """Serve until told to end. Raises StartupError when it cannot start."""
    configure(settings.log_level)
    listener = _listen(settings)
    with listener, Lab(settings) as lab:
        config = uvicorn.Config(
            create_app(lab),
            log_config=None,
            access_log=False,
            http=BoundedHttpProtocol,
            ws="none",
            timeout_graceful_shutdown=int(settings.grace) + 5,
        )
        server = DrainingServer(config, lab, settings.grace)
        if settings.stdin_guard:
            threading.Thread(
                target=_guard_stdin, args=(server,), name="stdin-guard", daemon=True
            ).start()
        with hastened():
            server.run(sockets=[listener])
    kill_children()
    log.info("serve ended")


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which first drains the pools when a signal tells it to end."""

    def __init__(self, config: uvicorn.Config, lab: Lab, grace_s: float) -> None:
        super().__init__(config)
        self._lab = lab
        self._grace_s = grace_s
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept, then print the ready line."""
        await super().startup(sockets)
        # What is there now stays; to go through it held the loop up for 30 ms at a collection.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_AFTER)
        self._loop = asyncio.get_running_loop()
        assert sockets is not None
        host, port = sockets[0].getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        ready = {
            "event": "ready",
            "url": url,
            "port": port,
            "pid": os.getpid(),
            "scratch": str(scratch.scratch_root()),
        }
        log.info("serve ready on %s", url)
        print(json.dumps(ready), flush=True)  # last: who waits for it may read the log

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals while serving; unlike uvicorn's own, do not raise them again after."""
        before = {number: signal.signal(number, self.handle_exit) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, end at once at the second."""
        if self.should_exit:
            end_at_once()
        self.drain(self._grace_s)

    def drain(self, grace_s: float) -> None:
        """Begin to end: from any thread, and from a signal handler."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._drain, grace_s)

    def _drain(self, grace_s: float) -> None:
        assert self._loop is not None
        log.info("serve draining: running jobs get %g s", grace_s)
        self._lab.drain()
        self._loop.call_later(grace_s, self._lab.stop_running)


def end_at_once() -> None:
    """End this process and its children now."""
    kill_children()
    scratch.remove_own()
    os._exit(1)


def kill_children() -> None:
    """Kill the processes that this one started, such as a pdftoppm that nobody can stop."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()


def _guard_stdin(server: DrainingServer) -> None:
    """Wait for the end of standard input, then end the server."""
    # os.read, since sys.stdin's own lock would be held while the interpreter shuts down.
    while os.read(0, 4096):
        pass
    log.info("serve ends with its owner: standard input is closed")
    fallback = threading.Timer(HARD_EXIT_S, end_at_once)
    fallback.daemon = True
    fallback.start()
    server.drain(grace_s=0.0)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let two servers share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise StartupError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}): "
            "name another --port, or --port 0 for any that is free"
        ) from error
    if not _may_listen(settings, listener):
        listener.close()
        raise StartupError(
            f"--host {settings.host} can be reached from other machines: set a secret that each "
            "request must bear (LABSERVER_TOKEN, or --token), or let anyone in (--allow-anonymous)"
        )
    return listener


def _may_listen(settings: Settings, bound: socket.socket) -> bool:
    """Whether the address is for this machine alone, or it has been said who may use the server."""
    address = ipaddress.ip_address(bound.getsockname()[0])
    return address.is_loopback or settings.token is not None or settings.allow_anonymous
