"""The log's form: `2026-04-09 16:10:57.993 D put[<id>] result=…`, to standard error."""

from __future__ import annotations

import logging
import sys


class LineFormatter(logging.Formatter):
    """Time to the millisecond, the level's letter, then the record."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and a traceback's lines after it."""
        record.letter = record.levelname[0]
        return super().format(record)


def configure(level: str) -> None:
    """Send our log, and the warnings and errors of others, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        LineFormatter("%(asctime)s.%(msecs)03d %(letter)s %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("labserver").setLevel(level.upper())
    # A form that is none gets its 422 and our own line.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
