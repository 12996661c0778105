import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covidlab.evaluation.counts import Counts, count, count_at

pixels = st.integers(min_value=0, max_value=10**6)
counts = st.builds(Counts, pixels, pixels, pixels, pixels)


def test_scores_of_a_case_counted_by_hand():
    # Six lesion pixels, five marked, four of those right, on a slice of twenty.
    found = Counts(tp=4, fp=1, fn=2, tn=13)
    assert found.precision == 4 / 5
    assert found.recall == 4 / 6
    assert found.accuracy == 17 / 20
    assert found.f1 == pytest.approx(8 / 11)
    assert found.iou == 4 / 7


def test_count_compares_pixel_by_pixel():
    reference = np.array([[1, 1, 0], [0, 0, 1]], dtype=np.uint8)
    prediction = np.array([[1, 0, 1], [0, 0, 1]], dtype=bool)
    assert count(reference, prediction) == Counts(tp=2, fp=1, fn=1, tn=2)


def test_an_empty_reference_has_no_recall_and_no_f1_unless_something_is_marked():
    both_empty = count(np.zeros((2, 2), bool), np.zeros((2, 2), bool))
    assert math.isnan(both_empty.recall) and math.isnan(both_empty.f1) and math.isnan(both_empty.precision)
    assert both_empty.accuracy == 1 and math.isnan(Counts().accuracy)
    assert count(np.zeros(0, int), np.zeros(0, int)) == Counts()
    marked = count(np.zeros((2, 2), bool), np.array([[1, 0], [0, 0]], bool))
    assert math.isnan(marked.recall) and marked.f1 == 0 and marked.precision == 0


def test_probabilities_labels_and_masks_of_two_shapes_are_refused():
    for wrong in ([0.0, 0.7], [0, 2], [-1, 1], [2]):
        with pytest.raises(ValueError, match="threshold it first"):
            count(np.array([0, 1]), np.array(wrong))
    with pytest.raises(ValueError, match="must be equal"):
        count(np.zeros((2, 2), bool), np.zeros((4,), bool))


@given(counts, counts)
def test_counts_add_like_their_parts(one, two):
    together = one + two
    assert together == two + one
    assert together.total == one.total + two.total
    assert one + Counts() == one


@given(counts)
def test_f1_is_the_harmonic_mean_and_follows_from_iou(found):
    if found.tp:
        p, r = found.precision, found.recall
        assert found.f1 == pytest.approx(2 * p * r / (p + r))
        assert found.f1 == pytest.approx(2 * found.iou / (1 + found.iou))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1, width=32)), min_size=1, max_size=50))
def test_counting_at_many_thresholds_equals_counting_at_each(pairs):
    reference = np.array([pair[0] for pair in pairs])
    probabilities = np.array([pair[1] for pair in pairs], dtype=np.float32)
    thresholds = np.array([0.0, 0.25, 0.5, 1.0], dtype=np.float32)
    expected = [count(reference, probabilities >= threshold) for threshold in thresholds]
    assert count_at(thresholds, reference, probabilities) == expected


def test_thresholds_that_do_not_increase_are_refused_and_rounding_to_float32_decides_nothing():
    for wrong in ([0.5, 0.5], [0.5, 0.4, 0.6]):
        with pytest.raises(ValueError, match="increase"):
            count_at(np.array(wrong), np.array([True]), np.array([0.1]))
    assert count_at(np.array([0.7]), np.array([True]), np.array([0.7], np.float32)) == [Counts(tp=1)]
