"""A recording leaves the process that it measures from as it found it."""

from __future__ import annotations

import gc

import pytest

from labserver.bench.recording import short_collections


def test_what_there_was_is_not_collected_while_it_is_measured() -> None:
    frozen = []

    def interrupted() -> None:
        with short_collections():
            frozen.append(gc.get_freeze_count())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert frozen[0] > 0
    assert gc.get_freeze_count() == 0
