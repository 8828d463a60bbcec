"""Calibration: golden values worked out by hand, and the formula term by term."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.scoring.reliability import Reliability, expected_calibration_error


def test_two_bins_by_hand():
    # Bin (0.7, 0.8]: two predictions, mean 0.75, half right. Bin (0.9, 1]: two, mean 0.95, both right.
    value = expected_calibration_error([0.74, 0.76, 0.94, 0.96], [True, False, True, True], bins=10)
    assert value == pytest.approx(0.5 * 0.25 + 0.5 * 0.05)


def test_perfect_and_worst():
    assert expected_calibration_error([1.0, 0.0], [True, False]) == 0.0
    assert expected_calibration_error([1.0, 1.0], [False, False]) == 1.0
    assert expected_calibration_error([], []) is None


def test_borders_belong_to_the_bin_below():
    reliability = Reliability(10)
    reliability.add([0.0, 0.1, 0.1000001, 1.0], [0, 0, 0, 1])
    assert reliability.number.tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]


PREDICTIONS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(PREDICTIONS, st.integers(1, 20), st.integers(0, 60))
def test_ece_is_the_formula_and_may_be_gathered_in_parts(predictions, bins, cut):
    confidence, correct = np.asarray([p[0] for p in predictions]), np.asarray([p[1] for p in predictions])
    expected = 0.0
    for b in range(bins):
        # ceil, as the implementation has it: b / bins would round borders otherwise than confidence * bins does.
        inside = (np.ceil(confidence * bins) == b + 1) | ((b == 0) & (confidence == 0))
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert expected_calibration_error(confidence, correct, bins) == pytest.approx(expected)
    parts = Reliability(bins)
    parts.add(confidence[:cut], correct[:cut])
    parts.add(confidence[cut:], correct[cut:])
    assert parts.report() == {"value": pytest.approx(expected), "bins": bins, "n": len(predictions)}


def test_logits_are_not_confidences():
    with pytest.raises(ValueError, match="is it a logit"):
        expected_calibration_error([3.2], [True])
    with pytest.raises(ValueError, match="2 confidences for 1"):
        expected_calibration_error([0.1, 0.2], [True])
