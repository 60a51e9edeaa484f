"""Disciplines: who is next, and who is turned away at his turn."""

import math

import pytest

from labserver.theory.discipline import FIFO, CoDel, DeadlineSkip, Lifo


def test_only_lifo_takes_the_newest():
    assert Lifo().newest_first
    assert not any(d.newest_first for d in (FIFO, DeadlineSkip(1.0), CoDel(0.1, 1.0)))


@pytest.mark.parametrize("discipline", [FIFO, Lifo()])
def test_plain_orders_turn_nobody_away(discipline):
    assert not discipline.sheds(waited_s=1e9, left_s=-1.0, standing_s=1e9)


def test_a_job_that_cannot_end_in_time_is_skipped():
    skip = DeadlineSkip(service_s=2.0)
    assert skip.sheds(waited_s=0.0, left_s=1.9, standing_s=0.0)
    assert not skip.sheds(waited_s=9.0, left_s=2.0, standing_s=9.0)
    assert not skip.sheds(waited_s=9.0, left_s=math.inf, standing_s=9.0)


def test_codel_is_patient_until_the_queue_stands():
    codel = CoDel(target_s=0.1, interval_s=1.0)
    assert not codel.sheds(waited_s=0.9, left_s=math.inf, standing_s=0.9)
    assert codel.sheds(waited_s=0.9, left_s=math.inf, standing_s=1.1)
    assert not codel.sheds(waited_s=0.1, left_s=math.inf, standing_s=99.0)


@pytest.mark.parametrize(
    "make", [lambda: DeadlineSkip(0.0), lambda: CoDel(-1.0, 1.0), lambda: CoDel(1.0, 0.0)]
)
def test_impossible_rules_are_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()
