"""The check of an exercise: what a learner reads for each kind of answer."""

from __future__ import annotations

import numpy as np
import pytest

from labserver.bench.exercise import check, judge


def test_the_right_answer_is_right_and_told_why() -> None:
    assert judge(24, 24.0, "Because.") == "24 is right. Because."


def test_an_answer_in_three_digits_is_good_enough() -> None:
    assert "is right" in judge(1.27, 1.2659, "")
    assert "is right" in judge(5.3, np.array(5.29995), "")


def test_an_answer_from_the_bound_instead_of_the_model_is_not() -> None:
    assert judge(16 / 3, 5.29995, "Because.") == "5.33333 is too high. Because."


def test_a_wrong_answer_is_told_its_side_and_why_but_not_the_answer() -> None:
    assert judge(3, 24, "Because.") == "3 is too low. Because."


def test_no_answer_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    check(..., 24, "Because.")
    assert capsys.readouterr().out == "no answer yet: put yours in place of the ...\n"
