"""The child's side of the process runner: do the work that comes in, and end with the server."""

# What goes through its pipes, each a pickle
#
#   standard input     bytes, each a pickled message: first what prepares the process, then
#                      (work, deadline_ns) after (work, deadline_ns); its end means that the server
#                      is gone, in whatever way
#   standard output    (kind, value): "ready" once, then "page" as pages are done, and "result" or
#                      "error" once for each piece of work
#
# A thread reads, so that the end of the server is seen while the main thread works. It unpickles
# nothing but bytes: what a message imports is imported by the thread that uses it.

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import IO, Any, Literal, NoReturn

from labserver import priority
from labserver.jobs.stop import StopToken

Kind = Literal["ready", "page", "result", "error"]
Message = tuple[Kind, Any]


def main() -> None:
    """Prepare, then work until standard input ends, which ends the process."""
    priority.give_way()
    answers = _take_stdout()
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(messages,), daemon=True).start()
    prepared = _prepared(messages.get())
    _send(answers, prepared)
    while prepared[0] == "ready":
        _send(answers, _answer(messages.get(), lambda page: _send(answers, ("page", page))))


def _prepared(message: bytes) -> Message:
    try:
        pickle.loads(message)()
    except Exception as error:  # noqa: BLE001 - it is the parent's to judge
        return "error", _portable(error)
    return "ready", None


def _answer(message: bytes, on_page: Callable[[int], None]) -> Message:
    try:
        work, deadline_ns = pickle.loads(message)
        return "result", work(StopToken(deadline_ns), on_page)
    except Exception as error:  # noqa: BLE001 - whatever the work raises is the job's end
        return "error", _portable(error)


def _portable(error: Exception) -> Exception:
    """An error that survives the pipe, with its traceback as a note for the server's log."""
    note = "".join(traceback.format_exception(error)).rstrip()
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - an exception's own __reduce__ and __init__ may raise anything
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"in a process of the runner:\n{note}")
    return error


def _send(answers: IO[bytes], message: Message) -> None:
    try:
        data = pickle.dumps(message)
    except Exception as error:  # noqa: BLE001 - a result's own __reduce__ may raise anything
        data = pickle.dumps(("error", _portable(error)))
    try:
        answers.write(data)
        answers.flush()
    except OSError:  # nobody reads: the server is gone
        end_group()


def _read(messages: queue.SimpleQueue[bytes]) -> None:
    while True:
        try:
            messages.put(pickle.load(sys.stdin.buffer))
        except (EOFError, OSError, pickle.UnpicklingError):
            end_group()


def _take_stdout() -> IO[bytes]:
    """Standard output for our answers alone; what a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def end_group() -> NoReturn:
    """End this process and those that it has started, now."""
    if sys.platform == "win32":
        import psutil

        for child in psutil.Process().children(recursive=True):
            child.kill()
        os._exit(1)
    os.killpg(0, signal.SIGKILL)  # it leads its group: nobody else is in it
    os._exit(1)
