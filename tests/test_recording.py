"""A recording leaves the process that it measures from as it found it."""

from __future__ import annotations

import gc

import pytest

from labserver.bench.recording import short_collections


def test_what_there_was_is_not_collected_while_it_is_measured() -> None:
    with pytest.raises(KeyboardInterrupt), short_collections():
        assert gc.get_freeze_count() > 0
        raise KeyboardInterrupt
    assert gc.get_freeze_count() == 0
